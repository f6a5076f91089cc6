"""Columns that say together when a row was made: year, month, day, perhaps hour."""

from __future__ import annotations

import re
from dataclasses import replace

import polars as pl

from kilnworks.components.dates.parts import moment_of
from kilnworks.components.quality.screening.columns.column_specs import describe_columns
from kilnworks.components.starting.open_data import Opened

NAMES = {
    "year": r"(?:year|yr|yyyy)",
    "month": r"(?:month|mon|mm)",
    "day": r"(?:day(?:_?of_?(?:the_?)?month)?|mday|dd|dom)",
    "hour": r"(?:hour|hr|hh)",
}
"""What columns of parts are called, alone or with the same word before or behind, as in ``arrival_year``."""
RANGE = {"year": (1900, 2100), "month": (1, 12), "day": (1, 31), "hour": (0, 23)}
KNOWN = 0.99
"""Least share of rows whose parts are a day."""


def with_parts_joined(opened: Opened, label: str) -> Opened:
    """The table with a column of dates made of its parts, where there are some and it has no other dates.

    Args:
        opened: the table.
        label: what is to be predicted, which is no part.
    """
    if any(spec.kind == "datetime" for spec in opened.specs.values()):
        return opened
    parts = _parts([name for name in opened.frame.columns if name != label])
    if not parts or any(not _in_range(opened.frame[name], part) for part, name in parts.items() if part != "month"):
        return opened
    name = next(n for n in ("date", "moment", "date_of_row", "moment_of_row") if n not in opened.frame.columns)
    made = moment_of(name, [opened.frame[column] for column in parts.values()])
    if made.null_count() > (1 - KNOWN) * len(made) or made.n_unique() < 2:
        return opened
    frame = opened.frame.with_columns(made.dt.to_string("%Y-%m-%d %H:%M:%S"))
    source = opened.source.model_copy(update={"moments": {name: tuple(parts.values())}})
    return replace(
        opened, source=source, frame=frame, specs={**opened.specs, **describe_columns(frame.select(name), {})}
    )


def _parts(names: list[str]) -> dict[str, str]:
    """Part -> column; empty unless year, month and day go by the same words around them."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for name in names:
        for part in ("day", "year", "month", "hour"):  # the day first, since it may be that of the month
            match = re.fullmatch(rf"(.*?)(?<![a-z]){NAMES[part]}(?![a-z])(.*)", _spaced(name))
            if match:
                found.setdefault((match[1], match[2]), {}).setdefault(part, name)
                break
    whole = [parts for parts in found.values() if {"year", "month", "day"} <= parts.keys()]
    return {part: whole[0][part] for part in NAMES if part in whole[0]} if len(whole) == 1 else {}


def _spaced(name: str) -> str:
    """``DayofMonth`` and ``arrivalYear`` in small letters, with ``_`` between the words."""
    return re.sub(r"[\s.-]+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)).lower()


def _in_range(series: pl.Series, part: str) -> bool:
    """Whether nearly all values are whole numbers that the part may have."""
    numbers = series.cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False).fill_null(-1.0)
    low, high = RANGE[part]
    good = int(((numbers >= low) & (numbers <= high) & (numbers == numbers.floor())).sum())
    return good >= KNOWN * len(series)
