"""Files of images: which there are, and their pixels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kilnworks.components.sources.columns import Column
from kilnworks.components.sources.files.endings import IMAGES
from kilnworks.components.sources.files.folder import files_below
from kilnworks.components.sources.files.notes import say
from kilnworks.components.sources.paths import listed
from kilnworks.schemas.errors import DataInvalid, DataUnreadable

if TYPE_CHECKING:
    import polars as pl

SUFFIXES = IMAGES


def images_below(root: Path) -> list[Path]:
    """All image files below a folder that count, in the order of their paths; see ``files/folder.py``.

    Raises:
        DataUnreadable: there is none.
    """
    found = files_below(root, SUFFIXES)
    more = found.words(root)
    if not found.files:
        raise DataUnreadable(
            f"folder {root} holds no image" + (f" ({more})" if more else ""),
            f"files ending in {', '.join(SUFFIXES)}",
            "check the path",
        )
    if more:
        say(f"{root}: {more}")
    return list(found.files)


def present(files: list[Path], fix: str) -> list[Path]:
    """The files. Raises ``DataUnreadable`` naming those that are not there."""
    absent = [f for f in files if not f.is_file()]
    if absent:
        raise DataUnreadable(f"no file {listed(absent)}", "every image that the table names", fix)
    return files


def read_images(files: Sequence[Path], column: Column) -> list[pl.Series]:
    """Columns of the pixels and of what the files held.

    Raises:
        DataInvalid: the contract says that the column holds something else.
        DataUnreadable: naming the files that are broken, all at once.
    """
    from kilnworks.components.sources.images import image_columns

    refuse_no_image(column)
    return image_columns(column, ((file.read_bytes(), str(file)) for file in files), len(files))


def refuse_no_image(column: Column) -> None:
    """Raise ``DataInvalid`` where the contract says that a column of images holds something else."""
    if column.dtype == "image":
        return
    failure = {
        "split": None,
        "column": column.name,
        "rule": "dtype",
        "severity": "critical",
        "unexpected": None,
        "checked": None,
    }
    raise DataInvalid(
        f"column {column.name!r} holds images, the contract says dtype {column.dtype}",
        "dtype: image, shape: [height, width, channels]",
        "change the contract",
        [{**failure, "samples": []}],
    )
