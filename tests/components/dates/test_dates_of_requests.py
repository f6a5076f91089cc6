"""Dates that are sent to a model: ISO texts one by one, and numbers in another unit than seconds."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilnworks.components.dates.iso import iso_seconds, moment_text
from kilnworks.components.dates.reading import read_dates
from kilnworks.components.dates.wire import Span, off_unit, unit_of
from kilnworks.schemas.dates import DateFormat

MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))
CLOCKS = ["", " 5:07", "T05:07", "T05:07:09", " 05:07:09.25", "T05:07:09,999999Z", "T24:00", "T24:00:01", "T05:07:60"]
CLOCKS += ["T25:00", "T05:61", " 05:07 UTC", "T05:07:09-0230", " 05:07+14", "T05", "T05:07:09+02:00 "]
CLOCKS += ["T05Z", "T5+0130", " 05", "  5", " 05+01", " 05 Z", "T05 +01", "T24", "T25"]
DAYS = st.from_regex(r"[12]\d{3}[-/][01]?\d[-/][0-3]?\d", fullmatch=True)
SPAN = Span(1_577_836_800, 1_704_067_200)
"""2020 to 2024."""


@given(MOMENTS, st.integers(-14 * 60, 14 * 60))
def test_seconds_are_those_of_python(moment, minutes):
    zoned = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    known = (zoned - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    assert iso_seconds(zoned.isoformat()) == known
    assert iso_seconds(zoned.isoformat(sep=" ")) == known


@pytest.mark.slow
@given(st.one_of(st.builds(str.__add__, DAYS, st.sampled_from(CLOCKS)), st.text("0123456789-/:T .Z+", max_size=30)))
def test_a_request_reads_what_a_file_reads(text):
    moment = read_dates(pl.Series([text]), DateFormat())
    known = moment.dt.epoch("s")[0]
    assert iso_seconds(text) == known


@pytest.mark.parametrize(("factor", "unit"), [(1e3, "milliseconds"), (1e6, "microseconds"), (1e9, "nanoseconds")])
@given(seconds=st.integers(1_577_836_800, 1_704_067_200))
def test_numbers_in_another_unit_are_told(factor, unit, seconds):
    sent = np.array([seconds * int(factor), seconds])
    assert off_unit(sent, SPAN).tolist() == off_unit(sent, None).tolist() == [True, False]
    assert unit_of(float(sent[0]), SPAN) == unit_of(float(sent[0]), None) == unit
    assert off_unit(np.array([seconds // int(factor), seconds // 86_400]), SPAN).tolist() == [factor < 1e8, True]


def test_other_moments_are_in_order():
    values = np.array([0, 1, -1, 1_400_000_000, 1_900_000_000, 4_000_000_000, -2_000_000_000])
    assert not off_unit(values, SPAN).any() and not off_unit(values, None).any()
    births = Span(-1_356_998_400, 1_704_067_200)
    assert not off_unit(np.array([1_700_000, 0]), births).any(), "January 1970 is among the training moments"


def test_moments_in_words():
    assert moment_text(1_704_067_200) == "2024-01-01"
    assert moment_text(1_704_067_201) == "2024-01-01T00:00:01Z"
    assert moment_text(1.7e15) == "1.7e+15"
