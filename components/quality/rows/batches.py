"""The rows of a split in batches that fit into memory, read a few columns at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from kilnworks.schemas.contract import Contract

BATCH_ROWS = 1_000_000
BATCH_BYTES = 256 * 2**20
TEXT_BYTES = 64
"""What a text counts for; only tensors are wider."""


@dataclass(frozen=True)
class RowBatch:
    """Some rows that follow one another; nothing is read before it is asked for."""

    pieces: tuple[pl.LazyFrame, ...]
    height: int

    def frame(self, columns: Sequence[str]) -> pl.DataFrame:
        """These columns of the rows, in this order."""
        return pl.concat([piece.select(columns) for piece in self.pieces]).collect()

    def column(self, name: str) -> pl.Series:
        """One column of the rows."""
        return self.frame([name]).get_column(name)

    def frames(self, wanted: Iterable[Sequence[str]]) -> Iterator[pl.DataFrame]:
        """``frame`` of each of ``wanted`` in turn; what takes up to about ``BATCH_BYTES`` is read at once."""
        schema = self.pieces[0].collect_schema()
        together: list[Sequence[str]] = []
        names: list[str] = []
        for columns in wanted:
            more = [*dict.fromkeys([*names, *columns])]
            if names and self.height * sum(_value_bytes(schema[name]) for name in more) > BATCH_BYTES:
                yield from map(self.frame(names).select, together)
                together, more = [], [*columns]
            together, names = [*together, columns], more
        if together:
            yield from map(self.frame(names).select, together)


@dataclass(frozen=True)
class Rows:
    """The rows of a split.

    Attributes:
        height: how many there are.
        schema: column -> dtype, as stored.
        batches: the rows in order; none where there are no rows.
    """

    height: int
    schema: Mapping[str, pl.DataType]
    batches: tuple[RowBatch, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.schema)

    def thinned(self, columns: Sequence[str], every: int) -> pl.DataFrame:
        """These columns of every ``every``-th row; no more than some columns of one batch are held besides."""
        parts = []
        start = 0
        for batch in self.batches:
            offset = -start % every
            if offset < batch.height:
                found = [f.to_series().gather_every(every, offset) for f in batch.frames([[name] for name in columns])]
                parts.append(pl.DataFrame(found))
            start += batch.height
        schema = {name: self.schema[name] for name in columns}
        return pl.concat(parts) if parts else pl.DataFrame(schema=schema)

    def scan(self) -> pl.LazyFrame:
        """All rows, lazily."""
        pieces = [piece for batch in self.batches for piece in batch.pieces]
        return pl.concat(pieces) if pieces else pl.LazyFrame(schema=dict(self.schema))


def rows_of_frame(frame: pl.DataFrame, batch_rows: int = BATCH_ROWS) -> Rows:
    """Rows that are in memory already."""
    starts = range(0, frame.height, batch_rows)
    parts = [frame.slice(start, batch_rows) for start in starts]
    return Rows(frame.height, frame.schema, tuple(RowBatch((part.lazy(),), part.height) for part in parts))


def rows_of_files(files: Sequence[Path], contract: Contract, batch_rows: int | None = None) -> Rows:
    """Rows of Parquet files of one schema, in batches of ``batch_rows``; by default as many as fit in 256 MiB."""
    size = batch_rows or max(1, min(BATCH_ROWS, BATCH_BYTES // _row_bytes(contract)))
    heights = [_height(file) for file in files]
    batches = []
    waiting: list[pl.LazyFrame] = []
    room = size
    for file, start, length in _pieces(files, heights, size):
        waiting.append(pl.scan_parquet(file, glob=False).slice(start, length))
        room -= length
        if room == 0:
            batches.append(RowBatch(tuple(waiting), size))
            waiting, room = [], size
    if waiting:
        batches.append(RowBatch(tuple(waiting), size - room))
    return Rows(sum(heights), pl.scan_parquet(files[0], glob=False).collect_schema(), tuple(batches))


def _pieces(files: Sequence[Path], heights: Sequence[int], size: int) -> Iterator[tuple[Path, int, int]]:
    """File, first row and number of rows of each piece; pieces do not cross the end of a batch or of a file."""
    room = size
    for file, height in zip(files, heights, strict=True):
        start = 0
        while start < height:
            length = min(room, height - start)
            yield file, start, length
            start, room = start + length, (room - length) or size


def _height(file: Path) -> int:
    return int(pl.scan_parquet(file, glob=False).select(pl.len()).collect().item())


def _value_bytes(dtype: pl.DataType) -> int:
    """About the bytes of a value, at most."""
    if isinstance(dtype, pl.Array):
        return 8 * math.prod(dtype.shape)
    return 8 if dtype.is_numeric() or dtype.is_temporal() or dtype == pl.Boolean else TEXT_BYTES


def _row_bytes(contract: Contract) -> int:
    """Bytes of the widest column; of others as many are read together as have about those of a batch of it."""
    widths = [TEXT_BYTES]
    for feature in contract.features.values():
        size = 1 if feature.dtype == "image" else 4
        for length in feature.shape:
            size *= length
        widths.append(size)
    return max(widths)
