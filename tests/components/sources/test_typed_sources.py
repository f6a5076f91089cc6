"""Parquet, JSON lines and .npz: the same rows, and what cannot be held."""

import datetime as dt
import json

import numpy as np
import polars as pl
import pytest

from kilnworks.components.sources import JsonLinesSource, NpzSource, ParquetSource, Wanted
from kilnworks.components.sources.columns import Column, contract_columns
from kilnworks.schemas.errors import DataInvalid, DataUnreadable
from tests.components.sources.data_makers import people, people_frame


def read(source, wanted, split=None):
    return pl.concat(list(source.frames(wanted, split)))


def one(tmp_path, series: pl.Series, dtype: str, shape=()):
    """What becomes of one Parquet column that is wanted as ``dtype``."""
    pl.DataFrame([series.rename("x")]).write_parquet(tmp_path / "x.parquet")
    return read(ParquetSource(path=str(tmp_path / "x.parquet")), Wanted({"x": Column("x", dtype, shape)}))["x"]


def test_parquet_and_jsonl_give_the_same_rows(tmp_path):
    frame, wanted = people_frame(), Wanted(contract_columns(people()))
    frame.write_parquet(tmp_path / "x.parquet")
    lines = frame.with_columns(pl.col("joined").dt.to_string("iso"))
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in lines.to_dicts()))
    for source in (ParquetSource(path=str(tmp_path / "x.parquet")), JsonLinesSource(path=str(tmp_path / "x.jsonl"))):
        assert read(source, wanted).equals(frame)


@pytest.mark.parametrize(
    ("series", "dtype", "expected"),
    [
        (pl.Series([1, 2], dtype=pl.Int8), "float", [1.0, 2.0]),
        (pl.Series([1.0, float("nan")]), "float", [1.0, None]),
        (pl.Series([1.0, 2.0, None]), "int", [1, 2, None]),
        (pl.Series(["1", " 2.0 ", "", None]), "int", [1, 2, None, None]),
        (pl.Series(["a", "", None], dtype=pl.Categorical), "string", ["a", None, None]),
        (pl.Series([7, 8]), "string", ["7", "8"]),
        (pl.Series([1, 0, None]), "bool", [True, False, None]),
        (pl.Series(["Yes", "no", "TRUE", "0"]), "bool", [True, False, True, False]),
        (pl.Series([dt.date(2024, 1, 31)]), "datetime", [dt.datetime(2024, 1, 31)]),
        (pl.Series(["2024-01-31T10:00:00+02:00"]), "datetime", [dt.datetime(2024, 1, 31, 8)]),
        (
            pl.Series(["2024-01-31", None, "2024-01-31 10:00", "2024-01-31T10:00:00Z", "2024-01-31T10:00:00.5-01:00"]),
            "datetime",
            [
                dt.datetime(2024, 1, 31),
                None,
                *[dt.datetime(2024, 1, 31, 10)] * 2,
                dt.datetime(2024, 1, 31, 11, 0, 0, 500_000),
            ],
        ),
        (pl.Series([None, None]), "float", [None, None]),
        (pl.Series([True, False]), "int", [1, 0]),
    ],
)
def test_casts(tmp_path, series, dtype, expected):
    assert one(tmp_path, series, dtype).to_list() == expected


@pytest.mark.parametrize(
    ("series", "dtype", "words"),
    [
        (pl.Series([1.5]), "int", "1.5 (row 1)"),
        (pl.Series([1.0, float("inf")]), "int", "inf (row 2)"),
        (pl.Series(["x"]), "float", "'x' (row 1)"),
        (pl.Series([2]), "bool", "2 (row 1)"),
        (pl.Series(["maybe"]), "bool", "'maybe'"),
        (pl.Series([1.5]), "string", "1.5"),
        (pl.Series([1_700_000_000]), "datetime", "1700000000"),
        (pl.Series(["2024-02-30", "2024-01-01"]), "datetime", "'2024-02-30' (row 1)"),
        (pl.Series(["soon"]), "datetime", "'soon'"),
        (pl.Series(["01/02/2024"]), "datetime", "'01/02/2024'"),
        (pl.Series(["2024-01-31", "2024-01-32"]), "datetime", "'2024-01-32' (row 2)"),
        (pl.Series([2**63], dtype=pl.UInt64), "int", "9223372036854775808"),
    ],
)
def test_what_cannot_be_held_names_column_place_and_value(tmp_path, series, dtype, words):
    with pytest.raises(DataUnreadable) as error:
        one(tmp_path, series, dtype)
    assert "column 'x'" in error.value.got and words in error.value.got
    assert error.value.details["column"] == "x"


def test_values_that_break_rules_pass(tmp_path):
    assert one(tmp_path, pl.Series([150, -1]), "int").to_list() == [150, -1]
    assert one(tmp_path, pl.Series([float("inf")]), "float").to_list() == [float("inf")]


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([[1, 2, 3, 4]]),
        pl.Series([[1.0, 2.0, 3.0, 4.0]]),
        pl.Series([[[1, 2], [3, 4]]]),
        pl.Series(np.array([[1, 2, 3, 4]], dtype=np.uint8)),
        pl.Series(np.array([[[1, 2], [3, 4]]], dtype=np.int32)),
    ],
)
def test_tensors_become_flat_arrays_in_c_order(tmp_path, values):
    for dtype, element in (("image", pl.UInt8), ("int", pl.Int64), ("float", pl.Float32)):
        got = one(tmp_path, values, dtype, (2, 2, 1))
        assert got.dtype == pl.Array(element, 4)
        assert got.to_list() == [[1, 2, 3, 4]]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (pl.Series([[1, 2, 3, 4], [1, 2, 3]]), "3 elements at row 2"),
        (pl.Series([[1, 2, 3, 256]]), "256 at row 1 is not a pixel from 0 to 255"),
        (pl.Series([[1.0, 2.0, 3.0, 0.5]]), "0.5 at row 1"),
        (pl.Series([[1, 2, 3, 4], None]), "no value at row 2"),
        (pl.Series(["abcd"]), "holds String"),
    ],
)
def test_wrong_tensors(tmp_path, values, words):
    with pytest.raises(DataUnreadable) as error:
        one(tmp_path, values, "image", (2, 2, 1))
    assert words in error.value.got


def test_encoded_images_in_a_column(tmp_path):
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.new("L", (2, 3), 9).save(buffer, "PNG")
    got = one(tmp_path, pl.Series([buffer.getvalue()]), "image", (3, 2, 1))
    assert got.to_list() == [[9] * 6]
    with pytest.raises(DataUnreadable, match="not an image"):
        one(tmp_path, pl.Series([b"junk"]), "image", (3, 2, 1))


def test_broken_and_empty_parquet(tmp_path):
    source, wanted = ParquetSource(path=str(tmp_path / "x.parquet")), Wanted({"x": Column("x", "int")})
    for content, words in ((b"", "is empty"), (b"PAR1 but not really", "x.parquet:")):
        (tmp_path / "x.parquet").write_bytes(content)
        with pytest.raises(DataUnreadable, match=words):
            read(source, wanted)
    pl.DataFrame({"x": pl.Series([], dtype=pl.Int64)}).write_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataUnreadable, match="columns and no rows"):
        list(source.frames(wanted))


def test_jsonl_names_the_broken_line(tmp_path):
    path, wanted = tmp_path / "x.jsonl", Wanted({"x": Column("x", "int")})
    for content, words in (
        ('{"x": 1}\n{"x": \n', "line 2 is not JSON"),
        ('{"x": 1}\n[1]\n', "line 2 is list, not an object"),
        ("", "is empty"),
        ('{"x": 1}\n{"x": "many"}\n', r"'many' \(line 2 of"),
    ):
        path.write_text(content)
        with pytest.raises(DataUnreadable, match=words):
            read(JsonLinesSource(path=str(path)), wanted)


def test_jsonl_field_that_is_absent_is_missing(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"x": 1, "y": 2}\n{"y": 3}\n')
    frame = read(JsonLinesSource(path=str(tmp_path / "x.jsonl")), Wanted({n: Column(n, "int") for n in "xy"}))
    assert frame["x"].to_list() == [1, None]


def test_npz(tmp_path):
    path = tmp_path / "x.npz"
    images = np.arange(24, dtype=np.uint8).reshape(2, 3, 2, 2)
    np.savez(path, image=images, label=np.array(["a", "b"]), number=np.array([1.5, np.nan]))
    columns = [Column("image", "image", (3, 2, 2)), Column("label", "string"), Column("number", "float")]
    frame = read(NpzSource(path=str(path)), Wanted({c.name: c for c in columns}))
    assert frame["image"].to_numpy().tolist() == images.reshape(2, 12).tolist()
    assert frame["label"].to_list() == ["a", "b"] and frame["number"].to_list() == [1.5, None]


def test_npz_refuses_other_axes(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, x=np.zeros((4, 3, 2), dtype=np.uint8))
    assert read(NpzSource(path=str(path)), Wanted({"x": Column("x", "image", (3, 2, 1))})).height == 4
    with pytest.raises(DataUnreadable, match="array 'x' holds values of shape 3 x 2"):
        read(NpzSource(path=str(path)), Wanted({"x": Column("x", "image", (2, 3, 1))}))


def test_npz_refuses_objects_and_uneven_arrays(tmp_path):
    path, wanted = tmp_path / "x.npz", Wanted({n: Column(n, "int") for n in "xy"})
    np.savez(path, x=np.arange(3), y=np.arange(2))
    with pytest.raises(DataUnreadable, match="x: 3, y: 2"):
        read(NpzSource(path=str(path)), wanted)
    np.savez(path, x=np.array([{}], dtype=object), y=np.arange(1))
    with pytest.raises(DataUnreadable, match="Python objects"):
        read(NpzSource(path=str(path)), wanted)
    path.write_bytes(b"no zip")
    with pytest.raises(DataUnreadable, match=r"cannot be read|Python objects"):
        read(NpzSource(path=str(path)), wanted)


def test_unknown_column_in_parquet(tmp_path):
    pl.DataFrame({"x": [1], "extra": [2]}).write_parquet(tmp_path / "x.parquet")
    with pytest.raises(DataInvalid, match="'extra' is not in the contract"):
        read(ParquetSource(path=str(tmp_path / "x.parquet")), Wanted({"x": Column("x", "int")}))
