"""The losses of the heads with anchors, each for a batch of outputs [N, A, 8 + C] and true boxes [N, G, 5].

An output is a box and the anchor it started from, in shares, then logits; a true box its sides and its class, -1 for
none. Which anchors answer for which true box (``matched``)::

    retina, ssd   IoU of anchor and box >= 0.5, and for each box the best anchor; retina ignores 0.4 to 0.5
    yolo          for each box the best anchor; others with IoU >= 0.5 are ignored

What they say of classes is learned by focal loss (Lin et al. 2017), softmax with three hard negatives for a positive
(Liu et al. 2016), or objectness beside classes (Redmon & Farhadi 2018); their boxes by ``1 - GIoU``. The sum over the
anchors of an image is divided by its positives.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
from keras import ops

from kilnworks.components.tasks.detection.geometry import giou, pairwise_iou
from kilnworks.components.tasks.detection.heads import Head

POSITIVE, NEGATIVE = 0.5, 0.4
ALPHA, GAMMA = 0.25, 2.0
"""Weight of positives, and how far what is learned already counts less (Lin et al. 2017)."""
HARD, FEWEST = 3, 8
"""Negatives for each positive, and those of an image at least."""
BOX = 2.0
"""Weight of the boxes."""


class Matches(NamedTuple):
    """What each anchor [N, A] answers for: positive or ignored, as 0 and 1; box [N, A, 4] and class [N, A]."""

    positive: Any
    ignored: Any
    box: Any
    number: Any


def matched(anchors: Any, truth: Any, head: Head) -> Matches:
    """Which anchors [N, A, 4] answer for which true boxes [N, G, 5]."""
    there = ops.cast(truth[..., 4] >= 0, "float32")
    iou = pairwise_iou(anchors, truth[..., :4]) * there[:, None, :]
    best = ops.max(iou, axis=1, keepdims=True)
    chosen = ops.cast((iou >= best) & (iou > 0), "float32")
    which = ops.argmax(iou + 2.0 * chosen, axis=2)
    forced, overlap = ops.max(chosen, axis=2), ops.max(iou, axis=2)
    near = ops.cast(overlap >= POSITIVE, "float32")
    if head == "yolo":
        positive, ignored = forced, near * (1 - forced)
    else:
        positive = ops.maximum(near, forced)
        least = NEGATIVE if head == "retina" else POSITIVE
        ignored = ops.cast(overlap >= least, "float32") * (1 - positive)
    own = ops.take_along_axis(truth, which[:, :, None], axis=1)
    return Matches(positive, ignored, own[..., :4], own[..., 4])


class DetectionLoss(keras.losses.Loss):
    """Loss of each image [N]: what is said of classes, and ``BOX`` times ``1 - GIoU`` of positives.

    Args:
        head: whose.
        classes: K; logits are K for ``retina``, 1 + K for ``ssd`` (the first is background) and ``yolo`` (the first is
            objectness).
    """

    def __init__(self, head: Head, classes: int) -> None:
        super().__init__(name=f"{head}_loss")
        self.head, self.classes = head, classes

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """See the class."""
        truth, output = ops.cast(y_true, "float32"), ops.cast(y_pred, "float32")
        found = matched(ops.stop_gradient(output[..., 4:8]), truth, self.head)
        positives = ops.sum(found.positive, axis=1)
        says = {"retina": self._focal, "ssd": self._softmax, "yolo": self._objectness}[self.head]
        boxes = ops.sum(found.positive * (1 - giou(output[..., :4], found.box)), axis=1)
        return (says(output[..., 8:], found, positives) + BOX * boxes) / ops.maximum(positives, 1.0)

    def _one_hot(self, found: Matches) -> Any:
        """The class of positives, [N, A, K]; zeros for others."""
        number = ops.cast(ops.maximum(found.number, 0.0), "int32")
        return ops.one_hot(number, self.classes, dtype="float32") * found.positive[..., None]

    def _focal(self, logits: Any, found: Matches, positives: Any) -> Any:
        target = self._one_hot(found)
        right = ops.sigmoid(logits) * target + ops.sigmoid(-logits) * (1 - target)
        weight = (ALPHA * target + (1 - ALPHA) * (1 - target)) * (1 - right) ** GAMMA
        each = ops.sum(weight * _crossentropy(target, logits), axis=2)
        return ops.sum(each * (1 - found.ignored), axis=1)

    def _softmax(self, logits: Any, found: Matches, positives: Any) -> Any:
        says = ops.log_softmax(logits, axis=-1)
        of_class = -ops.sum(self._one_hot(found) * says[..., 1:], axis=2)
        background = -says[..., 0] * (1 - found.positive)
        order = ops.argsort(ops.argsort(-ops.stop_gradient(background), axis=1), axis=1)
        count = ops.maximum(HARD * positives, float(FEWEST))
        hard = ops.cast(ops.cast(order, "float32") < count[:, None], "float32")
        return ops.sum(of_class + background * hard, axis=1)

    def _objectness(self, logits: Any, found: Matches, positives: Any) -> Any:
        there = _crossentropy(found.positive, logits[..., 0]) * (1 - found.ignored)
        of_class = ops.sum(_crossentropy(self._one_hot(found), logits[..., 1:]), axis=2) * found.positive
        return ops.sum(there + of_class, axis=1)


def _crossentropy(target: Any, logits: Any) -> Any:
    """Binary cross-entropy of logits, element by element, in nats."""
    return ops.softplus(logits) - target * logits


def class_scores(output: Any, head: Head) -> Any:
    """How sure an output [N, A, 8 + C] is of each class, 0 to 1: [N, A, K]."""
    logits = output[..., 8:]
    if head == "ssd":
        return ops.softmax(logits, axis=-1)[..., 1:]
    if head == "yolo":
        return ops.sigmoid(logits[..., :1]) * ops.sigmoid(logits[..., 1:])
    return ops.sigmoid(logits)
