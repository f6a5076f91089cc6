"""Where anchors stand: usual shapes at every position of the map whose steps fit their size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

STRIDES = (4, 8, 16, 32)
"""Pixels between positions of the maps of the pyramid."""
FIT = 3.0
"""Strides that go into the side of a shape, at least, of the coarsest map that it may stand on."""

Shape = tuple[float, float]


def levels_of(shapes: Sequence[Shape], size: tuple[int, int]) -> dict[int, list[Shape]]:
    """The shapes (heights and widths in shares) of each stride, for images of ``size`` [height, width] in pixels."""
    largest = min(size) // 2
    found: dict[int, list[Shape]] = {}
    for high, wide in shapes:
        side = math.sqrt(high * size[0] * wide * size[1])
        fits = [stride for stride in STRIDES if stride * FIT <= side and stride <= largest]
        found.setdefault(max(fits, default=STRIDES[0]), []).append((high, wide))
    return dict(sorted(found.items()))


def points_of(levels: dict[int, list[Shape]]) -> dict[int, list[Shape]]:
    """One shape at each position of the finest map: the geometric mean of all, in shares."""
    shapes = [shape for some in levels.values() for shape in some]
    high, wide = (math.exp(sum(math.log(shape[i]) for shape in shapes) / len(shapes)) for i in (0, 1))
    return {min(levels): [(high, wide)]}


def anchors_of(levels: dict[int, list[Shape]], size: tuple[int, int]) -> np.ndarray:
    """Every anchor ``[top, left, bottom, right]`` in shares, float32 [A, 4]: by stride, row, column, shape."""
    import numpy as np

    parts = []
    for stride, shapes in levels.items():
        down, across = map_size(size, stride)
        centres = np.stack(
            np.meshgrid((np.arange(down) + 0.5) / down, (np.arange(across) + 0.5) / across, indexing="ij"), axis=-1
        )
        half = np.array(shapes) / 2
        low, high = centres[:, :, None] - half, centres[:, :, None] + half
        parts.append(np.concatenate([low, high], axis=-1).reshape(-1, 4))
    return np.concatenate(parts).astype(np.float32)


def map_size(size: tuple[int, int], stride: int) -> tuple[int, int]:
    """Height and width of a map: a halving rounds up."""
    high, wide = size
    for _ in range(int(math.log2(stride))):
        high, wide = -(-high // 2), -(-wide // 2)
    return high, wide
