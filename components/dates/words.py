"""Dates in words: what was read, what is wanted, and how to say otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from kilnworks.components.dates.numbers import counted_in
from kilnworks.components.dates.reading import read_dates
from kilnworks.components.dates.spelling import spellings
from kilnworks.schemas.dates import EPOCHS, ISO, DateFormat
from kilnworks.schemas.words import named

UNITS = {"epoch s": "seconds", "epoch ms": "milliseconds", "epoch us": "microseconds", "epoch ns": "nanoseconds"}
"""The unit of each format of numbers since 1970 UTC."""


def wanted_dates(how: DateFormat) -> str:
    """A clause about how the dates of a column are written."""
    if how.format in EPOCHS:
        return f"in {UNITS[how.format]} since 1970 UTC"
    return "written as ISO 8601" if how.format == ISO else f"written as {how.format}"


def setting(name: str, how: DateFormat) -> str:
    """How the contract says it."""
    year = f", first_year: {how.first_year}" if how.first_year is not None else ""
    return f'dates: {{{named(name)}: {{format: "{how.format}"{year}}}}}'


def _reads(form: str, samples: Sequence[str]) -> bool:
    texts = pl.Series(samples, dtype=pl.String)
    return read_dates(texts, DateFormat(format=form)).null_count() == 0


def advice(name: str, found: pl.Series, samples: Sequence[str], sensitive: bool = False) -> str:
    """What to do about values that are not read as dates.

    Args:
        name: of the column.
        found: its values, texts or numbers.
        samples: some that were not read.
        sensitive: whether the advice must not follow from the values.
    """
    numbers = pl.Series(samples, dtype=pl.String).str.strip_chars().cast(pl.Float64, strict=False)
    if found.dtype.is_numeric() or numbers.null_count() == 0:
        unit = None if sensitive else counted_in(numbers.min() or 0.0, numbers.max() or 0.0)  # type: ignore[arg-type]
        counted = setting(name, DateFormat(format=unit or "epoch s"))
        return f"if they count from 1970, say so in the contract: {counted}" + ("" if unit else ", or epoch ms, us, ns")
    forms = [] if sensitive else [form for form in spellings(samples[0].strip()) if _reads(form, samples)]
    either = " or ".join(forms[:2])
    say = f"if the column is written as {either}, say so in the contract: " if forms else ""
    example = setting(name, DateFormat(format=forms[0])) + "; else correct" if forms else "correct"
    return f"{say}{example} the values, or add the text to the source's `null_values` if it means missing"
