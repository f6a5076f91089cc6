"""Columns of Parquet shards, batch by batch."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

BATCH_ROWS = 1 << 18


def batches(files: Sequence[Path], columns: Sequence[str], rows: int = BATCH_ROWS) -> Iterator[pl.DataFrame]:
    """Some columns of Parquet shards in order, in frames of at most ``rows``; without columns frames of zeros.

    A column that a shard lacks is left out: who uses it says so in words of its own. Polars reads the row groups that
    a frame needs, for less than half of what pyarrow's batches take as frames (decision 368). Each column is one piece
    of memory, so that sums are added in the same order wherever row groups end.
    """
    for path in files:
        shard = pl.scan_parquet(path, glob=False)
        height = int(shard.select(pl.len()).collect().item())
        if not columns:
            yield pl.select(pl.repeat(0, height))
            continue
        held = shard.collect_schema()
        there = [name for name in dict.fromkeys(columns) if name in held]
        for start in range(0, height, rows):
            yield shard.select(there).slice(start, rows).collect().rechunk()
