"""Whether photographs are cut into tiles, and how large these are, so that the usual box is seen large enough."""

from __future__ import annotations

import math

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


def tiling(sizes: list[tuple[int, int]], boxes: np.ndarray) -> Tiles | None:
    """How photographs are cut; None where they are seen whole.

    Args:
        sizes: height and width of the photographs, in pixels.
        boxes: height and width of boxes, in pixels, [n, 2].
    """
    usual = float(np.median(np.sqrt(boxes.prod(axis=1))))
    longer = float(np.median([max(size) for size in sizes]))
    if usual * min(SIDES[1] / longer, GROWN) >= SMALL:
        return None
    side = min(4096, max(32, round(SEEN / min(BOX / usual, GROWN))))
    if side >= longer:
        return None
    large = float(np.quantile(boxes.max(axis=1), LARGE))
    tiles = Tiles(side=side, overlap=min(side // 2, math.ceil(ROOM * large)))
    return tiles if sum(len(tiles.of("", *size)) for size in sizes) <= MOST else None
