"""Write rows as Parquet shards, split by split, with bounded memory and the same bytes every time."""

from pathlib import Path
from typing import Any

import polars as pl


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
        frame.write_parquet(self._folder / name, compression="lz4", row_group_size=max(1, min(self._rows, 250_000)))
        self._files.append(f"{self._split}/{name}")
        self._total += frame.height
