"""Mergeable statistics of columns: seen batch by batch, each batch once, in memory that does not grow with the rows."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from kilnworks.components.sketches.moments import Moments

Array = np.ndarray


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
