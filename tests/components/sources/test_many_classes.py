"""Labels of which a row may have many classes: every spelling ends as the same text."""

import json
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilnworks.components.sources import CsvSource, JsonLinesSource, ParquetSource
from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.columns import contract_columns
from kilnworks.components.sources.many_classes import joined
from kilnworks.schemas.contract import Contract, Label

CLASSES = ("a", "b", "c")
ROWS = [["a"], ["c", "a"], [], ["b", "b"], None]
EXPECTED = ["a", "a;c", "(none)", "b", None]


def contract(**label) -> Contract:
    spelled = {"name": "tags", "dtype": "string", "classes": CLASSES, "many": True, **label}
    return Contract.model_validate({"name": "c", "features": {"x": {"dtype": "float"}}, "label": spelled})


def read(source: Source, **label) -> list:
    asked = contract(**label)
    frame = pl.concat(list(source.frames(Wanted(contract_columns(asked)))))
    assert frame.columns == ["x", "tags"]
    return frame["tags"].to_list()


def test_cells_of_a_csv(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('x,tags\n1,a\n1,"c, a"\n1,"b,b,"\n1,d\n1,\n1,NA\n')
    assert read(CsvSource(path=str(tmp_path / "t.csv")), separator=",") == ["a", "a,c", "b", "d", "(none)", None]


def test_lists_of_json_lines_and_parquet(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"x": 1.0, "tags": row}) + "\n" for row in ROWS))
    assert read(JsonLinesSource(path=str(tmp_path / "t.jsonl"))) == EXPECTED
    pl.DataFrame({"x": [1.0] * 5, "tags": ROWS}).write_parquet(tmp_path / "t.parquet")
    assert read(ParquetSource(path=str(tmp_path / "t.parquet"))) == EXPECTED


def test_a_column_for_each_class(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("x,is_a,is_b,is_c\n1,1,0,0\n1,1,0,1\n1,0,0,0\n1,false,true,false\n1,,1,0\n")
    source = CsvSource(path=str(tmp_path / "t.csv"))
    assert read(source, columns=("is_a", "is_b", "is_c")) == EXPECTED


@pytest.mark.slow
@given(st.lists(st.lists(st.sampled_from([*CLASSES, "other"]), max_size=5), max_size=8))
def test_a_text_is_its_own_spelling(rows: list[list[str]]) -> None:
    label = contract().label
    assert label is not None
    once = joined(pl.Series("tags", rows, dtype=pl.List(pl.String)), label)
    assert joined(once, label).to_list() == once.to_list()
    from_text = pl.Series("tags", [";".join(row) for row in rows], dtype=pl.String)
    assert joined(from_text, label).to_list() == once.to_list()


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ({"classes": ["a;b", "c"]}, "cannot be told apart"),
        ({"columns": ["one"]}, "names 1 columns for 3 classes"),
        ({"dtype": "float", "classes": [1.0, 2.0]}, "dtype string or int"),
        ({"many": False, "columns": ["x1", "x2", "x3"]}, "with many: true"),
    ],
)
def test_labels_that_cannot_be_written_are_refused(label: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Label.model_validate({"name": "t", "dtype": "string", "classes": list(CLASSES), "many": True, **label})
