"""How often each value occurs: exact while the values are few, the rare ones counted together where they are many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl


@dataclass(frozen=True)
class ValueCounts:
    """Values of some rows, and how many rows have each.

    Attributes:
        table: ``value`` and ``count`` (int64), each value once; None where no row has a value.
        other: rows of values that are not counted one by one any more.
        missing: rows without a value: null, or an empty text.
        most: more values than this are not counted one by one.
        kept: of more, the most frequent that stay; so memory is bounded, and what a vocabulary keeps stays in any case.
    """

    table: pl.DataFrame | None = None
    other: int = 0
    missing: int = 0
    most: int = 2_000_000
    kept: int = 1_000_000

    def of(self, values: pl.Series) -> ValueCounts:
        """Those of ``values`` [rows], texts or whole numbers, within the same bounds."""
        counts = values.alias("value").drop_nulls().value_counts(name="count").cast({"count": pl.Int64})
        if counts.schema["value"] == pl.String:
            counts = counts.filter(pl.col("value") != "")
        missing = len(values) - int(counts["count"].sum())
        return ValueCounts(counts, 0, missing, self.most, self.kept)._bounded()

    def merged(self, other: ValueCounts) -> ValueCounts:
        """Those of both, within these bounds."""
        tables = [one.table for one in (self, other) if one.table is not None]
        both = pl.concat(tables).group_by("value").agg(pl.col("count").sum()) if tables[1:] else None
        table = tables[0] if len(tables) == 1 else both
        out = ValueCounts(table, self.other + other.other, self.missing + other.missing, self.most, self.kept)
        return out._bounded()

    def added(self, values: pl.Series) -> ValueCounts:
        """Those with another batch of rows."""
        return self.merged(self.of(values))

    @property
    def approximate(self) -> bool:
        """Whether counts of rare values may be too low."""
        return self.other > 0

    @property
    def rows(self) -> int:
        """Rows with a value."""
        return self.other + (0 if self.table is None else int(self.table["count"].sum()))

    @cached_property
    def levels(self) -> Mapping[Any, int]:
        """Rows by value, the most frequent first; ties in natural order."""
        return {} if self.table is None else dict(self._ranked().iter_rows())

    def most_frequent(self, minimum: int, size: int) -> list[Any]:
        """At most ``size`` values that occur at least ``minimum`` times; most frequent first, ties in natural order."""
        if self.table is None:
            return []
        return self._ranked().filter(pl.col("count") >= minimum).head(size)["value"].to_list()

    def _ranked(self) -> pl.DataFrame:
        assert self.table is not None
        return self.table.sort("count", "value", descending=[True, False])

    def _bounded(self) -> ValueCounts:
        if self.table is None or self.table.height <= self.most:
            return self
        ranked = self._ranked()
        rest = int(ranked["count"].tail(ranked.height - self.kept).sum())
        return ValueCounts(ranked.head(self.kept), self.other + rest, self.missing, self.most, self.kept)
