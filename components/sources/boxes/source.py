"""Images with boxes: a folder of images, and beside it CSV, XML of PASCAL VOC or JSON of COCO."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.boxes.coco import read_coco
from kilnworks.components.sources.boxes.drawn import Annotated, Images, upright_size
from kilnworks.components.sources.boxes.finding import annotations_below
from kilnworks.components.sources.boxes.table import read_table
from kilnworks.components.sources.boxes.tiles import Tiles, boxes_in, read_tiles
from kilnworks.components.sources.boxes.voc import read_voc
from kilnworks.components.sources.image_files import read_images
from kilnworks.components.sources.paths import local, missing_file
from kilnworks.components.sources.splitting.splits import NAMES
from kilnworks.schemas.boxes import written
from kilnworks.schemas.errors import DataUnreadable
from kilnworks.schemas.tiles import Tile

if TYPE_CHECKING:
    import polars as pl

    from kilnworks.schemas.boxes import Box

Row = tuple[Annotated, Path, Tile | None]


class BoxesSource(Source):
    """A row an image that is annotated, or a tile of it. Columns: ``image``, ``file``, ``boxes``, and of tiles
    ``photo``; their names can be set.

    ``file`` is the path below the folder of the images, a key where a contract wants one. Pixels are decoded, turned
    upright and resized; boxes become shares of the sides, so that nothing moves them.
    """

    kind: Literal["boxes"] = "boxes"
    path: str
    """The annotations: a ``.csv`` file (``image,xmin,ymin,xmax,ymax,label``), a ``.json`` file of COCO, or a folder
    with ``.xml`` of PASCAL VOC, one for each image, or with several of such files; relative to the current directory,
    in a definition to the project."""
    folder: str = ""
    """Where the images lie, to any depth; by default where the annotations lie."""
    mend: bool = False
    """Whether boxes that reach out of their image are cut at its edge, and those without an area are left out; else
    they fail the checks."""
    tiles: Tiles | None = None
    """How photographs are cut, of which each tile becomes a row; ``Tiles(side=400, overlap=100)``. A box belongs to
    every tile in which its middle lies, cut at the edge. None: a row is a whole image."""
    image: str = "image"
    """Name of the column with the pixels."""
    file: str = "file"
    """Name of the column with the path of the image; of a tile, with its place: ``a.png#xywh=400,0,400,400``."""
    photo: str = "photo"
    """Name of the column with the path alone, which there is for tiles: a split by it keeps those of one together."""
    boxes: str = "boxes"
    """Name of the column with the boxes."""

    def __str__(self) -> str:
        """The path, for messages."""
        return self.path

    def files(self) -> list[Path]:
        """The annotations, then the images in their order."""
        return [*self._annotations(), *self._images()]

    def fingerprint(self) -> str:
        """SHA-256 of the annotations, and of the names and bytes of the images."""
        total, root = hashlib.sha256(), self._folder()
        for file in self.files():
            name = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
            total.update(name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
        return total.hexdigest()

    def splits(self) -> tuple[str, ...]:
        """The splits, where the images lie in folders that are all named so."""
        found = {self._split_of(file) for file in self._images()}
        return () if None in found else tuple(name for name in ("train", "val", "test") if name in found)

    def _split_of(self, file: Path) -> str | None:
        return NAMES.get(file.relative_to(self._folder()).parts[0].lower())

    def column_names(self, split: str | None = None) -> list[str]:
        """Pixels, file and boxes; of tiles, the photograph besides."""
        return [self.image, self.file, self.boxes, *([self.photo] if self.tiles else [])]

    def frames(self, wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """Rows in the order of the annotations; files are passed over where the contract does not name them."""
        relaxed = Wanted(wanted.columns, wanted.ignore | {self.file, self.photo}, wanted.any_extra)
        yield from super().frames(relaxed, split)

    def batches(self, names: list[str], wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """Decode batch by batch. Raises ``DataUnreadable`` naming images that are missing or broken."""
        rows = self._rows(split)
        for start in range(0, len(rows), wanted.batch_rows):
            yield self._frame(rows[start : start + wanted.batch_rows], names, wanted)

    def _frame(self, rows: list[Row], names: list[str], wanted: Wanted) -> pl.DataFrame:
        import polars as pl

        root = self._folder()
        paths = [file.relative_to(root).as_posix() for _, file, _ in rows]
        parts = [(file, part) for _, file, part in rows if part is not None]
        pixels: list[pl.Series] = []
        if self.image in names:
            column = wanted.columns[self.image]
            pixels = read_tiles(parts, column) if parts else read_images([file for _, file, _ in rows], column)
        known = {} if parts else {series.name: series.to_list() for series in pixels[1:3]}
        sizes = list(zip(*known.values(), strict=True)) if known else _sizes([file for _, file, _ in rows])
        told = [
            pl.Series(self.file, [str(part) if part else path for path, (_, _, part) in zip(paths, rows, strict=True)]),
            pl.Series(self.boxes, [self._cell(row, *size) for row, size in zip(rows, sizes, strict=True)], pl.String),
            pl.Series(self.photo, paths),
        ]
        return pl.DataFrame([*told, *pixels]).select(*names, *(one.name for one in pixels[1:]))

    def _cell(self, row: Row, height: int, width: int) -> str:
        one, _, part = row
        found = one.shares(height, width, mend=self.mend)
        return written(found if part is None else boxes_in(part, found, height, width))

    def _rows(self, split: str | None) -> list[Row]:
        """Every row of a split: what is annotated, its file, and the tile of it."""
        pairs = zip(self.annotated(), self._images(), strict=True)
        whole = [(one, file) for one, file in pairs if split is None or self._split_of(file) == split]
        if self.tiles is None:
            return [(one, file, None) for one, file in whole]
        root = self._folder()
        return [
            (one, file, tile)
            for one, file in whole
            for tile in self.tiles.of(file.relative_to(root).as_posix(), *upright_size(file))
        ]

    def place(self, row: int, column: str, split: str | None = None) -> str:
        """The image, or the tile of it."""
        _, file, part = self._rows(split)[row]
        return str(part._replace(photo=str(file)) if part else file)

    def annotated(self) -> list[Annotated]:
        """What the annotations say, image by image. Raises ``DataUnreadable`` where they cannot be read."""
        files = self._annotations()
        if files[0].suffix.lower() == ".xml":
            return read_voc(files)
        read = read_coco if files[0].suffix.lower() == ".json" else read_table
        return [replace(one, near=file.parent) for file in files for one in read(file)]

    def in_shares(self) -> list[tuple[Path, list[Box]]]:
        """Every image with its boxes in shares of its sides, without decoding a pixel."""
        pairs = zip(self._images(), self.annotated(), strict=True)
        return [(file, one.shares(*upright_size(file), mend=self.mend)) for file, one in pairs]

    def _annotations(self) -> list[Path]:
        path = local(self.path)
        if not path.is_dir():
            if not path.is_file():
                raise missing_file(path)
            return [path]
        found = annotations_below(path)
        if not found:
            raise DataUnreadable(
                f"folder {path} holds no annotations", "XML of PASCAL VOC, JSON of COCO, or CSV", "check the path"
            )
        return found

    def _folder(self) -> Path:
        path = local(self.path)
        return local(self.folder) if self.folder else path if path.is_dir() else path.parent

    def _images(self) -> list[Path]:
        return Images(self._folder()).of(self.annotated())


def _sizes(files: list[Path]) -> list[tuple[int, int]]:
    """Height and width of each, of which the header is read once."""
    known = {file: upright_size(file) for file in dict.fromkeys(files)}
    return [known[file] for file in files]
