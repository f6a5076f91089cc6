"""Moments from columns of their parts: year, month, day, and hour, minute and second where there are more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

FEWEST, MOST = 3, 6
"""Columns that make a moment: down to the day at least, to the second at most."""
MONTHS = {
    name: str(number)
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
"""Beginnings of the English names of months, which may stand in place of their numbers."""


def moment_of(name: str, parts: Sequence[pl.Series]) -> pl.Series:
    """The moment of each row as ``Datetime("us")``; null where a part is missing or there is no such day.

    Args:
        name: of the new column.
        parts: year, month, day, ...: whole numbers, or texts of them; a month may be an English name.
    """
    import polars as pl

    texts = [_text(part).alias(str(i)) for i, part in enumerate(parts)]
    texts[1] = _numbered(texts[1])
    rest = [pl.lit("00").alias(str(i)) for i in range(len(texts), MOST)]
    joined = pl.format("{}-{}-{} {}:{}:{}", *map(str, range(MOST)))
    moments = joined.str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False, time_unit="us")
    return pl.DataFrame(texts).with_columns(rest).select(moments.alias(name)).get_column(name)


def _text(part: pl.Series) -> pl.Series:
    """Whole numbers as texts of two digits at least."""
    import polars as pl

    return part.cast(pl.String).str.strip_chars().str.replace(r"\.0+$", "").str.zfill(2)


def _numbered(month: pl.Series) -> pl.Series:
    short = month.str.to_lowercase().str.slice(0, 3)
    return short.replace(MONTHS).str.zfill(2)
