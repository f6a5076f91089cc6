"""Mergeable statistics of columns: seen batch by batch, each batch once, in memory that does not grow with the rows."""

import math
from dataclasses import dataclass, field

import numpy as np
import polars as pl

Array = np.ndarray


@dataclass
class Moments:
    """Count, mean, spread and range of the numbers of a column; missing ones (null, NaN) apart.

    Batches are merged by the pairwise update of Chan, Golub and LeVeque (1979), which does not lose digits where the
    mean is large against the spread. For tensors every value is an array over the last axis.
    """

    count: int = 0
    missing: int = 0
    mean: float | Array = 0.0
    squares: float | Array = 0.0
    """Sum of squared differences from the mean."""
    low: float = math.inf
    high: float = -math.inf

    @property
    def variance(self) -> float | Array:
        """Population variance (divided by the count, as ``StandardScaler`` does): a number, or [C] of a tensor."""
        return self.squares / max(self.count, 1)

    def merge(self, other: "Moments") -> None:
        """Take in another batch."""
        self.missing += other.missing
        if other.count == 0:
            return
        total = self.count + other.count
        difference = other.mean - self.mean
        self.squares = self.squares + other.squares + difference * difference * (self.count * other.count / total)
        self.mean = self.mean + difference * (other.count / total)
        self.count = total
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)


def scalar_moments(frame: pl.DataFrame) -> dict[str, Moments]:
    """Moments of every column of a frame of Float64 columns, in one parallel pass; NaN counts as missing."""
    names = frame.columns
    columns = [pl.col(c).fill_nan(None) for c in names]
    row = frame.select(
        *(c.count().alias(f"n{i}") for i, c in enumerate(columns)),
        *(c.mean().alias(f"mean{i}") for i, c in enumerate(columns)),
        *(c.var(ddof=0).alias(f"var{i}") for i, c in enumerate(columns)),
        *(c.min().alias(f"low{i}") for i, c in enumerate(columns)),
        *(c.max().alias(f"high{i}") for i, c in enumerate(columns)),
    ).row(0, named=True)
    out = {}
    for i, name in enumerate(names):
        count = row[f"n{i}"]
        missing = frame.height - count
        out[name] = (
            Moments(count, missing, row[f"mean{i}"], row[f"var{i}"] * count, row[f"low{i}"], row[f"high{i}"])
            if count
            else Moments(missing=missing)
        )
    return out


def tensor_moments(values: Array) -> Moments:
    """Moments along the last axis of ``[rows, ..., C]``; rows that are NaN throughout count as missing.

    A single NaN inside a row that has values is left out of the sums of its place.
    """
    rows = values.reshape(len(values), -1)
    missing = int(np.isnan(rows).all(axis=1).sum())
    flat = values.reshape(-1, values.shape[-1]).astype(np.float64)
    present = ~np.isnan(flat)
    counts = present.sum(axis=0)
    if not counts.all():
        return Moments(missing=missing)
    mean = np.where(present, flat, 0).sum(axis=0) / counts
    squares = np.where(present, (flat - mean) ** 2, 0).sum(axis=0)
    count = int(counts.mean())
    scaled = squares * (count / counts)
    return Moments(count, missing, mean, scaled, float(np.nanmin(flat)), float(np.nanmax(flat)))


@dataclass
class ValueCounts:
    """How often each value occurs; null and empty texts are left out.

    More than ``limit`` different values drop the rarest half, so that memory stays bounded; ``approximate`` then says
    that counts of rare values may be too low. Frequent values, the ones that a vocabulary keeps, stay in any case.
    """

    limit: int = 2_000_000
    approximate: bool = False
    table: pl.DataFrame | None = None

    def add(self, values: pl.Series) -> None:
        """Take in a batch of texts or integers."""
        counts = values.alias("value").drop_nulls().value_counts(name="count")
        if counts.schema["value"] == pl.String:
            counts = counts.filter(pl.col("value") != "")
        table = counts if self.table is None else pl.concat([self.table, counts])
        if self.table is not None:
            table = table.group_by("value").agg(pl.col("count").sum())
        if table.height > self.limit:
            self.approximate = True
            table = table.sort("count", "value", descending=[True, False]).head(self.limit // 2)
        self.table = table

    def most_frequent(self, minimum: int, size: int) -> list[int] | list[str]:
        """At most ``size`` values that occur at least ``minimum`` times; most frequent first, ties in natural order."""
        if self.table is None:
            return []
        kept = self.table.filter(pl.col("count") >= minimum).sort("count", "value", descending=[True, False])
        return kept.head(size)["value"].to_list()


@dataclass
class Quantiles:
    """Quantiles of a stream of numbers: exact up to ``capacity`` different values.

    Beyond that the values are thinned to ``capacity // 2`` at equal steps of the cumulative weight; each thinning
    moves a rank by at most one part in ``capacity`` (a summary in the manner of Greenwald and Khanna, 2001).
    """

    capacity: int = 16_384
    values: Array = field(default_factory=lambda: np.empty(0))
    weights: Array = field(default_factory=lambda: np.empty(0))

    def add(self, batch: Array) -> None:
        """Take in a batch of float64 [rows] without NaN."""
        fresh, counts = np.unique(batch, return_counts=True)
        merged = np.concatenate([self.values, fresh])
        weights = np.concatenate([self.weights, counts.astype(np.float64)])
        self.values, where = np.unique(merged, return_inverse=True)
        self.weights = np.bincount(where, weights=weights, minlength=len(self.values))
        if len(self.values) > self.capacity:
            self._thin(self.capacity // 2)

    def at(self, shares: Array) -> Array:
        """The values [S] below which the given shares [S] (0 to 1) lie.

        Linear between neighbours, as ``numpy.quantile``. At least one value was added.
        """
        ends = np.cumsum(self.weights)
        rank = shares * (ends[-1] - 1)
        below = self._by_rank(ends, np.floor(rank))
        above = self._by_rank(ends, np.ceil(rank))
        return np.asarray(below + (above - below) * (rank - np.floor(rank)))

    def _by_rank(self, ends: Array, rank: Array) -> Array:
        return self.values[np.minimum(np.searchsorted(ends, rank, side="right"), len(self.values) - 1)]

    def _thin(self, size: int) -> None:
        """Keep ``size`` values, the lowest and highest among them; each stands for the ranks nearest to it."""
        ends = np.cumsum(self.weights)
        rank = np.linspace(0, ends[-1] - 1, size)
        self.values = self._by_rank(ends, rank)
        edges = np.concatenate([[0.0], (rank[1:] + rank[:-1] + 1) / 2, [ends[-1]]])
        self.values, where = np.unique(self.values, return_inverse=True)
        self.weights = np.bincount(where, weights=np.diff(edges), minlength=len(self.values))
