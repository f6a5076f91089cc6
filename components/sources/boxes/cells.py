"""A column of boxes in one writing: that of ``schemas/boxes.py``, whatever the source hands out."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from kilnworks.components.sources.columns import Column
from kilnworks.schemas.boxes import Box, read, written
from kilnworks.schemas.errors import DataUnreadable

if TYPE_CHECKING:
    import polars as pl

WANTED = 'boxes as [["class", top, left, bottom, right], ...], in shares of the height and width of the image'


def as_boxes(found: pl.Series, column: Column, place: Callable[[int, str], str]) -> pl.Series:
    """Texts, lists, or JSON as ``files.json_lines`` hands it out, as cells; null and an empty text stay missing.

    Raises:
        DataUnreadable: a value is no list of boxes, with its place.
    """
    import polars as pl

    cells: list[str | None] = []
    for row, value in enumerate(found.to_list()):
        try:
            cells.append(_cell(value))
        except (ValueError, TypeError) as error:
            raise DataUnreadable(
                f"column {column.name!r}: {str(value)[:80]!r} ({place(row, column.name)}): {error}",
                WANTED,
                "write the boxes so, or read them from their own files (docs/detection.md)",
            ) from None
    return pl.Series(found.name, cells, dtype=pl.String)


def _cell(value: object) -> str | None:
    if isinstance(value, dict):
        return _cell(value.get("json"))
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str):
        return written(read(value))
    if not isinstance(value, list):
        raise ValueError("no list of boxes")
    boxes = [[one.get(name) for name in Box._fields] if isinstance(one, dict) else one for one in value]
    return written(read(json.dumps(boxes)))
