"""Overlap of boxes ``[top, left, bottom, right]``, with ``keras.ops``; any unit, the same one on both sides."""

from __future__ import annotations

from typing import Any

from keras import ops

SMALL = 1e-9


def areas(boxes: Any) -> Any:
    """Of boxes [..., 4] the area [...]; 0 for one that is turned inside out."""
    high = ops.maximum(boxes[..., 2] - boxes[..., 0], 0.0)
    return high * ops.maximum(boxes[..., 3] - boxes[..., 1], 0.0)


def pairwise_iou(one: Any, other: Any) -> Any:
    """Intersection over union of every pair of [N, A, 4] and [N, G, 4]: [N, A, G]; 0 where neither has an area."""
    left, right = one[:, :, None, :], other[:, None, :, :]
    high = ops.minimum(left[..., 2], right[..., 2]) - ops.maximum(left[..., 0], right[..., 0])
    wide = ops.minimum(left[..., 3], right[..., 3]) - ops.maximum(left[..., 1], right[..., 1])
    both = ops.maximum(high, 0.0) * ops.maximum(wide, 0.0)
    either = areas(left) + areas(right) - both
    return both / ops.maximum(either, SMALL)


def giou(one: Any, other: Any) -> Any:
    """Generalized intersection over union of [..., 4] and [..., 4], one by one, -1 to 1 (Rezatofighi et al. 2019)."""
    high = ops.minimum(one[..., 2], other[..., 2]) - ops.maximum(one[..., 0], other[..., 0])
    wide = ops.minimum(one[..., 3], other[..., 3]) - ops.maximum(one[..., 1], other[..., 1])
    both = ops.maximum(high, 0.0) * ops.maximum(wide, 0.0)
    either = areas(one) + areas(other) - both
    around = (ops.maximum(one[..., 2], other[..., 2]) - ops.minimum(one[..., 0], other[..., 0])) * (
        ops.maximum(one[..., 3], other[..., 3]) - ops.minimum(one[..., 1], other[..., 1])
    )
    around = ops.maximum(around, SMALL)
    return both / ops.maximum(either, SMALL) - (around - either) / around
