"""Images with boxes are cut into folds like rows without classes: a cell is no class."""

from kilnworks.pipelines.craft.cuts import default_by
from kilnworks.pipelines.digits import DIGITS
from kilnworks.pipelines.scenes import SCENES


def test_folds_of_boxes_are_plain() -> None:
    assert default_by(SCENES) == ("plain", None)
    assert default_by(DIGITS) == ("stratified", None)
