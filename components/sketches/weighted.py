"""Different values and the rows that each stands for: exact while they are few, thinned where they are many.

Quantiles of a stream in the manner of Greenwald and Khanna (2001): a thinning to ``size`` values moves a rank by at
most about one part in ``2 * size``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Values = NDArray[Any]
DENSE = 1_000_000
"""Whole numbers within so wide a range are counted without sorting."""


@dataclass(frozen=True)
class Weighted:
    """Values of some rows.

    Attributes:
        values: rising, each once, without NaN; [n] of floats or whole numbers.
        weights: rows that each stands for, above 0; [n].
    """

    values: Values = field(default_factory=lambda: np.empty(0))
    weights: Floats = field(default_factory=lambda: np.empty(0))

    @classmethod
    def of(cls, values: Values) -> Weighted:
        """Those of ``values`` [rows], in any order, without NaN."""
        return cls(*_counted(values)) if len(values) else cls(values)

    @property
    def rows(self) -> float:
        """Rows that all of them stand for."""
        return float(self.weights.sum())

    def merged(self, other: Weighted) -> Weighted:
        """Those of both."""
        filled = [part for part in (self, other) if len(part.values)] or [self]
        values, weights = (np.concatenate([getattr(p, f) for p in filled]) for f in ("values", "weights"))
        if len(filled) == 1:
            return Weighted(values, weights)
        order = np.argsort(values, kind="stable")
        values, weights = values[order], weights[order]
        starts = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1])
        return Weighted(values[starts], np.add.reduceat(weights, starts))

    def thinned(self, size: int) -> Weighted:
        """At most ``size`` of them, the lowest and the highest among them; each stands for the ranks nearest to it."""
        ends = np.cumsum(self.weights)
        rank = np.linspace(0, ends[-1] - 1, size)
        edges = np.concatenate([[0.0], (rank[1:] + rank[:-1] + 1) / 2, [ends[-1]]])
        values, where = np.unique(self._by_rank(ends, rank), return_inverse=True)
        return Weighted(values, np.bincount(where, np.diff(edges), len(values)).astype(np.float64))

    def at(self, shares: ArrayLike) -> Floats:
        """Values below which ``shares`` [S] (0 to 1) of the rows lie, [S]; linear between, as ``numpy.quantile``."""
        ends = np.cumsum(self.weights)
        rank = np.asarray(shares) * (ends[-1] - 1)
        below, above = (self._by_rank(ends, end) for end in (np.floor(rank), np.ceil(rank)))
        return np.asarray(below + (above - below) * (rank - np.floor(rank)))

    def nearest(self, shares: ArrayLike) -> Values:
        """Values that occur, nearest to those below which ``shares`` [S] (0 to 1) lie, [S]; every digit of them."""
        ends = np.cumsum(self.weights)
        return self._by_rank(ends, np.round(np.asarray(shares) * (round(ends[-1]) - 1)))

    def below(self, edges: Floats) -> Floats:
        """Rows below each of ``edges`` [E], [E]."""
        sums = np.concatenate([[0.0], np.cumsum(self.weights)])
        return np.asarray(sums[np.searchsorted(self.values, edges, side="left")])

    def _by_rank(self, ends: Floats, rank: Floats) -> Values:
        return self.values[np.minimum(np.searchsorted(ends, rank, side="right"), len(self.values) - 1)]


def _counted(values: Values) -> tuple[Values, Floats]:
    """Different values, rising, and how often each is there."""
    if values.dtype.kind == "i":
        low, high = int(values.min()), int(values.max())
        if high - low < DENSE:
            counts = np.bincount(values - low)
            places = np.flatnonzero(counts)
            return places + low, counts[places].astype(np.float64)
    ordered = pl.Series(values).sort().to_numpy()
    starts = np.concatenate([[0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1])
    return ordered[starts], np.diff(np.concatenate([starts, [len(ordered)]])).astype(np.float64)
