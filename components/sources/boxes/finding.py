"""Annotation files of boxes in a folder: which of its files are some, by what is in them."""

from __future__ import annotations

import json
from pathlib import Path

from kilnworks.components.sources.boxes.coco import is_coco
from kilnworks.components.sources.boxes.table import is_table_of_boxes
from kilnworks.components.sources.files.folder import files_below
from kilnworks.components.sources.files.table import read_texts
from kilnworks.components.sources.files.text import TextFile
from kilnworks.schemas.errors import KilnworksError

HEAD = 2048
"""Bytes of an XML file that are looked at."""


def annotations_below(root: Path) -> list[Path]:
    """The annotation files below a folder, of the first kind of which there are some: XML, JSON, CSV; in order."""
    for ending in (".xml", ".json", ".csv"):
        exported = root.rglob(f"_annotations*{ending}")  # as tools for annotating call their files
        found = [file for file in sorted({*files_below(root, (ending,)).files, *exported}) if is_annotation(file)]
        if found:
            return found
    return []


def is_annotation(file: Path) -> bool:
    """Whether a file holds boxes in images."""
    match file.suffix.lower():
        case ".xml":
            with file.open("rb") as handle:
                return b"<annotation" in handle.read(HEAD)
        case ".json":
            return _is_json(file)
        case ".csv":
            return _is_table(file)
    return False


def _is_json(file: Path) -> bool:
    with file.open("rb") as handle:
        if not handle.read(64).lstrip().startswith(b"{"):
            return False
    try:
        return is_coco(json.loads(file.read_bytes()))
    except (ValueError, RecursionError):
        return False


def _is_table(file: Path) -> bool:
    try:
        return is_table_of_boxes(read_texts(TextFile(file), rows=1).columns)
    except KilnworksError:
        return False
