"""What a path that a person names holds: rows of one kind, or images."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from kilnworks.components.sources.files.content import detect, read_head, refuse_empty
from kilnworks.components.sources.files.endings import ENDINGS, IMAGES, Kind, all_endings, kind_of_name
from kilnworks.components.sources.files.folder import files_below
from kilnworks.schemas.errors import DataUnreadable

_ORDER: tuple[Kind, ...] = ("parquet", "csv", "jsonl")


def kind_of_path(path: Path) -> Kind | Literal["images"]:
    """The kind of a file by its ending, of a folder by what counts in it; images come before tables.

    Raises:
        DataUnreadable: a file of no known ending, or a folder without rows and images.
    """
    if path.is_dir():
        return _kind_of_folder(path)
    found = kind_of_name(path.name)
    if found is None:
        raise DataUnreadable(f"{path}: cannot tell the kind of file", f"one of {all_endings()}", "convert or rename it")
    return found


def kind_inside(path: Path) -> Kind:
    """The kind of a file by its ending, or by what is inside where the ending tells nothing."""
    found = kind_of_name(path.name)
    if found is not None:
        return found
    head = read_head(path)
    refuse_empty(path, head)
    return detect(path, head)


def _kind_of_folder(path: Path) -> Kind | Literal["images"]:
    if files_below(path, IMAGES).files:
        return "images"
    for kind in _ORDER:
        if files_below(path, ENDINGS[kind]).files:
            return kind
    left = files_below(path, (*IMAGES, *(ending for kind in _ORDER for ending in ENDINGS[kind]))).words(path)
    raise DataUnreadable(
        f"folder {path} holds no image and no table" + (f" ({left})" if left else ""),
        "images, CSV, Parquet or JSON lines",
        "check it",
    )
