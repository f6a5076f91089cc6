"""Whole numbers of 64 bits and more, from every source, compared with Python's own."""

import json
import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kilnworks.components.sources import CsvSource, JsonLinesSource, NpzSource, ParquetSource, Source, SqlSource
from kilnworks.components.sources.base import Wanted
from kilnworks.components.sources.cast import cast_frame
from kilnworks.components.sources.columns import Column
from kilnworks.components.sources.splitting.hashing import hash_rows
from kilnworks.schemas.errors import DataUnreadable

EDGES = [2**53 - 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 0, 9007199254740993]
WHOLE = st.one_of(st.sampled_from(EDGES), st.integers(-(2**63), 2**63 - 1))
UNSIGNED = st.one_of(st.sampled_from([2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1]), st.integers(0, 2**64 - 1))
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def csv(values: Sequence[int | None], folder: Path) -> Source:
    """A CSV file with the values as column ``x`` beside a number."""
    lines = [f"{'' if v is None else v},1" for v in values]
    (folder / "x.csv").write_text("\n".join(["x,n", *lines]) + "\n")
    return CsvSource(path=str(folder / "x.csv"))


def jsonl(values: Sequence[int | None], folder: Path) -> Source:
    """The same as JSON lines."""
    (folder / "x.jsonl").write_text("".join(json.dumps({"x": v, "n": 1}) + "\n" for v in values))
    return JsonLinesSource(path=str(folder / "x.jsonl"))


def parquet(values: Sequence[int | None], folder: Path, dtype: Any = pl.Int64) -> Source:
    """The same as Parquet."""
    pl.DataFrame({"x": pl.Series(values, dtype=dtype), "n": 1}).write_parquet(folder / "x.parquet")
    return ParquetSource(path=str(folder / "x.parquet"))


def sql(values: Sequence[int | None], folder: Path) -> Source:
    """The same as a table of a database."""
    (folder / "x.db").unlink(missing_ok=True)
    with sqlite3.connect(folder / "x.db") as base:
        base.execute("create table t (x integer, n integer)")
        base.executemany("insert into t values (?, 1)", [(v,) for v in values])
    return SqlSource(url=f"sqlite:///{folder / 'x.db'}", query="t")


def read(source: Source, dtype: Any) -> list[Any]:
    """What the source hands out as column ``x``."""
    frames = source.frames(Wanted({"x": Column("x", dtype)}, any_extra=True))
    return pl.concat([frame.select("x") for frame in frames])["x"].to_list()


@pytest.mark.slow
@pytest.mark.parametrize("made", [csv, jsonl, parquet, sql])
@FEW
@given(values=st.lists(st.one_of(st.none(), WHOLE), min_size=1, max_size=12))
def test_whole_numbers_keep_every_digit(made: Any, values: list[int | None], tmp_path: Path) -> None:
    """As feature or label, as key and as text; missing ones beside them do not make them floats."""
    source = made(values, tmp_path)
    assert read(source, "int") == values
    assert [None if v is None else int(v) for v in read(source, "key")] == values
    assert read(source, "string") == [None if v is None else str(v) for v in values]


@FEW
@given(values=st.lists(WHOLE, min_size=1, max_size=12), unsigned=st.lists(UNSIGNED, min_size=1, max_size=12))
def test_arrays_keep_every_digit(values: list[int], unsigned: list[int], tmp_path: Path) -> None:
    """Signed and unsigned ones of NumPy."""
    np.savez(tmp_path / "a.npz", x=np.array(values, np.int64))
    np.savez(tmp_path / "b.npz", x=np.array(unsigned, np.uint64))
    assert read(NpzSource(path=str(tmp_path / "a.npz")), "int") == values
    assert read(NpzSource(path=str(tmp_path / "b.npz")), "key") == unsigned


@pytest.mark.slow
@pytest.mark.parametrize("made", [csv, jsonl, parquet])
@FEW
@given(values=st.lists(UNSIGNED, min_size=1, max_size=12))
def test_unsigned_numbers_are_whole_keys_or_refused(made: Any, values: list[int], tmp_path: Path) -> None:
    """A key or text keeps them; dtype int, which is signed, takes those that it can hold and refuses the others."""
    source = parquet(values, tmp_path, pl.UInt64) if made is parquet else made(values, tmp_path)
    assert [int(v) for v in read(source, "key")] == values
    assert read(source, "string") == [str(v) for v in values]
    if max(values) < 2**63:
        assert read(source, "int") == values
    else:
        with pytest.raises(DataUnreadable, match="whole number within 64 bits") as refused:
            read(source, "int")
        assert "dtype string in the contract keeps every digit" in refused.value.fix


def cast(values: list[Any], dtype: Any, source: Any = None) -> list[Any]:
    """One column cast on its own."""
    frame = pl.DataFrame({"x": pl.Series(values, dtype=source)})
    return cast_frame(frame, {"x": Column("x", dtype)}, lambda row, _: f"row {row + 1}")["x"].to_list()


@FEW
@given(value=WHOLE, zeros=st.integers(0, 3), scale=st.integers(0, 4))
def test_decimals_and_numbers_with_a_point_keep_every_digit(value: int, zeros: int, scale: int) -> None:
    """9007199254740993.0 and NUMERIC(20, 2) are whole numbers."""
    assert cast([f"{value}." + "0" * zeros, "1.0"], "int") == [value, 1]
    exact = Decimal(value).quantize(Decimal(1).scaleb(-scale))
    assert cast([exact, None], "int", pl.Decimal(38, scale)) == [value, None]
    assert cast([exact], "key", pl.Decimal(38, scale)) == [str(value)]


def test_exponents_are_read_digit_by_digit() -> None:
    """9.007199254740993e15 is no float64; a fraction beyond 2**53 is no whole number."""
    assert cast(["9.007199254740993e15", "1e3"], "int") == [2**53 + 1, 1000]
    for wrong in ("9007199254740993.5", "9223372036854775808.0", "1e400", "inf"):
        with pytest.raises(DataUnreadable, match="row 1"):
            cast([wrong], "int")


def test_floats_are_keys_only_where_they_are_exact() -> None:
    """As pandas writes whole numbers beside missing ones."""
    assert cast([7.0, None, 8.0], "key") == [7, None, 8]
    with pytest.raises(DataUnreadable, match=r"row 2") as refused:
        cast([7.0, 2.0**60], "key")
    assert "whole numbers or as text" in refused.value.fix


def test_decimals_of_a_database_keep_every_digit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """NUMERIC columns arrive as decimals; SQLite reads them so through a type of the query."""
    import sqlalchemy

    class Exact(sqlalchemy.types.TypeDecorator[Decimal]):
        impl = sqlalchemy.String
        cache_ok = True

        def process_result_value(self, value: Any, dialect: Any) -> Decimal | None:
            return None if value is None else Decimal(value)

    values = ["12345678901234567890", None, "9007199254740993.00", "100000000000000000000000000007"]
    with sqlite3.connect(tmp_path / "d.db") as base:
        base.execute("create table t (x text)")
        base.executemany("insert into t values (?)", [(v,) for v in values])
    plain = sqlalchemy.text
    monkeypatch.setattr(sqlalchemy, "text", lambda q: plain(q).columns(x=Exact()))
    source = SqlSource(url=f"sqlite:///{tmp_path / 'd.db'}", query="t")
    assert read(source, "key") == ["12345678901234567890", None, "9007199254740993", values[3]]
    assert read(source, "float") == [1.2345678901234567e19, None, 2.0**53, 1e29]


@FEW
@given(value=WHOLE)
def test_neighbours_hash_apart_and_equal_numbers_alike(value: int) -> None:
    """Splits follow the key's digits; an unsigned column of small numbers is split as a signed one."""
    other = value + 1 if value < 2**63 - 1 else value - 1
    signed = hash_rows(pl.DataFrame({"x": pl.Series([value, other], dtype=pl.Int64)}), ["x"])
    assert signed[0] != signed[1]
    if value >= 0:
        unsigned = hash_rows(pl.DataFrame({"x": pl.Series([value, 2**64 - 1], dtype=pl.UInt64)}), ["x"])
        assert unsigned[0] == signed[0] != unsigned[1]
