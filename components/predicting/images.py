"""Images that somebody wants predictions for: a folder of any depth, one image, or a table that names them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from kilnworks.components.sources.base import Source
from kilnworks.components.sources.boxes.drawn import upright_size
from kilnworks.components.sources.boxes.source import BoxesSource
from kilnworks.components.sources.boxes.tiles import Tiles, read_tiles
from kilnworks.components.sources.files.archive import is_archive, unpacked
from kilnworks.components.sources.image_files import SUFFIXES, images_below, present, read_images
from kilnworks.components.sources.image_list import ImageListSource
from kilnworks.schemas.errors import DataUnreadable

if TYPE_CHECKING:
    import polars as pl

    from kilnworks.components.sources.columns import Column
    from kilnworks.schemas.contract import Contract

FILE = "file"
"""Name of the column that says which answer is of which image."""
SIZE = ("height of the photograph", "width of the photograph")
"""Names of the columns beside tiles."""
BATCH = 256


def takes_images(contract: Contract) -> bool:
    """Whether one image is all that the model asks for."""
    return [feature.dtype for feature in contract.features.values()] == ["image"]


def image_frames(path: Path, contract: Contract, like: Source | None) -> Iterator[pl.DataFrame]:
    """Pixels in the contract's shape, and the name of each file, in the order of the names or of the table.

    Of a model that learned from tiles, those of each photograph in a frame of its own.

    Args:
        path: a folder, an archive of one, an image, or a CSV file with a column of files as the training data had it.
        contract: with one feature, the image.
        like: how the training data were read.

    Raises:
        DataUnreadable: no image is there, or one is broken.
    """
    from kilnworks.components.sources.columns import Column

    ((name, feature),) = contract.features.items()
    column = Column(name, "image", feature.shape)
    with ExitStack() as stack:
        if is_archive(path):
            scratch = stack.enter_context(TemporaryDirectory(prefix="kilnworks-"))
            path = unpacked(path, Path(scratch))
        root, files = _files(path, like)
        tiles = tiles_of(like)
        yield from _read(root, files, column) if tiles is None else _tiled(root, files, column, tiles)


def tiles_of(like: Source | None) -> Tiles | None:
    """How photographs are cut for a model whose training data were; None where they were not."""
    return like.tiles if isinstance(like, BoxesSource) else None


def _tiled(root: Path, files: list[Path], column: Column, tiles: Tiles) -> Iterator[pl.DataFrame]:
    """Names and pixels of the tiles, and height and width of the photograph, a frame a photograph."""
    import polars as pl

    for file in files:
        size = upright_size(file)
        parts = tiles.of(_name(root, file), *size)
        pixels = read_tiles([(file, part) for part in parts], column)[0]
        named = pl.DataFrame([pl.Series(FILE, [str(part) for part in parts]), pixels])
        yield named.with_columns(pl.lit(side).alias(name) for name, side in zip(SIZE, size, strict=True))


def _name(root: Path, file: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else str(file)


def _read(root: Path, files: list[Path], column: Column) -> Iterator[pl.DataFrame]:
    """Names and pixels, ``BATCH`` images at a time."""
    import polars as pl

    for start in range(0, len(files), BATCH):
        some = files[start : start + BATCH]
        pixels = read_images(some, column)[0]
        yield pl.DataFrame([pl.Series(FILE, [_name(root, file) for file in some]), pixels])


def _files(path: Path, like: Source | None) -> tuple[Path, list[Path]]:
    """The folder that names count from, and the images."""
    if path.is_dir():
        return path, images_below(path)
    if path.suffix.lower() in SUFFIXES:
        if not path.is_file():
            raise DataUnreadable(f"no file {path}", "a file of an image", "check the path")
        return path.parent, [path]
    column = like.file if isinstance(like, ImageListSource) else FILE
    own = ImageListSource(path=str(path), file=column)
    files = own.files()[1:]
    if isinstance(like, ImageListSource) and not all(f.is_file() for f in files):
        files = like.model_copy(update={"path": str(path)}).files()[1:]
    return path.parent, present(files, "check the names")
