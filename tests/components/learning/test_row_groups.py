"""Which row groups are read together, and what is read."""

from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilnworks.components.learning.row_groups import deal, no_larger, row_groups, sample
from kilnworks.components.sources.shards import write_shard


def shards(folder: Path, heights: list[int], group_rows: int, text: int = 1) -> list[Path]:
    """Files whose ``number`` counts on over all of them, with a text of ``text`` letters beside it."""
    files, start = [], 0
    folder.mkdir(exist_ok=True)
    for i, height in enumerate(heights):
        frame = pl.DataFrame({"other": np.zeros(height), "number": np.arange(start, start + height)})
        files.append(folder / f"{i}.parquet")
        write_shard(frame.with_columns(text=pl.lit("x" * text)), files[-1], group_rows)
        start += height
    return files


@given(st.integers(1, 300), st.integers(1, 300), st.integers(0, 2**32))
def test_every_row_group_comes_once_and_every_round_has_its_share_of_every_part(groups, rounds, seed) -> None:
    rounds = min(groups, rounds)
    dealt = deal(groups, rounds, np.random.default_rng(seed))
    assert len(dealt) == rounds
    assert sorted(np.concatenate(dealt).tolist()) == list(range(groups))
    for one in dealt:
        strata = (one // rounds).tolist()
        assert strata == sorted(set(strata))
        assert len(strata) >= groups // rounds
    again = deal(groups, rounds, np.random.default_rng(seed))
    assert all(np.array_equal(a, b) for a, b in zip(dealt, again, strict=True))


def test_another_epoch_deals_otherwise() -> None:
    one, other = (deal(60, 6, np.random.default_rng([0, epoch])) for epoch in (0, 1))
    assert any(not np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_rows_are_read_from_several_files(tmp_path: Path) -> None:
    groups = row_groups(shards(tmp_path, [25, 0, 11], 10), ["number"])
    assert groups.rows.tolist() == [10, 10, 5, 10, 1]
    assert (groups.total, groups.row_bytes) == (36, 8)
    found = groups.read(np.array([1, 2, 4]))
    assert found.columns == ["number"]
    assert found["number"].to_list() == [*range(10, 25), 35]
    assert found["number"].n_chunks() == 1
    assert groups.read(np.array([0, 4]), 0.4)["number"].to_list() == [0, 2, 5, 7, 35]


@pytest.mark.parametrize(("size", "rounds"), [(36 * 8, 1), (36 * 8 - 1, 2), (36, 5), (10**9, 1)])
def test_rounds_follow_from_bytes(tmp_path: Path, size: int, rounds: int) -> None:
    assert row_groups(shards(tmp_path, [25, 11], 10), ["number"]).rounds(size) == rounds


def test_long_texts_count(tmp_path: Path) -> None:
    """A buffer counts bytes, so rows with a text of a thousand letters are fewer."""
    narrow = row_groups(shards(tmp_path / "a", [25], 10), ["number", "text"])
    wide = row_groups(shards(tmp_path / "b", [25], 10, text=1000), ["number", "text"])
    assert narrow.row_bytes == 8 + 16 + 1
    assert wide.row_bytes == 8 + 16 + 1000


def test_large_row_groups_of_other_makers_are_copied(tmp_path: Path) -> None:
    """What is not read is not copied, and the order stays."""
    files = shards(tmp_path, [500, 300], 100_000)
    groups = row_groups(files, ["number", "text"])
    assert len(groups.rows) == 2
    fine = no_larger(groups, 25 * 64, tmp_path / "work")
    assert fine.rows.max() == 64
    assert fine.read(np.arange(len(fine.rows)))["number"].to_list() == list(range(800))
    assert pq.read_schema(fine.files[0]).names == ["number", "text"]
    assert no_larger(fine, 25 * 64, tmp_path / "again") is fine
    assert not (tmp_path / "again").exists()


@given(st.integers(20, 3000), st.integers(1, 400))
def test_a_sample_stands_for_the_whole(total: int, wanted: int) -> None:
    """Of rows in order: about as many as asked for, from all parts."""
    heights = [7] * (total // 7)
    places = np.array([(0, i) for i in range(len(heights))])
    from kilnworks.components.learning.row_groups import RowGroups

    groups = RowGroups((), (), places, np.array(heights), 8)
    chosen, share = sample(groups, wanted, np.random.default_rng(0))
    kept = max(1, int(7 * share))
    numbers = np.concatenate([7 * g + np.arange(kept) * 7 // kept for g in chosen])
    if wanted >= groups.total:
        assert len(numbers) == groups.total
    assert len(numbers) <= max(wanted, len(chosen))
    if len(heights) >= 64:
        assert len(chosen) >= 32
        assert abs(numbers.mean() / groups.total - 0.5) < 0.1


@pytest.mark.parametrize(
    ("frame", "rows"),
    [
        (pl.DataFrame({"a": np.zeros(10_000), "b": np.zeros(10_000, bool)}), 4096),
        (pl.DataFrame({"image": pl.Series(np.zeros((200, 64 * 64 * 3), np.uint8))}), 42),
        (pl.DataFrame({"series": pl.Series(np.zeros((200, 30_000), np.float32))}), 4),
        (pl.DataFrame({"huge": pl.Series(np.zeros((3, 2**21), np.uint8))}), 1),
        (pl.DataFrame({"text": ["x" * 10_000] * 300}), 52),
        (pl.DataFrame({"text": [None, "x" * 20_000] * 150}), 26),
    ],
)
def test_row_groups_are_small_whatever_the_width_of_a_row(tmp_path: Path, frame: pl.DataFrame, rows: int) -> None:
    """4,096 rows or half a MiB: 2**19 / 12,288, / 120,000, / 10,016 (or 20,016 where every second text is missing)."""
    write_shard(frame, tmp_path / "part.parquet")
    metadata = pq.read_metadata(tmp_path / "part.parquet")
    found = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    assert max(found) == rows
    assert sum(found) == frame.height
