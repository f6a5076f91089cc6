"""Large photographs as rows of tiles that overlap, and which boxes belong to which tile.

::

    |-- side --|
    |==========|      a tile; the last one of a row is moved back, so that it ends with the photograph
          |==========|
          |----|      overlap: what lies there is in both
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import Field, model_validator

from kilnworks.components.sources.columns import Column
from kilnworks.components.sources.image_files import refuse_no_image
from kilnworks.schemas.boxes import Box
from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import DataUnreadable
from kilnworks.schemas.tiles import Tile

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from PIL.Image import Image

    from kilnworks.components.sources.images import FileFacts


class Tiles(Config):
    """How photographs are cut: squares of ``side`` pixels that share ``overlap`` pixels with the next one."""

    side: int = Field(ge=32, le=4096)
    """Height and width of a tile in pixels of the photograph; one that is smaller is filled with black."""
    overlap: int = Field(default=0, ge=0)
    """Pixels that a tile shares with the next one, at least, and at most half of the side. What is no larger than that
    is whole in one of them."""

    @model_validator(mode="after")
    def _half_at_most(self) -> Self:
        if self.overlap > self.side // 2:
            raise ValueError(f"overlap {self.overlap}: at most half of the side, {self.side // 2}")
        return self

    def of(self, photo: str, height: int, width: int) -> list[Tile]:
        """The tiles of a photograph of this size in pixels, row by row."""
        starts = [self._starts(length) for length in (height, width)]
        return [Tile(photo, left, top, self.side, self.side) for top in starts[0] for left in starts[1]]

    def _starts(self, length: int) -> list[int]:
        last = max(0, length - self.side)
        return [*range(0, last, self.side - self.overlap), last]


def boxes_in(tile: Tile, boxes: Sequence[Box], height: int, width: int) -> list[Box]:
    """The boxes of a photograph [``height``, ``width``] whose middle lies in a tile, cut at its edges, in its shares.

    A box without an area, or that reaches out of the photograph, comes out so, for the checks: with its shares of the
    photograph, in the first tile.
    """
    found = []
    for box in boxes:
        if box.outside or box.empty:
            found += [box] if (tile.left, tile.top) == (0, 0) else []
            continue
        inside = Box(
            box.name,
            (box.top * height - tile.top) / tile.height,
            (box.left * width - tile.left) / tile.width,
            (box.bottom * height - tile.top) / tile.height,
            (box.right * width - tile.left) / tile.width,
        )
        middle = ((inside.top + inside.bottom) / 2, (inside.left + inside.right) / 2)
        if all(0 <= round(place, 6) < 1 for place in middle) and not (cut := inside.clipped()).empty:
            found.append(cut)
    return found


def read_tiles(parts: Sequence[tuple[Path, Tile]], column: Column) -> list[pl.Series]:
    """Columns of the pixels of tiles and of what their files held; a file is opened once for tiles in a row.

    Raises:
        DataInvalid: the contract says that the column holds something else.
        DataUnreadable: naming the files that are broken, all at once.
    """
    import numpy as np

    from kilnworks.components.sources.images import (
        MODES,
        broken_images,
        facts_columns,
        open_image,
        pixels_series,
    )

    refuse_no_image(column)
    pixels = np.empty((len(parts), *column.shape), dtype=np.uint8)
    facts: list[FileFacts] = []
    broken: list[str] = []
    for file, rows in groupby(range(len(parts)), key=lambda row: parts[row][0]):
        try:
            photo, found = open_image(file.read_bytes(), str(file), MODES[column.shape[2]])
        except DataUnreadable as error:
            broken.append(error.got)
            continue
        for row in rows:
            tile = parts[row][1]
            pixels[row] = pixels_of(photo, tile, column.shape)
            facts.append(replace(found, height=tile.height, width=tile.width))
    if broken:
        raise broken_images(broken)
    return [pixels_series(column, pixels), *facts_columns(column, facts)]


def pixels_of(photo: Image, tile: Tile, shape: tuple[int, ...]) -> np.ndarray:
    """A tile of an open photograph, uint8 [H, W, C], resized (antialiased) to ``shape``; black beyond its edges."""
    import numpy as np
    from PIL import Image

    height, width, channels = shape
    part = photo.crop((tile.left, tile.top, tile.left + tile.width, tile.top + tile.height))
    if part.size != (width, height):
        part = part.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(part, dtype=np.uint8).reshape(height, width, channels)
