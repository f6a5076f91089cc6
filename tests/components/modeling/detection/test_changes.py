"""Changes move boxes with their images: a bright rectangle stays inside of its box."""

import keras
import numpy as np
import pytest
from keras import ops

from kilnworks.components.features.kinds.image import ImagePlan
from kilnworks.components.features.plan import TransformPlan
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.modeling.detection.anchors import anchors_of, levels_of, points_of
from kilnworks.components.modeling.detection.changes import Moving, cropped, flipped, quartered, recoloured, turned
from kilnworks.components.modeling.detection.detector import Detector
from kilnworks.components.modeling.detection.layers import Boxes
from kilnworks.schemas.errors import ConfigError
from tests.components.modeling.detection.scenes import CONTRACT


def lit(seed=0, count=5, side=48):
    """Images with one bright rectangle each, and its box."""
    rng = np.random.default_rng(seed)
    images, boxes = np.zeros((count, side, side, 1), np.float32), np.full((count, 2, 5), -1, np.float32)
    for i in range(count):
        top, left = rng.integers(14, 24, 2)
        high, wide = rng.integers(6, 12, 2)
        images[i, top : top + high, left : left + wide] = 1
        boxes[i, 0] = (top / side, left / side, (top + high) / side, (left + wide) / side, i)
    return images, boxes


def around(image):
    """The box of what is bright, in shares."""
    down, across = np.flatnonzero((image[..., 0] > 0.5).any(axis=1)), np.flatnonzero((image[..., 0] > 0.5).any(axis=0))
    side = len(image)
    return np.array([down[0], across[0], down[-1] + 1, across[-1] + 1]) / side


@pytest.mark.parametrize("change", [flipped, turned, quartered])
def test_mirror_images(change):
    images, boxes = lit()
    which = np.array([1, 0, 1, 0, 1], np.float32)
    new, moved = (np.asarray(a) for a in change(images, boxes, which))
    for i in range(5):
        assert moved[i, 0, :4] == pytest.approx(around(new[i]), abs=1e-6)
        assert moved[i, 0, 4] == i
        assert (new[i] == images[i]).all() == (which[i] == 0)
    assert (moved[which == 0] == boxes[which == 0]).all()
    assert (moved[:, 1, 4] == -1).all()


def test_crops_and_reductions():
    images, boxes = lit()
    corner = np.array([[0.2, 0.25], [0.1, 0.2], [-0.3, -0.1], [0, 0], [0.25, 0.2]], np.float32)
    side = np.array([[0.7, 0.6], [0.8, 0.75], [1.5, 1.2], [1, 1], [0.55, 0.6]], np.float32)
    new, moved = (np.asarray(a) for a in cropped(images, boxes, corner, side))
    for i in range(5):
        assert moved[i, 0, :4] == pytest.approx(around(new[i] - new[i].min()), abs=1.5 / 48)
    assert new[3] == pytest.approx(images[3], abs=1e-5)
    assert moved[3, 0] == pytest.approx(boxes[3, 0], abs=1e-6)


def test_a_box_whose_middle_is_out_is_left_out_and_one_at_the_edge_is_cut():
    images = np.zeros((2, 32, 32, 1), np.float32)
    boxes = np.array([[[0.1, 0.1, 0.3, 0.3, 2]], [[0.4, 0.4, 0.8, 0.8, 1]]], np.float32)
    corner = np.full((2, 2), 0.5, np.float32)
    moved = np.asarray(cropped(images, boxes, corner, np.full((2, 2), 0.5, np.float32))[1])
    assert (moved[0, 0] == -1).all()
    assert moved[1, 0] == pytest.approx([0, 0, 0.6, 0.6, 1], abs=1e-6)


def test_mirror_images_and_exchanged_sides_are_all_quarter_turns():
    images, boxes = lit()
    once = np.ones(5, np.float32)
    new, moved = (np.asarray(a) for a in turned(*quartered(images, boxes, once), once))
    assert (new == np.rot90(images, axes=(1, 2))).all()
    for i in range(5):
        assert moved[i, 0, :4] == pytest.approx(around(new[i]), abs=1e-6)


def test_other_colours_are_those_of_the_formula():
    images = np.random.default_rng(0).random((3, 8, 8, 3)).astype(np.float32)
    contrast, gain = np.array([1, 0.5, 2]).reshape(3, 1, 1, 1), np.array([[1, 1, 1], [1.2, 1, 0.8], [0.9, 0.9, 0.9]])
    new = np.asarray(recoloured(images, contrast.astype(np.float32), gain.reshape(3, 1, 1, 3).astype(np.float32)))
    for i in range(3):
        mean = images[i].mean(axis=(0, 1))
        wanted = np.clip(((images[i] - mean) * contrast[i, 0, 0, 0] + mean) * gain[i], 0, 1)
        assert new[i] == pytest.approx(wanted, abs=1e-5)
    assert new[0] == pytest.approx(images[0], abs=1e-6)


def test_colours_are_changed_only_where_asked_for():
    images, boxes = lit()
    layer = keras.Input(images.shape[1:], name="image")
    for colour in (0.0, 0.3):
        moving = Moving(layer, layer, image="image", colour=colour)
        new, moved = (np.asarray(a) for a in moving.changed(ops.array(images), ops.array(boxes)))
        assert (moved == boxes).all()
        assert (new == images).all() == (colour == 0)
    levels = new.max(axis=(1, 2, 3))
    assert len(np.unique(levels)) > 1, "each image by itself"


@pytest.mark.parametrize(
    ("factor", "offset", "says"), [(1 / 255, 0.0, ""), (2 / 255, -1.0, "from -1 to 1"), (1.0, 0.0, "from 0 to 255")]
)
def test_colours_of_images_that_are_not_from_0_to_1_are_refused(factor, offset, says):
    """Changed colours are cut at 1, where images up to 255 are white."""
    plan = TransformPlan(contract=CONTRACT, rows=1, features={"image": ImagePlan(factor=factor, offset=offset)})
    fitted = FeatureTransform(plan)
    assert Detector().transform(fitted) is fitted
    if not says:
        assert Detector(colour=0.2).transform(fitted) is fitted
        return
    with pytest.raises(ConfigError, match=says):
        Detector(colour=0.2).transform(fitted)


def test_anchors_stand_in_the_middle_of_their_cells():
    levels = levels_of([(0.2, 0.2), (0.5, 0.25)], (64, 48))
    assert levels == {4: [(0.2, 0.2), (0.5, 0.25)]}
    assert list(levels_of([(0.2, 0.2), (0.9, 0.9)], (64, 64))) == [4, 16]
    assert points_of({4: [(0.1, 0.2)], 8: [(0.4, 0.2)]}) == {4: [pytest.approx((0.2, 0.2))]}
    anchors = anchors_of(levels, (64, 48))
    assert anchors.shape == (16 * 12 * 2, 4)
    assert anchors[0] == pytest.approx([1 / 32 - 0.1, 1 / 24 - 0.1, 1 / 32 + 0.1, 1 / 24 + 0.1])
    assert anchors[-1] == pytest.approx([31 / 32 - 0.25, 23 / 24 - 0.125, 31 / 32 + 0.25, 23 / 24 + 0.125])


def test_boxes_move_by_shares_of_their_anchors():
    anchors = np.array([[0.2, 0.2, 0.4, 0.6]], np.float32)
    found = np.asarray(Boxes(anchors)(ops.convert_to_tensor([[[0.5, -0.25, np.log(2), 0.0]]], "float32")))[0, 0]
    assert found == pytest.approx([0.2, 0.1, 0.6, 0.5, 0.2, 0.2, 0.4, 0.6], abs=1e-6)
    again = Boxes.from_config(Boxes(anchors).get_config())
    assert (again.anchors == anchors).all()
