"""Numbers written in text: what is written by hand in a format comes back, and nothing else is read."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kilnworks.schemas.number_format import NumberFormat


def read(form, *texts):
    plain = form.plain(pl.Series("a", list(texts), dtype=pl.String))
    return [None if value is None else float(value) for value in plain]


@pytest.mark.parametrize(
    ("form", "text", "value"),
    [
        (NumberFormat(), "\u22125", -5),
        (NumberFormat(), " +1.5E+03 ", 1500),
        (NumberFormat(), "1e\u22122", 0.01),
        (NumberFormat(thousands=","), "1,272", 1272),
        (NumberFormat(thousands=","), "-1,234,567.50", -1234567.5),
        (NumberFormat(thousands=","), "1234", 1234),
        (NumberFormat(thousands=",", lakhs=True), "12,34,567", 1234567),
        (NumberFormat(thousands=".", decimal=","), "1.234,5", 1234.5),
        (NumberFormat(thousands=" ", decimal=","), "1\u202f234\u00a0567,5", 1234567.5),
        (NumberFormat(thousands="'", unit="CHF"), "CHF 1\u2019234.50", 1234.5),
        (NumberFormat(thousands="_"), "1_000", 1000),
        (NumberFormat(unit="$", thousands=",", negative="()"), "($1,234.50)", -1234.5),
        (NumberFormat(unit="\u20ac", decimal=","), "-3,5 \u20ac", -3.5),
        (NumberFormat(unit="$"), "$-5", -5),
        (NumberFormat(unit="%"), "12 %", 12),
        (NumberFormat(negative="5-"), "12.5-", -12.5),
    ],
)
def test_a_way_of_writing_is_read(form, text, value):
    assert read(form, text) == [value]


@pytest.mark.parametrize(
    ("form", "texts"),
    [
        (NumberFormat(), ["1,5", "1 5", "5-", "(5)", "--5", "0x1F", "1_000", "12 kg", "", "nan", "true"]),
        (NumberFormat(decimal=","), ["1.272", "1,2,3", "1.5e3"]),
        (NumberFormat(thousands=","), ["12,5", "0,123", "1,2345", "12,34,567", ",123", "1.2.3", "1,234e3"]),
        (NumberFormat(thousands=",", lakhs=True), ["123,456", "1,234,567"]),
        (NumberFormat(thousands=".", decimal=","), ["12.5", "1.23"]),
        (NumberFormat(unit="kg"), ["12", "12 lb", "kg", "12 KG", "kg 12 kg"]),
        (NumberFormat(negative="()"), ["(5", "5)", "(-5)"]),
    ],
)
def test_what_is_written_otherwise_is_no_number(form, texts):
    assert read(form, *texts) == [None] * len(texts)


def written(value: int, fraction: str, form: NumberFormat, blank: bool) -> str:
    """A number in a format, put together digit by digit."""
    digits, groups = str(abs(value)), []
    size = 3
    while len(digits) > size and form.thousands:
        digits, groups = digits[:-size], [digits[-size:], *groups]
        size = 2 if form.lakhs else 3
    number = form.thousands.join([digits, *groups]) + (form.decimal + fraction if fraction else "")
    number = number + " " * blank + form.unit if form.unit else number
    if value >= 0:
        return number
    return {"-": "\u2212" + number, "()": f"({number})", "5-": number + "-"}[form.negative]


marks = st.sampled_from([(".", ""), (",", ""), (".", ","), (",", "."), (".", " "), (",", " "), (".", "'"), (".", "_")])


@given(
    st.lists(st.tuples(st.integers(-(10**12), 10**12), st.text("0123456789", max_size=6), st.booleans()), min_size=1),
    marks,
    st.booleans(),
    st.sampled_from(["", "$", "\u20ac", "%", "kg", "m3", "US$", "km/h"]),
    st.sampled_from(["-", "()", "5-"]),
)
def test_whatever_is_written_in_a_format_comes_back(numbers, sign, lakhs, unit, negative):
    decimal, thousands = sign
    form = NumberFormat(
        decimal=decimal, thousands=thousands, lakhs=lakhs and bool(thousands), unit=unit, negative=negative
    )
    texts = [written(value, fraction, form, blank) for value, fraction, blank in numbers]
    wanted = [float(f"{value}.{fraction or 0}") for value, fraction, _ in numbers]
    assert read(form, *texts) == wanted


def test_a_format_that_contradicts_itself_is_refused():
    for wrong in ({"thousands": "."}, {"lakhs": True}, {"unit": " kg"}, {"unit": "1.5"}, {"decimal": ";"}):
        with pytest.raises(ValidationError):
            NumberFormat(**wrong)


def test_an_example_names_the_format():
    assert str(NumberFormat(thousands=",", unit="$", negative="()")) == "$1,234.5, ($1,234.5)"
    assert str(NumberFormat(decimal=",", thousands=".", unit="kg")) == "1.234,5 kg"
