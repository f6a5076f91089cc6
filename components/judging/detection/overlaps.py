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
    found: list[int] = []
    for number in np.unique(labels):
        own = order[labels[order] == number]
        shared, left = iou(boxes[own], boxes[own]), np.ones(len(own), bool)
        for i in range(len(own)):
            if left[i]:
                found.append(int(own[i]))
                left[i + 1 :] &= shared[i, i + 1 :] <= overlap
    chosen = np.array(found, np.int64)
    return chosen[np.argsort(-scores[chosen], kind="stable")]
