"""JSON lines against Python's own ``json`` and pandas: late fields, types that widen, marks, NaN, and broken files."""

import gzip
import io
import json

import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kilnworks.components.quality.screening.files.reading import read_file
from kilnworks.components.sources import JsonLinesSource, Wanted
from kilnworks.components.sources.columns import Column
from kilnworks.components.starting.open_data import open_table
from kilnworks.schemas.errors import DataUnreadable


def write(path, rows, end="\n"):
    path.write_text("".join(json.dumps(row) + end for row in rows))
    return path


def read(path, **dtypes):
    source = JsonLinesSource(path=str(path))
    return pl.concat(source.frames(Wanted({name: Column(name, dtype) for name, dtype in dtypes.items()})))


@pytest.mark.slow
@pytest.mark.parametrize("first", [1, 1000, 10_500])
def test_a_field_may_first_appear_anywhere(tmp_path, first):
    rows = [{"a": at, **({"late": at / 2} if at >= first else {})} for at in range(11_000)]
    path = write(tmp_path / "x.jsonl", rows)
    expected = pd.read_json(io.StringIO(path.read_text()), lines=True)
    frame = read(path, a="int", late="float")
    assert frame["late"].null_count() == int(expected["late"].isna().sum()) == first
    assert frame["late"].sum() == expected["late"].sum()
    assert read_file(path)[0]["late"].sum() == open_table(str(path), "jsonl").frame["late"].sum() == frame["late"].sum()


@pytest.mark.parametrize(
    ("late", "dtype", "expected"),
    [
        (2.5, "float", [*[1.0] * 1200, 2.5]),
        ("n/a", "string", [*["1"] * 1200, "n/a"]),
        (2**53 + 1, "int", [*[1] * 1200, 2**53 + 1]),
        (2**64 - 1, "key", None),
        (True, "string", [*["1"] * 1200, "true"]),
    ],
)
def test_types_that_widen_late(tmp_path, monkeypatch, late, dtype, expected):
    monkeypatch.setattr("kilnworks.components.sources.base.BATCH_ROWS", 500)
    path = write(tmp_path / "x.jsonl", [*[{"a": 1}] * 1200, {"a": late}])
    found = read(path, a=dtype)["a"].to_list()
    assert [str(v) for v in found] == [*["1"] * 1200, str(late)] if expected is None else found == expected


def test_numbers_beside_wide_whole_numbers_keep_every_digit(tmp_path):
    path = write(tmp_path / "x.jsonl", [{"a": 2**60 + 1}, {"a": 1.5}, {"a": None}])
    assert read(path, a="string")["a"].to_list() == [str(2**60 + 1), "1.5", None]


def test_mark_blank_lines_line_ends_and_compression(tmp_path):
    text = '\ufeff{"a": 1}\r\n\r\n   \r\n{"a": 2}'
    (tmp_path / "x.jsonl").write_bytes(text.encode())
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "x.json").write_bytes(text.encode())
    for name in ("x.jsonl", "x.jsonl.gz", "x.json"):
        assert read(tmp_path / name, a="int")["a"].to_list() == [1, 2]
        assert read_file(tmp_path / name)[0]["a"].to_list() == [1, 2]


def test_nan_is_missing_and_infinity_a_number(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"a": NaN}\n{"a": Infinity}\n{"a": -Infinity}\n{"a": 1}\n')
    assert read(tmp_path / "x.jsonl", a="float")["a"].to_list() == [None, float("inf"), float("-inf"), 1.0]


def test_lists_and_objects(tmp_path):
    rows = [{"v": [1, 2], "o": {"x": 1}, "t": ["a"]}, {"v": [1.5, 2], "o": None, "t": []}]
    path = write(tmp_path / "x.jsonl", rows)
    source = JsonLinesSource(path=str(path))
    tensor = pl.concat(source.frames(Wanted({"v": Column("v", "float", (2,))}, any_extra=True)))
    assert tensor["v"].to_list() == [[1.0, 2.0], [1.5, 2.0]]
    with pytest.raises(DataUnreadable, match=r"column 'o': a value of type Struct.* that is not a text: .*line 1 of"):
        list(source.frames(Wanted({"o": Column("o", "string")}, any_extra=True)))
    assert read_file(path)[0]["o"].to_list() == ['{"x": 1}', None]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"a": 1}, {"a": 2}]', r"is one JSON array\n.*one JSON object a line\n.*jq -c '\.\[\]' 'x\.jsonl'"),
        ('[\n  {"a": 1},\n  {"a": 2}\n]\n', "is one JSON array"),
        ('[{"a": 1},\n{"a": 2}]\n', "is one JSON array"),
        ('{\n  "a": 1\n}\n', "is one JSON document over many lines"),
        ('{"a": 1}\n{"a": 2}\n{"a":', "is cut off in line 3"),
        ('{"a": 1}\n{"a": }\n{"a": 3}\n', "line 2 is not JSON"),
        ('{"a": 1}\n[1]\n', "line 2 is list, not an object"),
        ('{"a": 1}\n"x"\n', "line 2 is str, not an object"),
        ('{"a": 1}\nnull\n', "line 2 is NoneType, not an object"),
        ('{"a": 1}\n{"a": 1, "a": 2}\n', "line 2 has the field 'a' twice"),
        ('{"a": 1}\n{"a": "\\ud800"}\n', "lone surrogate"),
        ("\n \n", "is empty"),
    ],
)
def test_what_is_no_json_lines_is_said_with_its_line(tmp_path, text, words):
    (tmp_path / "x.jsonl").write_text(text)
    for call in (
        lambda: read(tmp_path / "x.jsonl", a="string"),
        lambda: read_file(tmp_path / "x.jsonl"),
        lambda: open_table(str(tmp_path / "x.jsonl"), "jsonl"),
    ):
        with pytest.raises(DataUnreadable, match=f"(?s){words}"):
            call()


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(b'{"a": 1}\n{"a": "\xff"}\n')
    with pytest.raises(DataUnreadable, match="line 2 holds bytes that are not utf-8"):
        read(tmp_path / "x.jsonl", a="string")
    (tmp_path / "x.jsonl").write_bytes('{"a": 1}\n'.encode("utf-16"))
    with pytest.raises(DataUnreadable, match="is UTF-16"):
        read(tmp_path / "x.jsonl", a="int")


scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.dictionaries(st.sampled_from("abc"), scalars, min_size=1), min_size=1, max_size=8))
def test_as_text_every_value_is_what_json_says(tmp_path, rows):
    """A column that is wanted as text holds what the line says, whatever the other rows hold."""
    path = write(tmp_path / "x.jsonl", rows)
    names = sorted({name for row in rows for name in row})
    frame = read_file(path)[0]
    for name in names:
        values = [row.get(name) for row in rows]
        kinds = {type(v) for v in values if v is not None}
        found = frame[name].to_list()
        if str in kinds or (len(kinds - {float, int}) > 0 and len(kinds) > 1):
            told = [v if v is None or isinstance(v, str) else json.dumps(v) for v in values]
            assert found == told
        elif kinds == {int} and frame[name].dtype == pl.String:
            assert found == [None if v is None else str(v) for v in values]
        elif frame[name].dtype != pl.String:
            assert found == values
