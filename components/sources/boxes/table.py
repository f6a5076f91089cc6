"""Boxes in a CSV file, one a line: ``image,xmin,ymin,xmax,ymax,label``, or with width and height."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from kilnworks.components.sources.boxes.drawn import Annotated, PixelBox
from kilnworks.components.sources.files.table import read_texts
from kilnworks.components.sources.files.text import TextFile
from kilnworks.components.sources.label_texts import ABSENT
from kilnworks.schemas.errors import DataUnreadable
from kilnworks.schemas.words import listed

SPELLED: dict[str, tuple[str, ...]] = {
    "image": ("image", "imagepath", "filename", "file", "path", "img", "imageid", "imagename", "picture"),
    "xmin": ("xmin", "x1", "left", "x0", "minx", "x", "bboxx"),
    "ymin": ("ymin", "y1", "top", "y0", "miny", "y", "bboxy"),
    "xmax": ("xmax", "x2", "right", "maxx"),
    "ymax": ("ymax", "y2", "bottom", "maxy"),
    "width": ("width", "w", "boxwidth", "bboxw", "bboxwidth"),
    "height": ("height", "h", "boxheight", "bboxh", "bboxheight"),
    "label": ("label", "class", "classname", "category", "name", "labelname", "species", "type"),
}
"""Names of columns, without regard to case, blanks and underscores."""
ONE_CLASS = "object"
"""The class where no column says it."""
SHOWN = 3


def read_table(path: Path) -> list[Annotated]:
    """The images in the order in which they come first. A line without numbers names an image without boxes.

    Raises:
        DataUnreadable: columns are missing, or a line names no image or no class, or has no numbers where some are due.
    """
    table = read_texts(TextFile(path))
    columns = columns_of(table.columns)
    needed = ["image", "xmin", "ymin", *far_sides(columns)]
    absent = [name for name in needed if name not in columns]
    if absent:
        raise DataUnreadable(
            f"{path} has no column {listed(absent)}; it has {listed(table.columns)}",
            "image, xmin, ymin, xmax, ymax and label, in pixels",
            "name the columns so",
        )
    found: dict[str, Annotated] = {}
    broken: list[str] = []
    for number, row in enumerate(table.iter_rows(named=True), 2):
        name = (row[columns["image"]] or "").strip()
        cells = [(row[columns[side]] or "").strip() for side in needed[1:]]
        if not name:
            broken.append(f"line {number} names no image")
            continue
        one = found.setdefault(name, Annotated(name))
        if all(cell.lower() in ABSENT for cell in cells):
            continue
        sides = [_number(cell) for cell in cells]
        if None in sides:
            broken.append(f"line {number}: {', '.join(cells)}")
            continue
        label = (row[columns["label"]] or "").strip() if "label" in columns else ONE_CLASS
        if not label:
            broken.append(f"line {number} names no class")
            continue
        one.boxes.append(_box(label, [side for side in sides if side is not None], "xmax" in needed))
    _refuse(path, broken, found)
    return list(found.values())


def columns_of(names: Sequence[str]) -> dict[str, str]:
    """Which columns say what: key of ``SPELLED`` -> name in the file; those that are not there are left out."""
    plain = {"".join(c for c in name.lower() if c.isalnum()): name for name in reversed(names)}
    found = {}
    for key, spellings in SPELLED.items():
        hit = next((plain[spelling] for spelling in spellings if spelling in plain), None)
        if hit is not None:
            found[key] = hit
    return found


def far_sides(columns: Mapping[str, str]) -> tuple[str, str]:
    """Which two of ``columns_of`` say where a box ends: its corner, unless only its size is there."""
    corner, size = ("xmax", "ymax"), ("width", "height")
    return corner if set(corner) <= columns.keys() or not set(size) & columns.keys() else size


def is_table_of_boxes(names: Sequence[str]) -> bool:
    """Whether columns of these names hold boxes in images."""
    found = columns_of(names)
    return {"image", "xmin", "ymin", *far_sides(found)} <= found.keys()


def _box(label: str, sides: list[float], corners: bool) -> PixelBox:
    x, y, a, b = sides
    return PixelBox(label, x, y, a, b) if corners else PixelBox(label, x, y, x + a, y + b)


def _number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _refuse(path: Path, broken: list[str], found: dict[str, Annotated]) -> None:
    if broken:
        more = f" and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
        raise DataUnreadable(
            f"{path}: {'; '.join(broken[:SHOWN])}{more}",
            "an image, four numbers in pixels and a class in each line",
            "correct it",
        )
    if not found:
        raise DataUnreadable(f"{path} has no line", "a box in each line", "check the path")
