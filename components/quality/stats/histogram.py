"""Histograms that add up: fixed cut points, counts between them."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


SPREAD = 100_000
"""Cut points are placed by about this many values, evenly spread; the counts are of all."""


@dataclass(frozen=True)
class Histogram:
    """Counts of numbers between cut points; bin i holds ``edges[i-1] < x <= edges[i]``, the outer bins are open.

    Attributes:
        edges: rising cut points, [E].
        counts: rows in each bin, [E + 1].
        missing: rows without a number.
    """

    edges: Floats
    counts: Floats
    missing: int = 0

    @classmethod
    def of(cls, values: Floats, edges: Floats, times: Floats | None = None) -> Self:
        """Count values [n] (NaN = missing) between cut points [C].

        ``times`` [n]: how often each counts, 1 by default; then none may be missing.
        """
        present = values[~np.isnan(values)]
        bins = np.searchsorted(edges, present, side="left")
        counts = np.bincount(bins, times, minlength=edges.size + 1).astype(float)
        return cls(edges, counts, values.size - present.size)

    @classmethod
    def quantiles(cls, values: Floats, bins: int = 64) -> Self:
        """Cut where the values [n] (NaN = missing) themselves lie: about as many rows a bin, ends at the extremes.

        Ends at 0.1, 0.5 and 1 per cent from either side are cut too. Discrete numbers get a bin each.
        """
        present = values[~np.isnan(values)]
        if present.size == 0:
            return cls(np.empty(0), np.zeros(1), values.size)
        levels = np.unique(np.concatenate([np.linspace(0, 1, bins + 1), [0.001, 0.005, 0.01, 0.99, 0.995, 0.999]]))
        spread = present[:: max(1, present.size // SPREAD)]
        edges = np.unique(np.quantile(spread, levels, method="lower"))
        edges = np.unique(np.append(edges, [present.min(), present.max()]))
        return cls.of(values, edges)

    @property
    def rows(self) -> int:
        """Rows with a number."""
        return round(float(self.counts.sum()))

    def merge(self, other: "Histogram") -> "Histogram":
        """The histogram of both parts. Raises ``ValueError`` where the cut points differ."""
        if not np.array_equal(self.edges, other.edges):
            raise ValueError("histograms merge only over the same cut points")
        return Histogram(self.edges, self.counts + other.counts, self.missing + other.missing)

    def coarse(self, bins: int) -> "Histogram":
        """About ``bins`` bins of similar weight, by leaving out cut points."""
        if self.edges.size + 1 <= bins:
            return self
        cumulative = np.cumsum(self.counts)[:-1]
        targets = np.linspace(0, self.rows, bins + 1)[1:-1]
        keep = np.unique(np.clip(np.searchsorted(cumulative, targets), 0, self.edges.size - 1))
        return self.on(self.edges[keep])

    def on(self, edges: Floats) -> "Histogram":
        """The same rows over some of the cut points, ``edges`` [fewer]."""
        position = np.searchsorted(self.edges, edges)
        cumulative = np.concatenate([[0.0], np.cumsum(self.counts)])
        bounds = np.concatenate([[0.0], cumulative[position + 1], [cumulative[-1]]])
        return Histogram(edges, np.diff(bounds), self.missing)

    def thinned(self, times: float) -> "Histogram":
        """The same shares with ``times`` fewer rows: what dependent rows are worth."""
        return self if times == 1 else Histogram(self.edges, self.counts / times, self.missing)

    def below(self) -> Floats:
        """Share of rows at or below each cut point, [E]."""
        return np.cumsum(self.counts)[:-1] / max(float(self.counts.sum()), 1e-9)

    def mid_ranks(self) -> Floats:
        """Share of rows below the middle of each bin, strictly between 0 and 1, [E + 1]."""
        cumulative = np.cumsum(self.counts)
        return np.clip((cumulative - self.counts / 2 + 0.5) / (self.rows + 1), 1e-6, 1 - 1e-6)

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``from_json`` reads them back."""
        return {"edges": self.edges.tolist(), "counts": self.counts.tolist(), "missing": self.missing}

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> Self:
        """Read what ``to_json`` wrote."""
        return cls(np.asarray(tree["edges"], float), np.asarray(tree["counts"], float), int(tree["missing"]))
