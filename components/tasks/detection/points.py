"""The loss of the head ``points``: what is at a position, and how large, is learned where the middles of boxes are.

::

    heat of a box   exp(-(dy^2 / sy^2 + dx^2 / sx^2) / 2) around its middle; sy, sx: 0.16 of its height and width
    classes         at the position nearest to a middle 1; elsewhere 0, and counting less where there is heat
    sides           1 - GIoU, by heat; all positions of a box together count 1

Classes are learned as in CenterNet (Zhou et al. 2019, "Objects as Points"), sides from all positions around a middle,
as in TTFNet (Liu et al. 2020, "Training-Time-Friendly Network"), which takes fewer steps.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import ops

from kilnworks.components.tasks.detection.geometry import giou

SPREAD = 0.16
"""Standard deviation of the heat of a box, as a share of its sides."""
COLD = 0.01
"""Less heat than this counts as none."""
FOCUS, AWAY = 2.0, 4.0
"""How far what is learned already counts less, and what lies near a middle (Zhou et al. 2019)."""
BOX = 5.0
"""Weight of the sides (Liu et al. 2020)."""


class Heat(NamedTuple):
    """What each position [N, A] is near to: classes [N, A, K] from 0 to 1, box [N, A, 4] and its weight [N, A]."""

    classes: Any
    middle: Any
    box: Any
    weight: Any


def heat_of(anchors: Any, truth: Any, classes: int) -> Heat:
    """Of anchors [N, A, 4] and true boxes [N, G, 5], of which those of class -1 are none; sides in shares.

    ``middle`` [N, A, K] is 1 at the position nearest to the middle of a box of the class, else 0.
    """
    there = ops.cast(truth[..., 4] >= 0, "float32")[:, None]
    boxes = truth[..., :4]
    at = (anchors[..., :2] + anchors[..., 2:]) / 2
    middles, sides = (boxes[..., :2] + boxes[..., 2:]) / 2, ops.maximum(boxes[..., 2:] - boxes[..., :2], 1e-6)
    apart = (at[:, :, None] - middles[:, None]) / (SPREAD * sides)[:, None]
    far = ops.sum(apart**2, axis=-1) / 2
    nearest = ops.cast(far <= ops.min(far, axis=1, keepdims=True), "float32") * there
    heat = ops.maximum(ops.exp(-far), nearest) * there
    heat = ops.where(heat < COLD, 0.0, heat)
    own = ops.one_hot(ops.argmax(heat, axis=2), heat.shape[2], dtype="float32") * heat
    share = own / ops.maximum(ops.sum(own, axis=1, keepdims=True), 1e-6)
    number = ops.one_hot(ops.cast(ops.maximum(truth[..., 4], 0.0), "int32"), classes, dtype="float32")
    warm, middle = _of_classes(heat, number), _of_classes(nearest, number)
    which = ops.argmax(own, axis=2)
    return Heat(warm, middle, ops.take_along_axis(boxes, which[:, :, None], axis=1), ops.sum(share, axis=2))


def _of_classes(near: Any, number: Any) -> Any:
    """The largest of ``near`` [N, A, G] over the boxes of each class, by ``number`` [N, G, K]: [N, A, K].

    Class by class: all together would take N * A * G * K numbers.
    """
    return ops.stack([ops.max(near * number[:, None, :, k], axis=2) for k in range(number.shape[2])], axis=-1)


class PointsLoss(keras.losses.Loss):
    """Loss of each image [N]: outputs [N, A, 8 + K] against true boxes [N, G, 5]; in nats a box.

    Args:
        classes: K.
        usual: boxes of an image in the mean, by which all are divided: each box counts the same. Divided by its own
            boxes, an image with one of them would count as much as one with sixty.
    """

    def __init__(self, classes: int, usual: float = 1.0) -> None:
        super().__init__(name="points_loss")
        self.classes, self.usual = classes, usual

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """See the class."""
        truth, output = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        heat = heat_of(ops.stop_gradient(output[..., 4:8]), truth, self.classes)
        logits = output[..., 8:]
        sure = ops.sigmoid(logits)
        right = heat.middle * (1 - sure) ** FOCUS * ops.softplus(-logits)
        wrong = (1 - heat.middle) * (1 - heat.classes) ** AWAY * sure**FOCUS * ops.softplus(logits)
        said = ops.sum(right + wrong, axis=(1, 2))
        sides = ops.sum(heat.weight * (1 - giou(output[..., :4], heat.box)), axis=1)
        return (said + BOX * sides) / self.usual
