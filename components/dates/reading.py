"""Reading dates: the one place where texts and whole numbers become moments, for every room that reads a column.

A text is read only if all of it has the outline of the format, so that ``01/02/98`` is never the year 98. Beside its
own format a column may hold the same without seconds or without a time, and ISO 8601, which reads in one way only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from kilnworks.components.dates.outline import around, end_of_day, outline, readable, tidy
from kilnworks.schemas.dates import EPOCHS, ISO, DateFormat

MOMENT = pl.Datetime("us")
DAY = 86_400 * 10**6
"""Microseconds of a day."""
ISO_FORMATS = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f%z",
    "%Y-%m-%d %H:%M:%S%.f%z",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M%z",
    "%Y-%m-%d %H:%M%z",
    "%Y-%m-%dT%H",
    "%Y-%m-%d %H",
    "%Y-%m-%dT%H%z",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M",
)
"""What ``iso`` reads: dates and times that begin with the year, in any order of rows, offsets moved to UTC."""
PER_SECOND = {"epoch s": 1, "epoch ms": 10**3, "epoch us": 10**6, "epoch ns": 10**9}
FIRST, LAST = -62_135_596_800, 253_402_300_799
"""Seconds since 1970 of the first moment of year 1 and the last of year 9999."""


def read_dates(found: pl.Series, how: DateFormat) -> pl.Series:
    """Moments in UTC, microseconds, null where missing or not written so.

    Args:
        found: texts, whole numbers (for the epoch formats, and compact ones such as ``%Y%m%d``), dates or datetimes.
        how: the format of the column.
    """
    dtype = found.dtype
    if isinstance(dtype, pl.Datetime):
        moved = found.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if dtype.time_zone else found
        return moved.cast(MOMENT)
    if dtype == pl.Date:
        return found.cast(MOMENT)
    if how.format in EPOCHS:
        return _since_1970(found, PER_SECOND[how.format])
    if dtype.is_integer() and _is_digits(how.format):
        found = found.cast(pl.String)
    return _read_texts(found, how) if found.dtype == pl.String else _nothing(found)


def _is_digits(form: str) -> bool:
    """Whether dates of this format are whole numbers."""
    return bool(re.fullmatch(r"(%[YmdHMS])+", form))


def _since_1970(found: pl.Series, per_second: int) -> pl.Series:
    """Moments from counts, fractions of them to the microsecond; those outside of the years 1 to 9999 are null."""
    if found.dtype == pl.String:
        texts = found.str.strip_chars()
        whole = texts.cast(pl.Int64, strict=False)
        if whole.null_count() == texts.null_count():
            return _since_1970(whole, per_second)
        found = texts.cast(pl.Float64, strict=False)
    if found.dtype.is_integer():
        counts = found.cast(pl.Int64, strict=False)
        low, high = (max(-(2**63), min(2**63 - 1, end * per_second)) for end in (FIRST, LAST))
        counts = counts.set(~counts.is_between(low, high).fill_null(False), None)
        return (counts * (10**6 // per_second) if per_second <= 10**6 else counts // 1000).cast(MOMENT)
    if not found.dtype.is_numeric():
        return _nothing(found)
    micros = (found.cast(pl.Float64) * (10**6 / per_second)).round()
    inside = micros.is_between(FIRST * 10**6, LAST * 10**6).fill_null(False)
    return micros.set(~inside, None).cast(pl.Int64).cast(MOMENT)


def _read_texts(texts: pl.Series, how: DateFormat) -> pl.Series:
    """Each text by the first of the formats that it has the outline of."""
    texts = texts.str.strip_chars()
    texts = texts.set((texts == "").fill_null(False), None)
    done, left = _nothing(texts), texts
    for form in _in_order(formats_of(how), left):
        if left.null_count() == len(left):
            break
        fits = tidy(left, form).str.contains(outline(form)).fill_null(False)
        if not fits.any():
            continue
        read = _parsed(left.set(~fits, None), form, how.century)
        done = done.zip_with(done.is_not_null(), read)
        left = left.set(fits, None)
    return done


def formats_of(how: DateFormat) -> tuple[str, ...]:
    """The formats that a column may hold: its own, shorter ones of the same order, and ISO where that cannot clash."""
    if how.format == ISO:
        return ISO_FORMATS
    own = tuple(dict.fromkeys([how.format, *_shorter(how.format)]))
    clash = how.format.startswith("%Y") and not how.format.startswith(("%Y-%m-%d", "%Y/%m/%d"))
    return own if clash else tuple(dict.fromkeys([*own, *ISO_FORMATS]))


def _shorter(form: str) -> Iterator[str]:
    """The format without its fraction or seconds, and the date alone where the time comes last."""
    if ":%S" in form:
        yield form.replace(":%S%.f", "").replace(":%S", "")
        if ":%S%.f" not in form:
            yield form.replace(":%S", ":%S%.f")
    date = re.match(r"(.*%[YydBbj])[ T,]+(?:at )?%[HI]:?%M.*$", form)
    if date:
        yield date.group(1)


def _in_order(formats: tuple[str, ...], texts: pl.Series) -> tuple[str, ...]:
    """The formats with that of the first text ahead, which saves a look at every row by the others."""
    first = texts.drop_nulls().head(1)
    if len(formats) < 3 or first.is_empty():
        return formats
    fitting = [f for f in formats if tidy(first, f).str.contains(outline(f)).item()]
    return (*fitting[:1], *(f for f in formats if f not in fitting[:1]))


def _parsed(texts: pl.Series, form: str, century: int) -> pl.Series:
    """Texts that have the outline of the format as moments; null where there is no such day or hour."""
    form, texts = _with_minutes(readable(form), tidy(texts, form))
    if "%H" not in form and "%I" not in form:
        return _in_century(_days(form, texts), form, century)
    late = texts.str.contains(end_of_day(form)).fill_null(False) if "%H" in form else None
    if late is not None and late.any():
        texts = texts.zip_with(~late, texts.str.replace(end_of_day(form), "${1}00${2}"))
    read = _in_century(_moments(form, texts), form, century)
    return read if late is None else read.zip_with(~late, _next_day(read))


def _days(form: str, texts: pl.Series) -> pl.Series:
    """Dates without a time; a month or week without a day begins on its first."""
    if not any(day in form for day in ("%d", "%j", "%u")):
        form, texts = f"{form} {'%u' if '%V' in form else '%d'}", texts + " 1"
    return texts.str.to_date(form, strict=False).cast(MOMENT)


def _moments(form: str, texts: pl.Series) -> pl.Series:
    if "%z" not in form:
        return texts.str.to_datetime(form, time_unit="us", strict=False)
    texts = texts.str.replace(r"(?:Z|z|UTC|GMT)$", "+0000").str.replace(r"([+-]\d{2}):(\d{2})$", "$1$2")
    texts = texts.str.replace(r"([+-]\d{2})$", "${1}00")
    return texts.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False).dt.replace_time_zone(None)


def _next_day(read: pl.Series) -> pl.Series:
    return (read.cast(pl.Int64) + DAY).cast(MOMENT)


def _with_minutes(form: str, texts: pl.Series) -> tuple[str, pl.Series]:
    """Format and texts with minutes where hours stand alone."""
    hour = "%H" if "%H" in form else "%I"
    if hour not in form or "%M" in form:
        return form, texts
    texts = texts.str.replace(around(form, hour, r"(\d{1,2})"), "${1}${2}:00${3}")
    return form.replace(hour, f"{hour}:%M"), texts


def _in_century(read: pl.Series, form: str, century: int) -> pl.Series:
    """Two-digit years from ``century`` to 99 years later; null where that year has no such day (29 February)."""
    if "%y" not in form:
        return read
    years = read.dt.year().cast(pl.Int64)
    shifts = (century + (years - century) % 100 - years).fill_null(0)
    for shift in shifts.unique().to_list():
        if shift:
            moved = read.dt.offset_by(f"{shift}y")
            moved = moved.set((moved.dt.day() != read.dt.day()).fill_null(False), None)
            read = read.zip_with(shifts != shift, moved)
    return read


def _nothing(found: pl.Series) -> pl.Series:
    return pl.Series(found.name, [None], dtype=MOMENT).new_from_index(0, len(found))
