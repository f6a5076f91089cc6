"""What an annotation file says of one image, in pixels, and how it becomes boxes in shares."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from kilnworks.components.sources.image_files import images_below
from kilnworks.components.sources.paths import listed
from kilnworks.schemas.boxes import Box
from kilnworks.schemas.errors import DataUnreadable

ASPECT = 0.02
"""How far the ratio of an annotated height and width may be from that of the image, to be of the same image."""


class PixelBox(NamedTuple):
    """A box in pixels from the top left corner."""

    name: str
    xmin: float
    ymin: float
    xmax: float
    ymax: float


@dataclass
class Annotated:
    """An image as an annotation file tells of it.

    Attributes:
        file: its name there.
        boxes: in pixels.
        height, width: of the image that was annotated, where the file says it; else 0.
        near: the folder of the annotation file, where names count from first.
    """

    file: str
    boxes: list[PixelBox] = field(default_factory=list)
    height: float = 0.0
    width: float = 0.0
    near: Path | None = None

    def shares(self, height: int, width: int, *, mend: bool) -> list[Box]:
        """The boxes in shares of the sides, given those of the image as it lies there, in pixels.

        Sides that were annotated count, where the image was only enlarged or reduced since. ``mend`` cuts boxes at the
        edges, and leaves out what is then empty.
        """
        high, wide = float(height), float(width)
        if self.height > 0 and self.width > 0 and _alike(self.height / self.width, height / width):
            high, wide = self.height, self.width
        found = [Box(b.name, b.ymin / high, b.xmin / wide, b.ymax / high, b.xmax / wide) for b in self.boxes]
        return [cut for box in found if not (cut := box.clipped()).empty] if mend else found


def _alike(one: float, other: float) -> bool:
    return abs(math.log(one / other)) < ASPECT


class Images:
    """Image files below a folder, found by the names that annotation files give them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = images_below(root)
        self._known = set(self.files)
        self._by_path = {file.relative_to(root).as_posix(): file for file in self.files}
        self._by_name: dict[str, list[Path]] = {}
        self._by_stem: dict[str, list[Path]] = {}
        for file in self.files:
            self._by_name.setdefault(file.name, []).append(file)
            self._by_stem.setdefault(file.stem, []).append(file)

    def of(self, annotated: Sequence[Annotated]) -> list[Path]:
        """The file of each: by its path from the annotations, or below the folder, by its name, or without its ending.

        Raises:
            DataUnreadable: images that are missing, of whose name there are several, or that are annotated twice.
        """
        found = [self._hits(one) for one in annotated]
        absent = [one.file for one, hits in zip(annotated, found, strict=True) if not hits]
        if absent:
            raise DataUnreadable(
                f"{len(absent)} of {len(found)} annotated images are not below {self.root}: {listed(absent)}",
                "every image that the annotations name",
                "check `folder`, or take the annotations of these images out",
            )
        several = [one.file for one, hits in zip(annotated, found, strict=True) if len(hits) > 1]
        if several:
            raise DataUnreadable(
                f"several images below {self.root} are called {listed(several)}",
                "one image for each name",
                "write the path below the folder into the annotations, or set `folder`",
            )
        files = [hits[0] for hits in found]
        twice = [str(file) for file, count in Counter(files).items() if count > 1]
        if twice:
            raise DataUnreadable(
                f"annotated more than once: {listed(twice)}", "each image in one place", "give one file of annotations"
            )
        return files

    def _hits(self, one: Annotated) -> list[Path]:
        path = Path(one.file.replace("\\", "/"))
        near = one.near / path if one.near else None
        if near is not None and near in self._known:
            return [near]
        exact = self._by_path.get(path.as_posix())
        return [exact] if exact else self._by_name.get(path.name) or self._by_stem.get(path.stem) or []


def upright_size(file: Path) -> tuple[int, int]:
    """Height and width of an image as it is to be seen, from its header. Raises ``DataUnreadable`` for no image."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # twice as large is refused
            opened = Image.open(file)
        with opened:
            turned = opened.getexif().get(0x0112, 1) in range(5, 9)
            return (opened.width, opened.height) if turned else (opened.height, opened.width)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataUnreadable(
            f"{file}: {type(error).__name__}: {error}", "an image that can be read", "replace or remove it"
        ) from None
