"""What a first look says about the dates of a table: how each column is read, and how to say otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from kilnworks.components.dates.numbers import are_serials
from kilnworks.components.dates.reading import read_dates
from kilnworks.components.dates.unread import unread
from kilnworks.components.dates.words import UNITS
from kilnworks.components.quality.screening.columns.table import Spec
from kilnworks.components.quality.screening.probes.offsets import minutes, offsets_of
from kilnworks.components.quality.screening.probes.offsets import words as offset_words
from kilnworks.components.starting.recipe import Decision
from kilnworks.schemas.dates import EPOCHS, ISO, DateFormat
from kilnworks.schemas.words import listed, named, shown

_OFFSET = r"\d{1,2}:\d{2}.*(?:Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)$"


def date_decisions(frame: pl.DataFrame, specs: Mapping[str, Spec]) -> list[Decision]:
    """How the columns of dates are read; flagged where they read in another way, too.

    Args:
        frame: all rows, in the types of the file.
        specs: what each column holds.
    """
    return [decision for name in frame.columns for decision in _about(name, frame[name], specs[name])]


def _about(name: str, series: pl.Series, spec: Spec) -> Iterator[Decision]:
    if spec.kind in ("number", "key"):
        numbers = series.cast(pl.Float64, strict=False).drop_nulls().drop_nans()
        if are_serials(name, numbers):
            day = pl.select(pl.date(1899, 12, 30) + pl.duration(days=int(numbers[0]))).item()
            why = f"{numbers[0]:g} would be {day}; they are kept as numbers: write dates, best as 2024-01-31"
            yield Decision("dates?", f"{named(name)}: numbers like the days of a spreadsheet", why, flagged=True)
    if spec.kind == "category" and series.dtype == pl.String:
        words = unread(series.filter(series != ""))
        if words:
            yield Decision("dates?", f"{named(name)}: taken as categories", words, flagged=True)
    if spec.kind != "datetime" or series.dtype.is_temporal():
        return
    absent = series.is_in(["", *spec.tokens]).fill_null(False) if series.dtype == pl.String else None
    filled = (series if absent is None else series.set(absent, None)).cast(pl.String)
    if spec.tokens and absent is not None:
        count = int(series.is_in(list(spec.tokens)).sum())
        yield Decision(
            "dates", f"{named(name)}: {listed(spec.tokens)} means missing", f"{count:,} of {len(series):,} rows"
        )
    example = filled.drop_nulls()[0]
    moment = _shown(example, spec.written)
    if spec.written.format in EPOCHS:
        why = f"{example} is {moment} UTC; if they are amounts, remove them from `dates` in the contract"
        yield Decision("dates", f"{named(name)}: {UNITS[spec.written.format]} since 1970", why, flagged=True)
        return
    yield from _about_texts(name, filled.drop_nulls(), spec, f"{shown(example)} is {moment}")


def _about_texts(name: str, texts: pl.Series, spec: Spec, example: str) -> Iterator[Decision]:
    how = spec.written
    change = f"to change: `dates: {{{named(name)}: ...}}` in the contract"
    if spec.rivals:
        other = spec.rivals[0]
        text = next((t for t in texts if _shown(t, other) != _shown(t, how)), texts[0])
        by = ", by which the rows are sorted" if spec.by_order else f", as in {named(spec.as_in)}" if spec.as_in else ""
        mine, its = _shown(text, how), _shown(text, other)
        why = f"every row also reads as {other.format}: {shown(text)} is {mine}{by}, or {its}; {change}"
        yield Decision("dates", f"{named(name)}: read as {how.format}", why, flagged=True)
    elif how.format != ISO:
        yield Decision("dates", f"{named(name)}: written as {how.format}", example)
    if how.two_digit_years:
        years = f"two-digit years are {how.century} to {how.century + 99}"
        yield Decision("dates", f"{named(name)}: {years}", f"{example}; {change} (first_year)", flagged=True)
    yield from _about_offsets(name, texts)


def _about_offsets(name: str, texts: pl.Series) -> Iterator[Decision]:
    zoned = texts.str.contains(_OFFSET)
    count = int(zoned.sum())
    if not count:
        return
    bare = len(texts) - count
    if bare:
        why = f"{bare:,} of {len(texts):,} have no offset and are taken for UTC"
        yield Decision("dates", f"{named(name)}: moved to UTC", why, flagged=True)
    elif not texts.str.contains(r"(?:Z|z|UTC|GMT|[+-]00(?::?00)?)$").all():
        offsets = offsets_of(texts)
        several = len({minutes(offset) for offset in offsets}) > 1
        why = f"by the offset that each time has: {offset_words(offsets)}" + (
            "; the hour of the place is lost" if several else ""
        )
        yield Decision("dates", f"{named(name)}: moved to UTC", why, flagged=several)


def _shown(text: str, how: DateFormat) -> str:
    """The moment of a text as a person reads it, the time left out where it is midnight."""
    moment = read_dates(pl.Series([text]), how)[0]
    return "no date" if moment is None else str(moment).removesuffix(" 00:00:00")
