"""Columns of Parquet shards, batch by batch."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

BATCH_ROWS = 1 << 18


def batches(files: Sequence[Path], columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """Some columns of Parquet shards, in frames of at most ``BATCH_ROWS`` rows; without columns frames of zeros."""
    import pyarrow.parquet as pq

    for path in files:
        with pq.ParquetFile(path) as shard:
            if not columns:
                yield pl.select(pl.repeat(0, shard.metadata.num_rows))
                continue
            for batch in shard.iter_batches(BATCH_ROWS, columns=list(columns)):
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                yield frame
