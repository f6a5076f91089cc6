"""How a column writes its dates is found from all of its rows."""

import random
from datetime import date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilnworks.components.dates import finding
from kilnworks.components.dates.century import first_year
from kilnworks.components.dates.finding import find_dates
from kilnworks.components.dates.numbers import are_serials, find_number_dates
from kilnworks.components.dates.reading import read_dates
from kilnworks.components.dates.spelling import spellings
from kilnworks.components.dates.unread import unread
from kilnworks.schemas.dates import ISO
from kilnworks.schemas.errors import DataUnreadable

TODAY = date(2026, 11, 28)
DAYS = [date(2023, 1, 1) + timedelta(days=5 * k) for k in range(150)]
EARLY = [day for day in DAYS if day.day <= 12]
"""Days that read both ways."""


def found(texts, name="when"):
    return find_dates(name, pl.Series(texts, dtype=pl.String), TODAY)


@pytest.mark.slow
@given(
    st.sampled_from(
        ["%m/%d/%y", "%d/%m/%Y", "%d.%m.%y", "%y-%m-%d", "%b %d, %Y", "%d-%b-%y", "%Y%m%d", "%m/%d/%Y %I:%M %p",
         "%Y-%d-%m", "%A, %d %B %Y %H:%M:%S", "%H:%M %d/%m/%Y"]
    ),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_the_days_that_were_written_are_found(form, rng):
    days = rng.sample(DAYS, len(DAYS))
    texts = pl.Series([day.strftime(form) for day in days])
    how = find_dates("when", texts, TODAY)
    assert how is not None and not how.rivals
    assert read_dates(texts, how.how).dt.date().to_list() == days


@pytest.mark.parametrize("order", ["%d/%m/%Y", "%m/%d/%Y"])
def test_one_late_row_decides_for_the_column(order, monkeypatch):
    monkeypatch.setattr(finding, "SCREENED", 10)
    texts = [day.strftime(order) for day in random.Random(0).sample(EARLY, len(EARLY))] * 30
    assert found(texts).rivals
    found_late = found([*texts, date(2024, 2, 13).strftime(order)])
    assert (found_late.how.format, found_late.rivals) == (order, ())


def test_rows_that_contradict_one_another_are_shown_both():
    texts = [day.strftime("%d/%m/%Y") for day in EARLY] + ["13/02/2024", None, "02/14/2024"]
    with pytest.raises(DataUnreadable) as caught:
        found(texts)
    text = str(caught.value)
    assert f"row {len(EARLY) + 1} ('13/02/2024') can only be %d/%m/%Y" in text
    assert f"row {len(EARLY) + 3} ('02/14/2024') can only be %m/%d/%Y" in text


def test_what_reads_both_ways_has_a_rival_and_the_order_of_rows_may_decide():
    mixed = random.Random(1).sample(EARLY, len(EARLY))
    for form, other in (("%d/%m/%Y", "%m/%d/%Y"), ("%m/%d/%Y", "%d/%m/%Y")):
        in_order = found([day.strftime(form) for day in EARLY])
        assert (in_order.how.format, [r.format for r in in_order.rivals], in_order.by_order) == (form, [other], True)
        either = found([day.strftime(form) for day in mixed])
        assert (either.how.format, either.by_order, len(either.rivals)) == ("%m/%d/%Y", False, 1)
    assert found([day.strftime("%d.%m.%Y") for day in mixed]).how.format == "%d.%m.%Y"


def test_iso_dates_have_no_rival_and_days_that_do_not_exist_are_named():
    one = found([day.isoformat() for day in EARLY])
    assert (one.how.format, one.rivals) == ("iso", ())
    lost = found([day.isoformat() for day in DAYS] + ["2023-02-29"])
    assert (lost.how.format, lost.lost, lost.unread) == ("iso", ((len(DAYS), "2023-02-29"),), 1)


@pytest.mark.parametrize(
    ("name", "latest", "first"),
    [
        ("sold", 2026, 1969),
        ("birth_date", 2020, 1927),
        ("dob", 2060, 1927),
        ("sold", 2060, 1928),
        ("expiry", 2060, 1969),
    ],
)
def test_hundred_years(name, latest, first):
    assert first_year(name, latest, TODAY) == first


def test_births_are_not_in_the_future():
    texts = [f"{1 + k % 12:02d}/15/{(30 + k) % 100:02d}" for k in range(96)]
    years = read_dates(pl.Series(texts), found(texts, "date_of_birth").how).dt.year()
    assert (years.min(), years.max()) == (1930, 2025)


@pytest.mark.parametrize("texts", [["1.2.3", "10.2.12"], ["12", "13"], ["a 5", "b 6"], ["555-1234"], ["100%"]])
def test_other_texts_are_no_dates(texts):
    assert found(texts * 20) is None


@pytest.mark.parametrize(
    "text", ["01/02/2024", "2024-01-31T05:00:00Z", "Jan 5, 2024", "5 p.m.", "hello", "20240131", ""]
)
def test_spellings_are_formats_that_read_the_outline(text):
    for form in spellings(text):
        assert "\0" not in form and "\1" not in form and any(year in form for year in ("%Y", "%y", "%G"))


@pytest.mark.parametrize(
    ("name", "values", "form"),
    [
        ("created_at", [1_704_067_200 + 60 * k for k in range(50)], "epoch s"),
        ("timestamp", [1_704_067_200_000 + 60 * k for k in range(50)], "epoch ms"),
        ("ts", [1_704_067_200_000_000 + k for k in range(50)], "epoch us"),
        ("eventTime", [1_704_067_200.25 + k for k in range(50)], "epoch s"),
        ("anything", [int(day.strftime("%Y%m%d")) for day in DAYS], "%Y%m%d"),
        ("month", [202_401 + k % 12 for k in range(50)], "%Y%m"),
        ("amount", [1_704_067_200 + 60 * k for k in range(50)], None),
        ("date_id", [int(day.strftime("%Y%m%d")) for day in DAYS], None),
        ("anything", [20_240_100 + k for k in range(50)], None),
        ("time", [float(k) for k in range(50)], None),
    ],
)
def test_numbers(name, values, form):
    how = find_number_dates(name, pl.Series(values))
    assert (how and how.format) == form


def test_days_of_a_spreadsheet():
    assert are_serials("date", pl.Series([45_292 + k for k in range(30)]))
    assert not are_serials("price", pl.Series([45_292 + k for k in range(30)]))


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["05:30 PM", "6:15 AM"], "times of day"),
        (["17:30", "18:00"], "times of day"),
        (["18h39", "7h05"], "times of day ('18h39'), which are not read as numbers: write them as seconds or hours"),
        (["22.12 Uhr", "8 Uhr"], "times of day"),
        (["75:24", "181:07"], "times of day or durations"),
        (["1:23:45", "27:00:01"], "times of day or durations"),
        (["P1DT2H", "PT5M"], "durations"),
        (["90 min", "2 h"], "durations with their unit"),
        (["5. Januar 2024", "6. März 2024"], "not English"),
        (["5 de enero de 2024", "6 de marzo de 2024"], "not English"),
        (["2024-01-31 05:00 EST", "2024-01-31 06:00 PST"], "time zone by name"),
        (["31.01.2024", "01/31/2024"], "several ways"),
        (["2024-01-31T05:00:00[Europe/Berlin]", "2024-02-01T05:00:00[Europe/Berlin]"], "time zone by name"),
        (["2024-01-31 08.07.00", "2024-02-01 09.15.30"], "in a form that is not read"),
        (["2024\u5e7401\u670831\u65e5", "2024\u5e7402\u670801\u65e5"], "in a form that is not read"),
        (["2024-Q1", "Q2 2024"], "quarters"),
        (["192.168.1.12", "10.0.12.34"], ""),
        (["555-12-3456", "123-45-6789"], ""),
        (["red", "blue"], ""),
        (["12 apples", "13 pears"], ""),
    ],
)
def test_what_is_not_read_has_a_name(texts, words):
    said = unread(pl.Series(texts))
    assert words in said if words else said == ""


def test_moments_of_each_format_agree_with_the_clock():
    moments = [datetime(2023, 3, 1, 8) + timedelta(hours=7 * k) for k in range(60)]
    for form in ("%m/%d/%Y %I:%M:%S %p", "%d %b %Y, %H:%M", "%Y-%m-%dT%H:%M:%SZ", "%a %b %d %H:%M:%S %Y"):
        texts = pl.Series([moment.strftime(form) for moment in moments])
        assert read_dates(texts, find_dates("when", texts, TODAY).how).to_list() == moments


def test_keys_with_leading_zeros_are_no_months_of_the_first_century():
    """`1-0007` of mote and reading was read as January of the year 7; a year of ISO 8601 may be of old."""
    assert found([f"{1 + k % 4}-{k:04d}" for k in range(7, 4000)]) is None
    assert found([f"{1 + k % 12}-{2000 + k % 20}" for k in range(400)]).how.format == "%m-%Y"
    assert found([f"{600 + k:04d}-03-{1 + k % 28:02d}" for k in range(300)]).how.format == ISO
    assert (
        found(["01/01/0001"] * 5 + [f"{1 + k % 28:02d}/03/20{k % 20:02d}" for k in range(400)]).how.format == "%d/%m/%Y"
    )
