"""The row groups of a split: how an epoch deals them out, and how they are read.

A source that is sorted puts rows that are alike side by side: one class, one day, one range of a score. So the row
groups that are read together are not neighbours::

    row groups of all shards, in order    0 1 2 | 3 4 5 | 6 7 8 | 9 10      three rounds
    of every three, one a round           1       5       6       10        round 1
                                          2       3       8                 round 2
                                          0       4       7       9         round 3

The rows of a round are read together and put in random order. Each round then holds a part of everything that the
source holds, which a plain permutation of the row groups gives only on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl

FEWEST = 32
"""Row groups that are needed for a part to stand for the whole."""
SAMPLED = 3
"""Row groups by which the width of a row is told: the first, the last, and those between at equal distances."""


@dataclass(frozen=True)
class RowGroups:
    """The row groups of Parquet files, in order.

    Attributes:
        files: the shards.
        columns: what is read of them.
        places: int64 [N, 2], the shard of a row group and its number there.
        rows: int64 [N], how many rows it has.
        row_bytes: of a row in memory.
    """

    files: tuple[Path, ...]
    columns: tuple[str, ...]
    places: np.ndarray
    rows: np.ndarray
    row_bytes: int

    @property
    def total(self) -> int:
        """Rows of all."""
        return int(self.rows.sum())

    def rounds(self, size: int) -> int:
        """How many rounds there are if one is to hold about ``size`` bytes."""
        return min(max(1, len(self.rows)), -(-self.total * self.row_bytes // size))

    def read(self, chosen: np.ndarray, share: float = 1.0) -> pl.DataFrame:
        """The rows of these row groups, or a share of each, evenly spread; each column in one piece.

        ``chosen``: numbers of row groups, int [n]; ``share``: above 0, up to 1.
        """
        import polars as pl
        import pyarrow.parquet as pq

        frames: list[pl.DataFrame] = []
        for number in np.unique(self.places[chosen, 0]):
            inside = self.places[chosen, 1][self.places[chosen, 0] == number]
            together = [inside.tolist()] if share >= 1 else [[place] for place in inside.tolist()]
            with pq.ParquetFile(self.files[number]) as shard:
                for places in together:
                    frame = pl.from_arrow(shard.read_row_groups(places, columns=list(self.columns)), rechunk=False)
                    assert isinstance(frame, pl.DataFrame)
                    kept = max(1, int(frame.height * share))
                    frames.append(frame if share >= 1 else frame[np.arange(kept) * frame.height // kept])
        return pl.concat(frames, how="vertical_relaxed", rechunk=True)


def row_groups(files: Sequence[Path], columns: Sequence[str]) -> RowGroups:
    """Look the row groups up; reads a few of them to see how wide a row is."""
    import pyarrow.parquet as pq

    from kilnworks.components.sources.shards import row_bytes

    places, rows = [np.zeros((0, 2), np.int64)], [np.zeros(0, np.int64)]
    for number, file in enumerate(files):
        with pq.ParquetFile(file) as shard:
            found = np.array([shard.metadata.row_group(i).num_rows for i in range(shard.num_row_groups)], np.int64)
        inside = np.flatnonzero(found)
        places.append(np.stack([np.full_like(inside, number), inside], axis=1))
        rows.append(found[inside])
    groups = RowGroups(tuple(files), tuple(columns), np.concatenate(places), np.concatenate(rows), 1)
    last = len(groups.rows) - 1
    some = np.unique(np.linspace(0, last, SAMPLED).astype(int)) if last >= 0 else np.array([], int)
    width = max((row_bytes(groups.read(some[i : i + 1])) for i in range(len(some))), default=1)
    return replace(groups, row_bytes=width)


def deal(groups: int, rounds: int, random: np.random.Generator) -> list[np.ndarray]:
    """Numbers of the row groups of each round, ascending: of every ``rounds`` that follow one another, one each.

    Returns:
        ``rounds`` arrays, int64 [n]; each group is in one of them.
    """
    strata = np.arange(-(-groups // rounds) * rounds).reshape(-1, rounds)
    dealt = random.permuted(strata, axis=1).T
    return [one[one < groups] for one in dealt]


def no_larger(groups: RowGroups, size: int, folder: Path) -> RowGroups:
    """Row groups of about ``size`` bytes at most: the same, or copies below ``folder`` if one is larger.

    What ``ingest`` writes is small enough; files of other makers may consist of a single row group.
    """
    most = max(1, size // groups.row_bytes)
    if groups.rows.max(initial=0) <= 1.25 * most:
        return groups
    folder.mkdir(parents=True, exist_ok=True)
    copies = [_regrouped(f, groups.columns, most, folder / f"{i:05d}.parquet") for i, f in enumerate(groups.files)]
    return row_groups(copies, groups.columns)


def sample(groups: RowGroups, rows: int, random: np.random.Generator) -> tuple[np.ndarray, float]:
    """Row groups from all parts of a split, int64 [n]; the share of each that makes about ``rows`` rows, 1 at most."""
    count = len(groups.rows)
    chosen = deal(count, max(1, min(groups.total // rows, count // FEWEST)), random)[0]
    return chosen, min(1.0, rows / int(groups.rows[chosen].sum()))


def _regrouped(file: Path, columns: Sequence[str], rows: int, copy: Path) -> Path:
    """Copy these columns in row groups of ``rows`` rows, reading page by page."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(file, buffer_size=1 << 20) as shard:
        schema = pa.schema([shard.schema_arrow.field(c) for c in columns])
        with pq.ParquetWriter(copy, schema, compression="lz4") as writer:
            for batch in shard.iter_batches(batch_size=rows, columns=list(columns)):
                writer.write_table(pa.Table.from_batches([batch.select(columns)]), row_group_size=rows)
    return copy
