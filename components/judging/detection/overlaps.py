"""How much boxes overlap, and suppression of those that overlap a surer one; NumPy, for boxes that were answered."""

from __future__ import annotations

import numpy as np

Floats = np.ndarray


def iou(one: Floats, other: Floats) -> Floats:
    """Intersection over union of boxes [D, 4] and [G, 4], top, left, bottom, right: [D, G]."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    low, high = np.maximum(one[:, None, :2], other[None, :, :2]), np.minimum(one[:, None, 2:], other[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (one, other)]
    either = areas[0][:, None] + areas[1][None] - both
    return np.divide(both, either, out=np.zeros_like(both), where=either > 0)


def kept(boxes: Floats, scores: Floats, labels: np.ndarray, overlap: float) -> np.ndarray:
    """Which boxes [D] stay where, class by class, one that overlaps a surer one by more than ``overlap`` is left out.

    Args:
        boxes: top, left, bottom, right in one unit, [D, 4].
        scores: how sure, [D].
        labels: of each, [D]; anything that can be compared.
        overlap: intersection over union.

    Returns:
        Their places, the surest first; of equal scores the first.
    """
    order = np.argsort(-scores, kind="stable")
    alike = (order[labels[order] == number] for number in np.unique(labels))
    chosen = np.concatenate([np.zeros(0, np.int64), *(own[_apart(boxes[own], overlap)] for own in alike)])
    return chosen[np.argsort(-scores[chosen], kind="stable")]


def _apart(boxes: Floats, overlap: float) -> np.ndarray:
    """Which boxes [D] of a class stay, the surest first: bool [D]. Each is held against those alone that begin near it,
    from the top of the image: all pairs of a large photograph need more memory than there is.
    """
    left, down = np.ones(len(boxes), bool), np.argsort(boxes[:, 0], kind="stable")
    tops, tallest = boxes[down, 0], float((boxes[:, 2] - boxes[:, 0]).max(initial=0))
    first, last = np.searchsorted(tops, boxes[:, 0] - tallest), np.searchsorted(tops, boxes[:, 2], "right")
    for i in range(len(boxes)):
        if left[i]:
            near = down[first[i] : last[i]]
            near = near[(near > i) & left[near]]
            left[near] = iou(boxes[i : i + 1], boxes[near])[0] <= overlap
    return left
