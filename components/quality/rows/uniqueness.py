"""Values that stand in more than one row, or in more than one split: exact, in memory that does not grow with the rows.

Values are compared by a 64-bit hash, a share of the hash range at a time; what looks equal is then compared by value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kilnworks.components.quality.rows.batches import Rows

PART_ROWS = 8_000_000
"""About how many hashes are held at once."""
VERIFIED = 100_000
"""Up to so many equal hashes are compared by value; two of n values collide with probability n**2 / 2**65."""

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Repeats:
    """Rows whose value another row has too, and some of those values."""

    rows: int
    values: tuple[object, ...]


@dataclass(frozen=True)
class Shared:
    """Values that several splits hold.

    Attributes:
        rows: by split, how many of its rows hold a value that another split holds.
        values: how many different values that are.
        samples: some of them, as text, sorted.
    """

    rows: Mapping[str, int]
    values: int
    samples: tuple[str, ...]


def repeats(rows: Rows, column: str, shown: int) -> Repeats:
    """Rows that share their value with another row of the same split; missing values do not count."""
    total = 0
    samples: list[object] = []
    parts = _parts(rows.height)
    for part in range(parts):
        found, counts = np.unique(_hashes(rows, column, part, parts), return_counts=True)
        twice = found[counts > 1]
        if not len(twice):
            continue
        if len(twice) > VERIFIED:
            total += int(counts[counts > 1].sum())
            samples += _values(rows, column, twice[:shown]).get_column(column).to_list()
            continue
        real = _values(rows, column, twice).filter(pl.col("rows") > 1)
        total += int(real.get_column("rows").sum())
        samples += real.get_column(column).head(shown).to_list()
    return Repeats(total, tuple(samples[:shown]))


def shared(splits: Mapping[str, Rows], column: str, shown: int) -> Shared:
    """Values that stand in more than one split, compared as text; missing values do not count."""
    counts = dict.fromkeys(splits, 0)
    values = 0
    samples: list[str] = []
    parts = _parts(sum(rows.height for rows in splits.values()))
    for part in range(parts):
        by_split = {name: _hashes(rows, column, part, parts) for name, rows in splits.items()}
        distinct = np.concatenate([np.unique(h) for h in by_split.values()] or [np.empty(0, np.uint64)])
        found, times = np.unique(distinct, return_counts=True)
        both = found[times > 1]
        values += len(both)
        for name, h in by_split.items():
            counts[name] += int(np.isin(h, both).sum()) if len(both) else 0
        for rows in filter(_has_rows, splits.values()) if len(both) and len(samples) < shown else ():
            samples += _values(rows, column, both[:shown]).get_column(column).cast(pl.String).to_list()
    return Shared(counts, values, tuple(sorted(set(samples))[:shown]))


def _has_rows(rows: Rows) -> bool:
    return rows.height > 0


def _parts(rows: int) -> int:
    return max(1, -(-rows // PART_ROWS))


def _hashes(rows: Rows, column: str, part: int, parts: int) -> Hashes:
    """Hashes of the values of one part of the hash range."""
    found = [np.empty(0, np.uint64), *_hashed(rows, column)]
    return np.concatenate([h[h % np.uint64(parts) == part] if parts > 1 else h for h in found])


def _hashed(rows: Rows, column: str) -> Iterator[Hashes]:
    for batch in rows.batches:
        yield batch.column(column).drop_nulls().cast(pl.String).hash().to_numpy()


def _values(rows: Rows, column: str, wanted: Hashes) -> pl.DataFrame:
    """The values of these hashes, sorted, and how many rows hold each: columns ``column`` and ``rows``."""
    among = pl.Series(wanted)
    parts = [
        series.filter(series.cast(pl.String).hash().is_in(among.implode()) & series.is_not_null()).to_frame()
        for series in (batch.column(column) for batch in rows.batches)
    ]
    return pl.concat(parts).group_by(column).agg(pl.len().alias("rows")).sort(column)
