"""The loss of the head ``points`` against a loop over positions and boxes."""

import math

import keras
import numpy as np
import pytest

from kilnworks.components.modeling.detection.anchors import anchors_of
from kilnworks.components.tasks.detection.points import AWAY, BOX, COLD, FOCUS, SPREAD, PointsLoss, heat_of
from kilnworks.components.tasks.detection.task import Detection
from kilnworks.components.tasks.labels import LabelStatistics
from kilnworks.components.tasks.settings import TaskSettings
from kilnworks.pipelines.core.chains import ROOT
from kilnworks.schemas.contract import load_contract
from tests.components.tasks.detection.test_detection_losses import generalized

ANCHORS = anchors_of({4: [(0.25, 0.25)]}, (32, 32))
"""8 x 8 positions."""
USUAL = 1.5


def some(seed, classes):
    """An image without boxes, one with one, one with two of which the first has its middle in the middle of four."""
    rng = np.random.default_rng(seed)
    truth = np.full((3, 3, 5), -1.0)
    for i in range(3):
        low = rng.random((i, 2)) * 0.5
        truth[i, :i] = np.concatenate(
            [low, low + 0.1 + rng.random((i, 2)) * 0.3, rng.integers(classes, size=(i, 1))], 1
        )
    truth[2, 0, :4] = (0.25, 0.375, 0.5, 0.625)
    boxes = ANCHORS + rng.normal(0, 0.02, (3, *ANCHORS.shape))
    fixed = np.broadcast_to(ANCHORS, boxes.shape)
    output = np.concatenate([boxes, fixed, rng.normal(0, 2, (3, len(ANCHORS), classes))], axis=-1)
    return truth.astype(np.float32), output.astype(np.float32)


def by_hand(truth, output, classes):
    """One image, position by position."""
    real = [row for row in truth.astype(float) if row[4] >= 0]
    at = [((a[4] + a[6]) / 2, (a[5] + a[7]) / 2) for a in output.astype(float)]
    far = [[
        sum(((p[k] - (b[k] + b[k + 2]) / 2) / (SPREAD * (b[k + 2] - b[k]))) ** 2 for k in (0, 1)) / 2 for b in real
    ] for p in at]  # fmt: skip
    nearest = [min(row[g] for row in far) for g in range(len(real))]
    heat = [[
        1.0 if f <= nearest[g] + 1e-6 else math.exp(-f) if math.exp(-f) >= COLD else 0.0 for g, f in enumerate(row)
    ] for row in far]  # fmt: skip
    own = [max(range(len(real)), key=lambda g, row=row: row[g]) if any(row) else None for row in heat]
    total = 0.0
    for g, box in enumerate(real):
        mine = [a for a, which in enumerate(own) if which == g]
        weight = sum(heat[a][g] for a in mine)
        total += BOX * sum(heat[a][g] / weight * (1 - generalized(output[a, :4].astype(float), box)) for a in mine)
    for a, row in enumerate(output.astype(float)):
        for k in range(classes):
            p = 1 / (1 + math.exp(-row[8 + k]))
            warm = max((heat[a][g] for g, box in enumerate(real) if box[4] == k), default=0.0)
            if warm == 1.0:
                total -= (1 - p) ** FOCUS * math.log(p)
            else:
                total -= (1 - warm) ** AWAY * p**FOCUS * math.log(1 - p)
    return total / USUAL


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("seed", range(3))
def test_loss_is_that_of_a_loop(classes, seed):
    truth, output = some(seed, classes)
    loss = np.asarray(PointsLoss(classes, USUAL).call(truth, output))
    assert loss == pytest.approx([by_hand(t, o, classes) for t, o in zip(truth, output, strict=True)], rel=2e-4)


def test_every_box_has_a_position_however_small_it_is():
    """Sides of a fiftieth of the distance between positions: heat underflows everywhere."""
    truth = np.full((1, 2, 5), -1.0, np.float32)
    truth[0, 0] = (0.3, 0.3, 0.3025, 0.3025, 0)
    heat = heat_of(ANCHORS[None], truth, 1)
    place = int(np.argmax(np.asarray(heat.middle)[0, :, 0]))
    assert (place // 8, place % 8) == (2, 2)
    assert np.asarray(heat.weight)[0].sum() == pytest.approx(1)
    assert np.asarray(heat.box)[0, place] == pytest.approx(truth[0, 0, :4])


def test_gradient_is_finite_and_leaves_positions_alone():
    import tensorflow as tf

    truth, output = some(1, 3)
    tensor = tf.Variable(output)
    with tf.GradientTape() as tape:
        loss = keras.ops.mean(PointsLoss(3).call(truth, tensor))
    gradient = tape.gradient(loss, tensor).numpy()
    assert np.isfinite(gradient).all()
    assert not gradient[..., 4:8].any()
    assert not gradient[0, :, :4].any(), "an image without boxes says nothing of sides"
    assert gradient[1:, :, :4].any() and gradient[..., 8:].any()


def test_boxes_are_counted_where_the_labels_are_seen():
    scenes = load_contract(ROOT / "schemas/contracts/scenes.yaml")
    label = np.full((10, 4, 5), -1.0, np.float32)
    for digit in range(10):
        label[digit, : 1 + digit % 2] = (0.1, 0.1, 0.4, 0.3, digit)
    task = Detection.fitted(scenes, LabelStatistics.of(scenes, [label[:3], label[3:]]), TaskSettings())
    assert task.usual == 1.5
    assert task.found_by("points", 10, 0.5, 0.05).loss().usual == 1.5
    assert type(task.loss()).__name__ == "DetectionLoss"
