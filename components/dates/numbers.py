"""Dates written as whole numbers: compact ones (20240131) and counts of seconds, milliseconds, ... since 1970."""

from __future__ import annotations

import re

import polars as pl

from kilnworks.components.dates.reading import PER_SECOND, read_dates
from kilnworks.schemas.dates import DateFormat

_NAMED = re.compile(
    r"date|time|stamp|epoch|moment|when|created|updated|(^|[_\W])(ts|day|dt)([_\W]|$)|(_at|_on|At)$", re.I
)
"""Names of columns whose large numbers are counts since 1970, not amounts."""
_MONTHS = re.compile(r"month|period|yyyymm|year_?month|(^|[_\W])ym([_\W]|$)|date", re.I)
_KEY = re.compile(r"(^|[_\W])(id|key|uuid|guid|nr|no|number|code|phone|zip)$|[a-z]I[dD]$|ID$", re.I)
COUNTED = (631_152_000, 2_840_140_800)
"""Seconds since 1970 that are taken for a moment: 1990 to 2059."""
SERIALS = (20_000, 80_000)
"""Days since 1899-12-30, as spreadsheets count them, that are taken for a date: 1954 to 2119."""
FEWEST = 20
"""Fewer numbers than this prove nothing."""


def find_number_dates(name: str, values: pl.Series) -> DateFormat | None:
    """The format of a column of numbers that are dates; None where they are numbers.

    Compact dates are known by their values, all of which must be days or months that exist, counts since 1970 by the
    name of the column as well.

    Args:
        name: of the column.
        values: numbers, missing ones left out.
    """
    if len(values) < FEWEST or values.n_unique() < 3 or _KEY.search(name):
        return None
    low, high = float(values.min()), float(values.max())  # type: ignore[arg-type]
    if values.dtype.is_integer() or bool((values % 1 == 0).all()):
        compact = _compact(name, low, high)
        if compact and read_dates(values.cast(pl.Int64), DateFormat(format=compact)).null_count() == 0:
            return DateFormat(format=compact)
    unit = counted_in(low, high) if _NAMED.search(name) else None
    return DateFormat(format=unit) if unit else None


def counted_in(low: float, high: float) -> str | None:
    """The format of numbers from ``low`` to ``high`` that count from 1970 to 1990 or later, up to 2059; else None."""
    for unit, per_second in PER_SECOND.items():
        if COUNTED[0] * per_second <= low and high <= COUNTED[1] * per_second:
            return unit
    return None


def _compact(name: str, low: float, high: float) -> str | None:
    """The format that numbers from ``low`` to ``high`` have if they are compact dates from 1900 to 2100."""
    if low >= 19_000_101 and high <= 21_001_231:
        return "%Y%m%d"
    if low >= 19_000_101_000_000 and high <= 21_001_231_235_959:
        return "%Y%m%d%H%M%S"
    if low >= 190_001 and high <= 210_012 and _MONTHS.search(name):
        return "%Y%m"
    return None


def are_serials(name: str, values: pl.Series) -> bool:
    """Whether numbers may be days as a spreadsheet counts them: 45292 is 2024-01-01 there."""
    if len(values) < FEWEST or not _NAMED.search(name):
        return False
    return bool(values.is_between(*SERIALS).all()) and values.n_unique() > 2
