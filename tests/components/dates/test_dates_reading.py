"""Dates are read as Python's own clock reads them, in every format, and never as another day."""

from datetime import UTC, date, datetime, timedelta, timezone

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kilnworks.components.dates.reading import read_dates
from kilnworks.schemas.dates import DateFormat

DAYS = ("%d.%m.%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%b-%Y", "%B %d, %Y", "%A, %d %B %Y", "%Y%m%d", "%Y-%j", "%d/%m/%Y")
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %H:%M:%S.%f")
MOMENTS = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 30))


def read(text: str | None, form: str = "iso", first_year: int | None = None) -> datetime | None:
    return read_dates(pl.Series([text], dtype=pl.String), DateFormat(format=form, first_year=first_year))[0]


@pytest.mark.slow
@given(MOMENTS, st.sampled_from(DAYS), st.sampled_from(CLOCKS))
def test_what_python_writes_is_read_back(moment, day, clock):
    written = moment.strftime(day + clock).replace(moment.strftime("%Y"), f"{moment.year:04d}")
    known = datetime.strptime(written, day + clock)
    assert read(written, (day + clock).replace(".%f", "%.f")) == known


@pytest.mark.slow
@given(MOMENTS, st.integers(-14 * 60, 14 * 60), st.sampled_from(["T", " "]))
def test_iso_8601_is_moved_to_utc(moment, minutes, between):
    zoned = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    try:
        known = zoned.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        return
    assert read(zoned.isoformat(sep=between)) == known
    assert read(moment.isoformat(sep=between)) == moment


@pytest.mark.slow
@given(st.dates(date(1900, 1, 1), date(2100, 12, 31)), st.integers(1900, 2001))
def test_two_digit_years_lie_within_their_hundred(day, first):
    found = read(day.strftime("%m/%d/%y"), "%m/%d/%y", first)
    year = next(y for y in range(first, first + 100) if y % 100 == day.year % 100)
    try:
        known = datetime(year, day.month, day.day)
    except ValueError:
        known = None  # 29 February of a year without one
    assert found == known


def test_two_digit_years_are_those_of_posix_where_nothing_is_said():
    assert [read(f"01/02/{yy}", "%m/%d/%y").year for yy in ("68", "69", "98", "00")] == [2068, 1969, 1998, 2000]


@pytest.mark.parametrize(
    ("text", "form", "known"),
    [
        ("1/2/2024 5:00pm", "%m/%d/%Y %I:%M %p", datetime(2024, 1, 2, 17)),
        ("1/2/2024 5:00\u202fp.m.", "%m/%d/%Y %I:%M %p", datetime(2024, 1, 2, 17)),
        ("12/31/2024 12:00 AM", "%m/%d/%Y %I:%M %p", datetime(2024, 12, 31)),
        ("01/02/2024 5 p. m.", "%m/%d/%Y %I %p", datetime(2024, 1, 2, 17)),
        ("Jan. 5th, 2024", "%b %d, %Y", datetime(2024, 1, 5)),
        ("5 Sept. 2024", "%d %b %Y", datetime(2024, 9, 5)),
        ("Wed Jan 31 05:00:00 +0200 2024", "%A %b %d %H:%M:%S%.f %z %Y", datetime(2024, 1, 31, 3)),
        ("31/Jan/2024:05:00:00 -0130", "%d/%b/%Y:%H:%M:%S%.f %z", datetime(2024, 1, 31, 6, 30)),
        ("2024-W05-3", "%G-W%V-%u", datetime(2024, 1, 31)),
        ("2024-W05", "%G-W%V", datetime(2024, 1, 29)),
        ("Jan-24", "%b-%y", datetime(2024, 1, 1)),
        ("Jan '24", "%b '%y", datetime(2024, 1, 1)),
        ("20240131T053000Z", "%Y%m%dT%H%M%S%z", datetime(2024, 1, 31, 5, 30)),
        ("2024-01-31T24:00", "iso", datetime(2024, 2, 1)),
        ("31.12.2024 24:00", "%d.%m.%Y %H:%M", datetime(2025, 1, 1)),
        ("2024-01-31T05", "iso", datetime(2024, 1, 31, 5)),
        ("2024-01-31 05", "iso", datetime(2024, 1, 31, 5)),
        ("2024-01-31T05+02", "iso", datetime(2024, 1, 31, 3)),
        ("2024-01-31T24Z", "iso", datetime(2024, 2, 1)),
        ("2024-01-31 05:00:00,25", "iso", datetime(2024, 1, 31, 5, 0, 0, 250_000)),
        ("1899-12-31 23:59:59.5", "iso", datetime(1899, 12, 31, 23, 59, 59, 500_000)),
        ("31.12.2024", "%d.%m.%Y %H:%M", datetime(2024, 12, 31)),
        ("2024-12-31", "%d.%m.%Y %H:%M", datetime(2024, 12, 31)),
        ("1704067200123", "epoch ms", datetime(2024, 1, 1, 0, 0, 0, 123_000)),
        ("1704067200.5", "epoch s", datetime(2024, 1, 1, 0, 0, 0, 500_000)),
    ],
)
def test_spellings(text, form, known):
    assert read(text, form) == known


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("01/02/98", "%m/%d/%Y"),
        ("01/02/1998", "%m/%d/%y"),
        ("13/02/2024", "%m/%d/%Y"),
        ("2023-02-29", "iso"),
        ("31/04/2024", "%d/%m/%Y"),
        ("01/02/2024", "iso"),
        ("98-01-02", "iso"),
        ("12024-01-01", "iso"),
        ("2024-01-31T24:01", "iso"),
        ("1/2/2024 13:00 PM", "%m/%d/%Y %I:%M %p"),
        ("Tuesday, January 30, 2023", "%A, %B %d, %Y"),
        ("20240230", "%Y%m%d"),
        ("202401311", "%Y%m%d"),
        ("2024-13-01", "%Y-%m-%d"),
        ("2024-01-13", "%Y-%d-%m"),
        ("99999999999999999", "epoch ms"),
        ("tomorrow", "epoch s"),
        ("", "iso"),
        (None, "iso"),
    ],
)
def test_what_is_not_written_so_is_not_read(text, form):
    assert read(text, form) is None


def test_numbers_and_typed_dates():
    whole = pl.Series([1_704_067_200, None])
    assert read_dates(whole, DateFormat(format="epoch s")).to_list() == [datetime(2024, 1, 1), None]
    assert read_dates(whole, DateFormat()).to_list() == [None, None], "a number is no date where nothing says so"
    assert read_dates(pl.Series([20240131]), DateFormat(format="%Y%m%d")).to_list() == [datetime(2024, 1, 31)]
    zoned = pl.Series([datetime(2024, 1, 1, 5)]).dt.replace_time_zone("Europe/Berlin")
    assert read_dates(zoned, DateFormat(format="epoch s")).to_list() == [datetime(2024, 1, 1, 4)]


def test_rows_of_many_forms_are_each_read():
    texts = pl.Series(["2024-01-01", "2024-01-01 05:00", None, "2024-01-01T05:00:00+02:00", "no", "2024/01/02"])
    assert read_dates(texts, DateFormat()).to_list() == [
        datetime(2024, 1, 1), datetime(2024, 1, 1, 5), None, datetime(2024, 1, 1, 3), None, datetime(2024, 1, 2)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("form", "words"),
    [("%d.%m", "no year"), ("%Q", "not known"), ("%m/%d/%Y %I:%M", "needs %p"), ("year first", "no year")],
)
def test_formats_that_name_no_moment_are_refused(form, words):
    with pytest.raises(ValidationError, match=words):
        DateFormat(format=form)
    with pytest.raises(ValidationError, match="two-digit"):
        DateFormat(format="%Y-%m-%d", first_year=1950)
