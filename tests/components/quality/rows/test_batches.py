"""Batches hold every row once and in order, whatever the shards."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilnworks.components.quality.rows import batches
from kilnworks.components.quality.rows.batches import RowBatch, rows_of_files, rows_of_frame
from kilnworks.schemas.contract import Contract, Feature

CONTRACT = Contract(name="c", features={"x": Feature(dtype="int")})


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(heights=st.lists(st.integers(0, 9), min_size=1, max_size=5), size=st.integers(1, 12))
def test_batches_hold_every_row_in_order(tmp_path_factory, heights, size):
    path = tmp_path_factory.mktemp("b")
    whole = pl.DataFrame(
        {"x": list(range(sum(heights))), "y": ["t"] * sum(heights)}, schema={"x": pl.Int64, "y": pl.String}
    )
    files, start = [], 0
    for i, height in enumerate(heights):
        files.append(path / f"{i}.parquet")
        whole.slice(start, height).write_parquet(files[-1])
        start += height
    for rows in (rows_of_files(files, CONTRACT, size), rows_of_frame(whole, size)):
        assert rows.height == len(whole) and rows.columns == ("x", "y")
        assert [v for batch in rows.batches for v in batch.column("x")] == whole["x"].to_list()
        assert [batch.height for batch in rows.batches] == [len(batch.frame(["y", "x"])) for batch in rows.batches]
        assert all(batch.height == size for batch in rows.batches[:-1])
        assert rows.scan().collect().equals(whole)
        assert rows.thinned(["y", "x"], 3).equals(whole.select("y", "x").gather_every(3))


def test_wide_rows_make_small_batches(tmp_path):
    wide = Contract(name="c", features={"x": Feature(dtype="image", shape=(2**13, 2**13, 1))})
    pl.DataFrame({"x": [1, 2, 3, 4, 5]}).write_parquet(tmp_path / "a.parquet")
    assert [b.height for b in rows_of_files([tmp_path / "a.parquet"], wide).batches] == [4, 1]


@pytest.mark.parametrize(
    ("room", "reads"), [(8 * 100, [["a"], ["b"], ["t"], ["a", "t"], ["w"]]), (10**6, [["a", "b", "t", "w"]])]
)
def test_columns_are_read_together_as_far_as_they_have_room(monkeypatch, tmp_path, room, reads):
    whole = pl.DataFrame(
        {"a": range(100), "b": range(100, 200), "t": ["x"] * 100, "w": [[1.0] * 30] * 100},
        schema={"a": pl.Int64, "b": pl.Float64, "t": pl.String, "w": pl.Array(pl.Float32, 30)},
    )
    whole.write_parquet(tmp_path / "a.parquet", row_group_size=7)
    seen, plain = [], RowBatch.frame
    monkeypatch.setattr(batches, "BATCH_BYTES", room)
    monkeypatch.setattr(RowBatch, "frame", lambda self, columns: seen.append(list(columns)) or plain(self, columns))
    (batch,) = rows_of_files([tmp_path / "a.parquet"], CONTRACT, 100).batches
    wanted = [("a",), ("b",), ("t",), ("a", "t"), ("w",)]
    for columns, frame in zip(wanted, batch.frames(wanted), strict=True):
        assert frame.equals(whole.select(columns))
    assert seen == reads
