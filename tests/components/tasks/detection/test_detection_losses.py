"""Losses, shapes and answers of detection against loops written out."""

import math
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from kilnworks.components.tasks.detection.geometry import giou, pairwise_iou
from kilnworks.components.tasks.detection.losses import ALPHA, BOX, FEWEST, GAMMA, HARD, DetectionLoss, class_scores
from kilnworks.components.tasks.detection.shapes import overlaps, usual_shapes
from kilnworks.components.tasks.detection.task import Detection
from kilnworks.components.tasks.labels import LabelStatistics
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.components.tasks.settings import TaskSettings
from kilnworks.pipelines.core.chains import ROOT
from kilnworks.schemas.contract import load_contract
from kilnworks.schemas.errors import ConfigError


def overlap(a, b):
    high, wide = max(0.0, min(a[2], b[2]) - max(a[0], b[0])), max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - high * wide
    return high * wide / union


def generalized(a, b):
    around = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    high, wide = max(0.0, min(a[2], b[2]) - max(a[0], b[0])), max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - high * wide
    return high * wide / union - (around - union) / around


def some(seed, images=3, anchors=40, classes=3, logits=3):
    rng = np.random.default_rng(seed)

    def boxes(*shape):
        low = rng.random((*shape, 2)) * 0.6
        return np.concatenate([low, low + 0.1 + rng.random((*shape, 2)) * 0.3], axis=-1)

    truth = np.full((images, 4, 5), -1.0)
    for i in range(images):
        truth[i, : i + 1, :4] = boxes(i + 1)
        truth[i, : i + 1, 4] = rng.integers(classes, size=i + 1)
    truth[0] = -1.0  # an image without boxes
    fixed = boxes(images, anchors)
    for i in range(1, images):  # some that fit
        fixed[i, :3] = truth[i, 0, :4] + rng.normal(0, 0.02, (3, 4))
    output = np.concatenate([boxes(images, anchors), fixed, rng.normal(0, 2, (images, anchors, logits))], axis=-1)
    return truth.astype(np.float32), output.astype(np.float32)


def by_hand(head, truth, output, classes):
    """One image, anchor by anchor."""
    real = [row for row in truth.astype(float) if row[4] >= 0]
    out = output.astype(float)
    table = [[overlap(anchor[4:8], box) for box in real] for anchor in out]
    best = {g: max(range(len(out)), key=lambda a, g=g: table[a][g]) for g in range(len(real))}
    best = {g: a for g, a in best.items() if table[a][g] > 0}
    total, positives, background = 0.0, 0, []
    for a, anchor in enumerate(out):
        forced = [g for g, winner in best.items() if winner == a]
        near = max(table[a], default=0.0)
        own = max(forced, key=lambda g: table[a][g]) if forced else None
        if own is None and head != "yolo" and near >= 0.5:
            own = table[a].index(near)
        positives += own is not None
        if own is not None:
            total += BOX * (1 - generalized(anchor[:4], real[own]))
        logits = anchor[8:]
        sigmoid = [1 / (1 + math.exp(-x)) for x in logits]
        if head == "retina":
            if own is None and near >= 0.4:
                continue
            for k in range(classes):
                is_it = own is not None and int(real[own][4]) == k
                p = sigmoid[k] if is_it else 1 - sigmoid[k]
                total -= (ALPHA if is_it else 1 - ALPHA) * (1 - p) ** GAMMA * math.log(p)
        elif head == "ssd":
            shares = np.exp(logits) / np.exp(logits).sum()
            if own is not None:
                total -= math.log(shares[1 + int(real[own][4])])
            else:
                background.append(-math.log(shares[0]))
        else:
            if own is not None:
                total -= math.log(sigmoid[0])
                for k in range(classes):
                    total -= math.log(sigmoid[1 + k] if int(real[own][4]) == k else 1 - sigmoid[1 + k])
            elif near < 0.5:
                total -= math.log(1 - sigmoid[0])
    total += sum(sorted(background, reverse=True)[: max(HARD * positives, FEWEST)])
    return total / max(positives, 1)


@pytest.mark.parametrize("head", ["retina", "ssd", "yolo"])
@pytest.mark.parametrize("seed", range(4))
def test_loss_is_that_of_a_loop(head, seed):
    truth, output = some(seed, logits=3 + (head != "retina"))
    loss = np.asarray(DetectionLoss(head, 3).call(truth, output))
    wanted = [by_hand(head, t, o, 3) for t, o in zip(truth, output, strict=True)]
    assert loss == pytest.approx(wanted, rel=2e-4)


def test_overlaps_are_those_of_a_loop():
    truth, output = some(7)
    one, other = output[1:, :, :4], truth[1:, :2, :4]
    found = np.asarray(pairwise_iou(one, other))
    each = np.asarray(giou(one, output[1:, :, 4:8]))
    for i in range(2):
        for a in range(40):
            assert each[i, a] == pytest.approx(generalized(one[i, a], output[1 + i, a, 4:8]), abs=1e-5)
            if truth[1 + i, 1, 4] >= 0 and truth[1 + i, 0, 4] >= 0:
                assert found[i, a] == pytest.approx([overlap(one[i, a], b) for b in other[i]], abs=1e-5)


@pytest.mark.parametrize("head", ["retina", "ssd", "yolo"])
def test_gradient_is_finite_and_leaves_anchors_alone(head):
    import tensorflow as tf

    truth, output = some(1, logits=3 + (head != "retina"))
    tensor = tf.Variable(output)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(DetectionLoss(head, 3).call(truth, tensor))
    gradient = tape.gradient(loss, tensor).numpy()
    assert np.isfinite(gradient).all()
    assert not gradient[..., 4:8].any()
    assert gradient[..., :4].any()
    assert gradient[..., 8:].any()


def test_scores_lie_between_0_and_1():
    _, output = some(0, logits=4)
    softmax = np.asarray(class_scores(output, "ssd"))
    assert (softmax.sum(axis=-1) < 1).all()
    yolo = np.asarray(class_scores(output, "yolo"))
    assert yolo == pytest.approx(np.asarray(keras.ops.sigmoid(output[..., 8:9]) * keras.ops.sigmoid(output[..., 9:])))


def test_shapes_are_nearer_than_those_of_quantiles():
    rng = np.random.default_rng(0)
    groups = [(0.1, 0.3), (0.3, 0.1), (0.05, 0.05), (0.5, 0.4)]
    sizes = np.concatenate([np.exp(rng.normal(0, 0.1, (50, 2))) * group for group in groups])
    shapes = usual_shapes(sizes)
    by_area = sizes[np.argsort(sizes.prod(axis=1))][(np.arange(len(shapes)) + 1) * len(sizes) // (len(shapes) + 1)]
    assert overlaps(sizes, shapes).max(axis=1).mean() > max(0.75, overlaps(sizes, by_area).max(axis=1).mean())
    assert len(shapes) <= 6
    assert (np.diff(shapes.prod(axis=1)) >= 0).all()
    assert usual_shapes(sizes[:1]).tolist() == sizes[:1].tolist()
    assert usual_shapes(sizes).tolist() == shapes.tolist()


def test_a_detector_wants_boxes():
    with pytest.raises(ConfigError, match="a detector for label 'digit', which is no boxes"):
        Detection.of(load_contract(ROOT / "schemas/contracts/digits.yaml"))
    scenes = load_contract(ROOT / "schemas/contracts/scenes.yaml")
    with pytest.raises(ConfigError, match=r"gives \[64\] for an image(.|\n)*\[anchors, 18\]"):
        Detection.of(scenes).head(SimpleNamespace(shape=(None, 64)), LayerNames(set()))
    with pytest.raises(ConfigError, match="label_smoothing for a detection"):
        Detection.fitted(scenes, LabelStatistics.of(scenes, []), TaskSettings(label_smoothing=0.1))
