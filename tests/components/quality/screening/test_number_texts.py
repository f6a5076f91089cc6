"""How numbers of a column are written is found from all values; values come back as pandas or a hand reads them."""

import io
import random

import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilnworks.components.quality.screening.columns.column_specs import describe_columns, parse_decimals
from kilnworks.components.quality.screening.columns.kinds import describe
from kilnworks.components.quality.screening.columns.lookalikes import alike, normal
from kilnworks.components.quality.screening.columns.number_texts import find_formats
from kilnworks.components.sources.label_texts import absent_labels, without_absent
from kilnworks.schemas.errors import ConfigError, UnknownName
from kilnworks.schemas.number_format import NumberFormat

R = random.Random(3)
FRACTIONS = [f"{R.uniform(1, 99):.2f}" for _ in range(40)]


def found(*texts):
    return find_formats(pl.Series("a", list(texts), dtype=pl.String))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("texts", "form", "values"),
    [
        (["1,272", "1,019,000"], {"thousands": ","}, [1272, 1019000]),
        (["1,272", "315.5"], {"thousands": ","}, [1272, 315.5]),
        (["1.272,50", "3,25"], {"thousands": ".", "decimal": ","}, [1272.5, 3.25]),
        (["1.272", "1.019.000"], {"thousands": ".", "decimal": ","}, [1272, 1019000]),
        (["1 234", "12"], {"thousands": " "}, [1234, 12]),
        (["1\u00a0234", "1\u202f234\u202f567", "5"], {"thousands": " "}, [1234, 1234567, 5]),
        (["1\u202f234,5", "5"], {"thousands": " ", "decimal": ","}, [1234.5, 5]),
        (["1'234", "1\u2019234.25"], {"thousands": "'"}, [1234, 1234.25]),
        (["12,34,567", "3,456"], {"thousands": ",", "lakhs": True}, [1234567, 3456]),
        (["$1,234.50", "$7"], {"thousands": ",", "unit": "$"}, [1234.5, 7]),
        (["3,50 \u20ac", "-12,00 \u20ac"], {"decimal": ",", "unit": "\u20ac"}, [3.5, -12]),
        (["1,234.50", "(1,234.50)"], {"thousands": ",", "negative": "()"}, [1234.5, -1234.5]),
        (["$1,234.50", "($1,234.50)"], {"thousands": ",", "unit": "$", "negative": "()"}, [1234.5, -1234.5]),
        (["$1,234.50", "$(7.25)"], {"thousands": ",", "unit": "$", "negative": "()"}, [1234.5, -7.25]),
        (["12 %", "7 %"], {"unit": "%"}, [12, 7]),
        (["12-", "5.5"], {"negative": "5-"}, [-12, 5.5]),
        (["\u221212", "5.5"], {}, [-12, 5.5]),
        (["0,123", "1,234"], {"decimal": ","}, [0.123, 1.234]),
        (["\uff11\uff12", "\uff13.5"], {}, [12, 3.5]),
        (["\u0661,\u0662\u0663\u0664", "1,019,000"], {"thousands": ","}, [1234, 1019000]),
        (["\u0967\u0968 kg", "3 kg"], {"unit": "kg"}, [12, 3]),
    ],
)
def test_the_format_and_the_values_are_found(texts, form, values):
    (only,) = found(*texts).formats
    assert only == NumberFormat(**form)
    assert [float(text) for text in only.plain(pl.Series("a", texts))] == values


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        (["12 kg", "13 kg", "3 lb"], "numbers in several units: 2 like '12 kg', 1 like '3 lb'"),
        (["$12", "13", "$14", "15"], "numbers with and without a unit: 2 like '$12', 2 like '13'"),
        (["$12", "(13)"], "numbers with and without a unit"),
        ([*(f"1,{k}.5" for k in range(100, 140)), "1,27.5"], "40 numbers like 1,234.5, and 1 otherwise: '1,27.5'"),
    ],
)
def test_numbers_that_are_written_in_several_ways_are_a_problem_and_no_format(texts, problem):
    reading = found(*texts)
    assert reading.formats == () and reading.problem.startswith(problem)


@pytest.mark.parametrize(
    "texts", [["00123", "00456"], ["12", "oak"], ["A1", "B2"], ["1.2.2024", "3.2.2024"], ["1:30"], ["\uff10\uff11"]]
)
def test_codes_words_and_dates_are_no_numbers(texts):
    assert found(*texts).formats == ()


def test_leading_zeros_stay_texts_in_every_column():
    spec = describe("zip", pl.Series("zip", [f"0{k},5" for k in range(40)]))
    assert spec.kind != "number" and spec.number is None


@pytest.mark.parametrize(("sign", "forms"), [(",", {",", "."}), (".", {",", "."})])
def test_three_digits_behind_the_only_mark_read_two_ways(sign, forms):
    texts = [f"{k}{sign}{100 + k}" for k in range(1, 30)]
    reading = found(*texts)
    assert {form.decimal for form in reading.formats} == forms
    spec = describe("a", pl.Series("a", texts))
    assert spec.other is not None and spec.other != (spec.number or NumberFormat())


@pytest.mark.slow
@pytest.mark.parametrize(("thousands", "decimal"), [(",", "."), (".", ","), ("'", "."), (" ", ","), ("_", ".")])
@given(st.lists(st.integers(-(10**9), 10**9), min_size=5, max_size=30))
def test_numbers_come_back_as_pandas_reads_them(thousands, decimal, cents):
    known = [*cents, 123456789, 150]
    texts = [f"{n / 100:,.2f}".translate({ord(","): thousands, ord("."): decimal}) for n in known]
    (form,) = found(*texts).formats
    assert (form.thousands, form.decimal) == (thousands, decimal)
    text = "a;b\n" + "".join(f"{t};1\n" for t in texts)
    wanted = pd.read_csv(io.StringIO(text), sep=";", thousands=thousands, decimal=decimal)["a"]
    assert [float(v) for v in form.plain(pl.Series("a", texts))] == wanted.tolist() == [n / 100 for n in known]


def test_each_column_of_a_file_decides_for_itself():
    frame = pl.DataFrame(
        {
            "price": [f"{1000 + 37 * k:,}" if k % 4 else str(300 + k) for k in range(40)],
            "size": FRACTIONS,
            "weight": [text.replace(".", ",") for text in FRACTIONS],
            "paid": [f"\u20ac{1234.5 + k:,.2f}" for k in range(40)],
        }
    )
    specs = describe_columns(frame)
    assert specs["price"].number == NumberFormat(thousands=",") and specs["price"].integer
    assert specs["size"].number is None and specs["weight"].number == NumberFormat(decimal=",")
    assert specs["paid"].number == NumberFormat(thousands=",", unit="\u20ac")


@pytest.mark.parametrize(("delimiter", "decimal"), [(";", ","), (",", ".")])
def test_semicolons_come_with_decimal_commas_where_nothing_else_decides(delimiter, decimal):
    frame = pl.DataFrame({"a": [f"{k},{100 + k}" for k in range(1, 41)]})
    spec = describe_columns(frame, delimiter=delimiter)["a"]
    assert (spec.number or NumberFormat()).decimal == decimal and spec.other is not None


@pytest.mark.parametrize(("neighbour", "decimal"), [("12.5", "."), ("12,5", ",")])
def test_a_neighbour_with_fractions_tells_what_an_ambiguous_column_means(neighbour, decimal):
    other = [neighbour.replace("12", str(k)) for k in range(40)]
    frame = pl.DataFrame({"a": [f"{k},{100 + k}" for k in range(1, 41)], "b": other})
    spec = describe_columns(frame, delimiter=";")["a"]
    assert (spec.number or NumberFormat()).decimal == decimal and spec.other is not None


def test_a_person_decides():
    frame = pl.DataFrame({"a": [f"{k},{100 + k}" for k in range(1, 41)]})
    assert describe_columns(frame, {"a": ","})["a"].number == NumberFormat(decimal=",")
    said = describe_columns(frame, {"a": "."})["a"]
    assert said.number == NumberFormat(thousands=",") and said.other is None
    points = pl.DataFrame({"a": [f"{k}.{100 + k}" for k in range(1, 41)]})
    assert describe_columns(points, {"a": ","})["a"].number == NumberFormat(thousands=".", decimal=",")
    assert describe_columns(points, {"a": "."})["a"].number is None


@pytest.mark.parametrize(
    ("texts", "decimal"), [(["1.5", "2.25"], ","), (["1,5", "2,25"], "."), (["red", "blue"], ","), (["$1", "2"], ".")]
)
def test_a_sign_that_does_not_fit_is_refused(texts, decimal):
    with pytest.raises(ConfigError, match="the column holds"):
        describe_columns(pl.DataFrame({"a": texts * 10}), {"a": decimal})
    with pytest.raises(UnknownName, match="b"):
        describe_columns(pl.DataFrame({"a": texts * 10}), {"b": decimal})


def test_decimal_options():
    assert parse_decimals(["price=,", "a=b=."]) == {"price": ",", "a=b": "."}
    for wrong in ("price", "=,", "price=;", "price=", ",=price"):
        with pytest.raises(ConfigError, match="COLUMN=, or COLUMN="):
            parse_decimals([wrong])


def test_values_that_look_the_same():
    values = [
        "yes",
        "yes ",
        "Yes",
        "no",
        "caf\u00e9",
        "cafe\u0301",
        "cafe",
        "a b",
        "a\u00a0b",
        "x\u200b",
        "x",
        "\uff11",
        "1",
    ]
    assert [set(group) for group in alike(values)] == [
        {"1", "\uff11"}, {"Yes", "yes", "yes "}, {"a b", "a\u00a0b"}, {"cafe\u0301", "caf\u00e9"}, {"x", "x\u200b"},
    ]  # fmt: skip
    assert alike(["a-b", "a b", "ab", "c"]) == [] and normal("  STRASSE ") == normal("stra\u00dfe")


def test_texts_that_mean_no_label():
    texts = pl.Series("y", ["NA", " n/a ", "", "?", "-", "none", "unknown", "a", None])
    assert absent_labels(texts).to_list() == [True, True, True, True, True, False, False, False, False]
    assert absent_labels(texts, ["NA", "a"]).to_list()[:2] == [False, True]
    assert without_absent(texts).to_list() == [None] * 5 + ["none", "unknown", "a", None]
