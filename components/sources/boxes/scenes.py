"""Scenes of one to four handwritten digits, drawn from the bundled drawings of digits, always the same ones.

A drawing is enlarged to 12 to 28 pixels and put where it hardly covers another; its box goes around its ink. Drawings
of the test scenes are in no training scene.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.paths import find_files
from kilnworks.schemas.boxes import Box, written

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

SPLITS = {"train": 0.8, "val": 0.1, "test": 0.1}
"""Share of the scenes, and of the drawings, of each split."""
SMALLEST, LARGEST = 12, 28
"""Sides of an enlarged drawing, in pixels."""
MOST = 4
"""Digits of a scene."""
COVERED = 0.1
"""Share of the smaller of two boxes that the other may cover."""
TRIES = 30
INK = 40
"""Pixels above this belong to a digit, of 0 to 255."""
NOISE = 12


class ScenesSource(Source):
    """Grey scenes ``image`` [side, side, 1], ``boxes`` and ``id``, of drawings [8, 8] with their digits."""

    kind: Literal["scenes"] = "scenes"
    path: str
    """A Parquet file with ``image`` (64 numbers from 0 to 16) and ``digit``; relative to the current directory, in a
    definition to the project."""
    count: int = Field(default=2000, ge=20)
    """Scenes."""
    side: int = Field(default=64, ge=2 * LARGEST)
    """Height and width of a scene, in pixels."""
    seed: int = Field(default=0, ge=0)
    """Decides the scenes."""

    def files(self) -> list[Path]:
        """The drawings."""
        return find_files(self.path, (".parquet",))

    def splits(self) -> tuple[str, ...]:
        """Train, val and test."""
        return tuple(SPLITS)

    def column_names(self, split: str | None = None) -> list[str]:
        """Id, pixels and boxes."""
        return ["id", "image", "boxes"]

    def batches(self, names: list[str], wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """Draw batch by batch."""
        import numpy as np
        import polars as pl

        for part in [split] if split else list(SPLITS):
            rng = np.random.default_rng([self.seed, list(SPLITS).index(part)])
            drawings, digits = self._drawings(part)
            start, end = self._ids(part)
            while start < end:
                size = min(end - start, wanted.batch_rows, 4096)
                made = [_scene(drawings, digits, self.side, rng) for _ in range(size)]
                pixels = np.stack([image for image, _ in made]).reshape(size, -1)
                frame = pl.DataFrame(
                    {
                        "id": np.arange(start, start + size),
                        "image": pixels,
                        "boxes": [written(boxes) for _, boxes in made],
                    }
                )
                yield frame.select(names)
                start += size

    def _ids(self, split: str) -> tuple[int, int]:
        """The first id of a split, and the one behind its last."""
        place, shares = list(SPLITS).index(split), list(SPLITS.values())
        first, behind = (round(self.count * sum(shares[:until])) for until in (place, place + 1))
        return first, behind

    def _drawings(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """Drawings [n, 8, 8] from 0 to 255, and their digits [n], of a split."""
        import numpy as np
        import polars as pl

        table = pl.read_parquet(self.files()[0], columns=["image", "digit"], glob=False)
        images = table["image"].to_numpy().reshape(-1, 8, 8).astype(np.float32) * (255 / 16)
        turn = np.arange(len(images)) % 10
        chosen = {"train": turn < 8, "val": turn == 8, "test": turn == 9}[split]
        return images[chosen], table["digit"].to_numpy()[chosen]


def _scene(
    drawings: np.ndarray, digits: np.ndarray, side: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[Box]]:
    """Pixels uint8 [side, side], and the boxes."""
    import numpy as np
    from PIL import Image

    canvas = rng.integers(0, NOISE, (side, side)).astype(np.float32)
    placed: list[tuple[int, int, int, int]] = []
    boxes: list[Box] = []
    for _ in range(int(rng.integers(1, MOST + 1))):
        one, size = int(rng.integers(len(drawings))), int(rng.integers(SMALLEST, LARGEST + 1))
        drawn = np.asarray(Image.fromarray(drawings[one]).resize((size, size), Image.Resampling.BICUBIC))
        ink = np.clip(drawn, 0, 255) > INK
        down, across = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
        high, wide = int(down[-1] - down[0] + 1), int(across[-1] - across[0] + 1)
        cut = np.clip(drawn, 0, 255)[down[0] : down[0] + high, across[0] : across[0] + wide]
        for _ in range(TRIES):
            top, left = int(rng.integers(0, side - high + 1)), int(rng.integers(0, side - wide + 1))
            where = (top, left, top + high, left + wide)
            if all(_covered(where, other) <= COVERED for other in placed):
                canvas[top : top + high, left : left + wide] = np.maximum(
                    canvas[top : top + high, left : left + wide], cut
                )
                placed.append(where)
                boxes.append(Box(str(int(digits[one])), *(edge / side for edge in where)))
                break
    return canvas.round().astype(np.uint8), boxes


def _covered(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> float:
    """Intersection over the smaller area."""
    high = min(one[2], other[2]) - max(one[0], other[0])
    wide = min(one[3], other[3]) - max(one[1], other[1])
    if high <= 0 or wide <= 0:
        return 0.0
    areas = [(a[2] - a[0]) * (a[3] - a[1]) for a in (one, other)]
    return high * wide / min(areas)
