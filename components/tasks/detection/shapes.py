"""Usual heights and widths of boxes: the shapes that anchors start from (dimension clusters, Redmon & Farhadi 2017)."""

from __future__ import annotations

import numpy as np

FEWEST, MOST = 2, 9
ENOUGH = 0.75
"""Mean overlap with the nearest shape at which no more shapes are needed."""
ROUNDS = 50


def overlaps(sizes: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """IoU of boxes [n, 2] and shapes [k, 2], heights and widths, around one centre: [n, k]."""
    both = np.minimum(sizes[:, None], shapes[None]).prod(axis=2)
    return np.asarray(both / (sizes.prod(axis=1)[:, None] + shapes.prod(axis=1)[None] - both))


def usual_shapes(sizes: np.ndarray) -> np.ndarray:
    """The fewest shapes, 2 to 9, whose nearest overlaps boxes of these sizes [n, 2] by ``ENOUGH`` in the mean.

    Sorted by area, [k, 2]; ``n`` is at least 1. The same sizes give the same shapes.
    """
    different = len(np.unique(sizes, axis=0))
    shapes = sizes[:1]
    for count in range(min(FEWEST, different), min(MOST, different) + 1):
        shapes = _clusters(sizes, count)
        if overlaps(sizes, shapes).max(axis=1).mean() >= ENOUGH:
            break
    return np.asarray(shapes[np.argsort(shapes.prod(axis=1), kind="stable")])


def _clusters(sizes: np.ndarray, count: int) -> np.ndarray:
    """k-means by overlap, from boxes at even steps of the area; a cluster's shape is the median of its boxes."""
    order = np.argsort(sizes.prod(axis=1), kind="stable")
    shapes = sizes[order[((np.arange(count) + 0.5) * len(sizes) / count).astype(int)]].astype(np.float64)
    before = None
    for _ in range(ROUNDS):
        nearest = overlaps(sizes, shapes).argmax(axis=1)
        if before is not None and (nearest == before).all():
            break
        for cluster in np.unique(nearest):
            shapes[cluster] = np.median(sizes[nearest == cluster], axis=0)
        before = nearest
    return shapes
