"""What a spreadsheet would compute is shown; numbers and other texts stay as they are."""

import csv
import io

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilnworks.components.predicting.spreadsheet import shown_as_text

FORMULAS = [
    "=1+1",
    "@SUM(A1)",
    "+cmd|' /C calc'!A0",
    '-2+3+cmd|"x"!A0',
    '=HYPERLINK("http://a.example")',
    "\t=1",
    " =1",
    "\r=1",
    "＝1+1",
    "-",
]
PLAIN = ["-5", "+1e3", "-.5", "a=b", "a", "", "1-2", "'quoted", None]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_a_text(text):
    assert shown_as_text(pl.DataFrame({"class": [text]}))["class"].to_list() == [f"'{text}"]
    assert shown_as_text(pl.DataFrame({text: [1.0]})).columns == [f"'{text}"]


def test_all_else_stays():
    frame = pl.DataFrame({"class": PLAIN, "probability": [-0.5] * len(PLAIN), "flag": [True] * len(PLAIN)})
    assert shown_as_text(frame).equals(frame)


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_no_cell_of_the_file_begins_like_a_formula(texts):
    written = shown_as_text(pl.DataFrame({"class": texts, "n": [-1] * len(texts)})).write_csv()
    rows = list(csv.reader(io.StringIO(written, newline="")))[1:]
    for (cell, number), text in zip(rows, texts, strict=True):
        assert number == "-1"
        assert cell in (text, f"'{text}")
        assert cell[:1] not in ("=", "@", "\t", "\r") and (cell[:1] not in ("+", "-") or float(cell) is not None)
