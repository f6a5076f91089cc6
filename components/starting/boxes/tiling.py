"""Whether photographs are cut into tiles, and how large these are, so that the usual box is seen large enough."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from kilnworks.components.sources.boxes.tiles import Tiles
from kilnworks.components.starting.boxes.sizes import BOX, GROWN, SIDES

SEEN = 256
"""Height and width of a tile as the model sees it, in pixels."""
SMALL = 13.0
"""Photographs are cut where the usual box would otherwise be smaller than so many pixels of what the model sees."""
MOST = 1000
"""Tiles of all photographs, at most; of more, training would take an hour and more on two cores."""
ROOM = 1.1
"""The overlap, as a multiple of the longer side of a large box."""
LARGE = 0.99
"""Which quantile of the longer sides a large box has."""


class Tiling(NamedTuple):
    """How photographs are cut.

    Attributes:
        tiles: None where they are seen whole.
        needed: tiles of all photographs; with ``tiles`` None those that would have been too many, or 0.
        seen: side of the usual box where a photograph is seen whole, in pixels.
    """

    tiles: Tiles | None
    needed: int
    seen: float


def tiling(sizes: list[tuple[int, int]], boxes: np.ndarray, of: np.ndarray) -> Tiling:
    """Whether photographs are cut, and how.

    Args:
        sizes: height and width of the photographs, in pixels.
        boxes: height and width of boxes, in pixels, [n, 2].
        of: number of the photograph of each box, [n].
    """
    usual = float(np.median(np.sqrt(boxes.prod(axis=1))))
    longer = np.array([max(size) for size in sizes], np.float64)[of]
    seen = float(np.median(np.sqrt(boxes.prod(axis=1)) * np.minimum(SIDES[1] / longer, GROWN)))
    side = min(4096, max(32, round(SEEN / min(BOX / usual, GROWN))))
    if seen >= SMALL or side >= float(np.median(longer)):
        return Tiling(None, 0, seen)
    large = float(np.quantile(boxes.max(axis=1), LARGE))
    tiles = Tiles(side=side, overlap=min(side // 2, math.ceil(ROOM * large)))
    count = sum(len(tiles.of("", *size)) for size in sizes)
    return Tiling(tiles if count <= MOST else None, count, seen)
