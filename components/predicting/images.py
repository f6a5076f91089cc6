"""Images that somebody wants predictions for: a folder of any depth, one image, or a table that names them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from kilnworks.components.sources.base import Source
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
BATCH = 256


def takes_images(contract: Contract) -> bool:
    """Whether one image is all that the model asks for."""
    return [feature.dtype for feature in contract.features.values()] == ["image"]


def image_frames(path: Path, contract: Contract, like: Source | None) -> Iterator[pl.DataFrame]:
    """Pixels in the contract's shape, and the name of each file, in the order of the names or of the table.

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
        yield from _read(*_files(path, like), column)


def _read(root: Path, files: list[Path], column: Column) -> Iterator[pl.DataFrame]:
    """Names and pixels, ``BATCH`` images at a time."""
    import polars as pl

    for start in range(0, len(files), BATCH):
        some = files[start : start + BATCH]
        pixels = read_images(some, column)[0]
        names = [f.relative_to(root).as_posix() if f.is_relative_to(root) else str(f) for f in some]
        yield pl.DataFrame([pl.Series(FILE, names), pixels])


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
