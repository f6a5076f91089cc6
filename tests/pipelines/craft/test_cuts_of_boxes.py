"""Images with boxes are cut into folds like rows without classes: a cell is no class."""

from kilnworks.components.sources import ByHash
from kilnworks.pipelines.craft.cuts import default_by
from kilnworks.pipelines.digits import DIGITS
from kilnworks.pipelines.scenes import SCENES
from kilnworks.pipelines.trees import TREES


def test_folds_of_boxes_are_plain() -> None:
    assert default_by(SCENES) == ("plain", None)
    assert default_by(DIGITS) == ("stratified", None)


def test_a_split_by_photograph_is_followed_by_the_key_of_its_tiles() -> None:
    """The photograph is a column of the source alone, and checked rows have the key."""
    split = ByHash(key="photo")
    assert default_by(TREES.configured({"examples.split": split.model_dump()})) == ("grouped", "file")
