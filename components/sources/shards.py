"""Write rows as Parquet shards, split by split, with bounded memory and the same bytes every time.

Training that streams draws row groups in random order, so a shard consists of many small ones.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from kilnworks.components.sources.columns import Column

GROUP_ROWS = 4096
"""Most rows of a row group."""
GROUP_BYTES = 2**19
"""About the bytes of a row group in memory, unless a single row has more."""
SHARD_BYTES = 512 * 2**20
"""About the bytes of a shard in memory, at most."""
VIEW_BYTES = 16
"""What a text takes besides its bytes."""


class ShardWriter:
    """Collects the batches of one split and writes a shard whenever it is full.

    Args:
        out: root of the artifact; shards become ``out/<split>/part-00000.parquet`` and so on.
        rows: rows of a shard; the last one may hold fewer. Where batches end does not show in the files.
    """

    def __init__(self, out: Path, split: str, rows: int) -> None:
        self._folder, self._split, self._rows = out / split, split, rows
        self._waiting: list[pl.DataFrame] = []
        self._waiting_rows = 0
        self._files: list[str] = []
        self._total = 0
        self._folder.mkdir(parents=True, exist_ok=True)

    def add(self, frame: pl.DataFrame) -> None:
        """Take rows."""
        self._waiting.append(frame)
        self._waiting_rows += frame.height
        while self._waiting_rows >= self._rows:
            whole = pl.concat(self._waiting)
            self._write(whole.head(self._rows))
            self._waiting = [whole.slice(self._rows)]
            self._waiting_rows -= self._rows

    def close(self) -> dict[str, Any]:
        """Write what waits and describe the split: ``{"rows", "files"}``. An empty split is one empty shard."""
        if self._waiting and (self._waiting_rows or not self._files):
            self._write(pl.concat(self._waiting))
        return {"rows": self._total, "files": self._files}

    def _write(self, frame: pl.DataFrame) -> None:
        name = f"part-{len(self._files):05d}.parquet"
        write_shard(frame, self._folder / name)
        self._files.append(f"{self._split}/{name}")
        self._total += frame.height


def shard_rows(columns: Iterable[Column], most: int = 1_000_000) -> int:
    """Rows of a shard: ``most``, or as many as have about ``SHARD_BYTES``."""
    return max(1, min(most, SHARD_BYTES // max(1, sum(column.bytes for column in columns))))


def write_shard(frame: pl.DataFrame, path: Path, group_rows: int | None = None) -> None:
    """Write one shard in row groups of ``group_rows``, by default the rows of about ``GROUP_BYTES``."""
    rows = group_rows or max(1, min(GROUP_ROWS, GROUP_BYTES // row_bytes(frame)))
    frame.write_parquet(path, compression="lz4", row_group_size=rows)


def row_bytes(frame: pl.DataFrame) -> int:
    """Bytes of a row in memory, on average and at least 1; a text counts with its length, a tensor with its shape."""
    return max(1, math.ceil(sum(_value_bytes(column) for column in frame.iter_columns())))


def _value_bytes(column: pl.Series) -> float:
    dtype = column.dtype
    if dtype == pl.String:
        return VIEW_BYTES + float(column.str.len_bytes().mean() or 0)  # type: ignore[arg-type]
    if isinstance(dtype, pl.Array):
        element: Any = dtype
        while isinstance(element, pl.Array):
            element = element.inner
        return math.prod(dtype.shape) * pl.Series([], dtype=element).to_numpy().dtype.itemsize
    if dtype.is_nested() or dtype == pl.Binary:
        return column.estimated_size() / max(1, len(column))
    return pl.Series([], dtype=dtype).to_numpy().dtype.itemsize
