"""Rows as people hold them reach the reader as a file of the same rows."""

import pandas as pd
import polars as pl
import pytest

from kilnworks.frames import as_given, as_polars
from kilnworks.schemas.errors import DataUnreadable, RequestInvalid

ROWS = pl.DataFrame({"age": [30, None], "city": ["Köln", "Rome"]})


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        ROWS.lazy(),
        pd.DataFrame({"age": [30, None], "city": ["Köln", "Rome"]}, index=[7, 3]).astype({"age": "Int64"}),
        {"age": [30, None], "city": ["Köln", "Rome"]},
        [{"age": 30, "city": "Köln"}, {"age": None, "city": "Rome"}],
    ],
    ids=lambda rows: type(rows).__module__ + "." + type(rows).__name__,
)
def test_rows_of_any_kind(rows):
    with as_polars(rows) as path:
        assert pl.read_parquet(path).equals(ROWS)
    assert not path.exists()


@pytest.mark.parametrize("rows", [ROWS.clear(), [], {}, pd.DataFrame({"age": []})], ids=str)
def test_no_rows(rows):
    with pytest.raises(DataUnreadable, match="without rows"), as_polars(rows):
        pass


@pytest.mark.parametrize("rows", [7, None, "", b"age", {"age": [1, "x"]}, {"age": [1], "city": ["a", "b"]}], ids=str)
def test_no_table(rows):
    with pytest.raises(DataUnreadable) as caught, as_polars(rows):
        pass
    assert "\n" not in caught.value.got and caught.value.wanted and caught.value.fix


def test_the_file_is_not_named_in_an_error():
    with pytest.raises(RequestInvalid, match=r"^the frame breaks the contract\n") as caught, as_polars(ROWS) as path:
        raise RequestInvalid(f"{path} breaks the contract", "all", "mend them", {"row": 1})
    assert caught.value.details == {"row": 1} and caught.value.fix == "mend them"


def test_answers_have_the_index_of_pandas_rows():
    answers = pl.DataFrame({"class": ["No", "Yes"]})
    told = as_given(answers, pd.DataFrame({"age": [1, 2]}, index=["b", "a"]))
    assert told["class"].to_dict() == {"b": "No", "a": "Yes"}
    assert as_given(answers, ROWS) is answers
