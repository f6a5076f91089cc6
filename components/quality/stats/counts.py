"""Counts of categories that add up."""

from dataclasses import dataclass
from typing import Any, Self

import polars as pl

LEVELS = 10_000
"""Most levels that are counted one by one; the rest is counted together."""


@dataclass(frozen=True)
class Counts:
    """How often each category occurs.

    Attributes:
        levels: rows by category, the most frequent first.
        other: rows of categories that are not counted one by one.
        missing: rows without a category.
    """

    levels: dict[str, int]
    other: int = 0
    missing: int = 0

    @classmethod
    def of(cls, values: pl.Series) -> Self:
        """Count texts (null = missing)."""
        counts = values.drop_nulls().cast(pl.String).value_counts(sort=True)
        names, rows = counts[counts.columns[0]].to_list(), counts["count"].to_list()
        kept = dict(zip(names[:LEVELS], rows[:LEVELS], strict=True))
        return cls(kept, int(sum(rows[LEVELS:])), values.null_count())

    @property
    def rows(self) -> int:
        """Rows with a category."""
        return sum(self.levels.values()) + self.other

    def merge(self, other: "Counts") -> "Counts":
        """The counts of both parts; exact while there are at most ``LEVELS`` categories."""
        total = dict(self.levels)
        for name, rows in other.levels.items():
            total[name] = total.get(name, 0) + rows
        ranked = sorted(total.items(), key=lambda item: (-item[1], item[0]))
        rest = sum(rows for _, rows in ranked[LEVELS:])
        return Counts(dict(ranked[:LEVELS]), self.other + other.other + rest, self.missing + other.missing)

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``from_json`` reads them back."""
        return {"levels": self.levels, "other": self.other, "missing": self.missing}

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> Self:
        """Read what ``to_json`` wrote."""
        return cls(dict(tree["levels"]), int(tree["other"]), int(tree["missing"]))
