"""Numbers of a column: moments, extremes, quantiles and a histogram, merged batch by batch.

The different values are kept with their counts, which is exact, until there are more than ``EXACT``; from then on
``POINTS`` values stand for equal shares of the rows. A quantile is then off by at most about 1 / ``POINTS`` in rank
for each time that batches were merged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.quality.profile.distinct import HyperLogLog
from schemas.magnitudes import as_limit

Floats = NDArray[np.float64]
Real = float | np.floating[Any]

QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
BINS = 20
EXACT = 1_000_000
POINTS = 8_192
DENSE = 1_000_000
"""Whole numbers within so wide a range are counted without sorting."""


@dataclass
class Numbers:
    """What is known of the finite numbers of some rows.

    Attributes:
        values: rising; different ones while ``exact``.
        weights: rows that each value stands for.
        mean, squares: and the sum of squared differences from it; beyond float64 as long doubles.
    """

    rows: int = 0
    infinite: int = 0
    zeros: int = 0
    mean: Real = 0.0
    squares: Real = 0.0
    low: float = 0.0
    high: float = 0.0
    exact: bool = True
    values: NDArray[Any] = field(default_factory=lambda: np.empty(0))
    weights: Floats = field(default_factory=lambda: np.empty(0))
    endless: set[float] = field(default_factory=set)
    sketch: HyperLogLog | None = None

    @classmethod
    def of(cls, series: pl.Series, *, alone: bool = True) -> Numbers:
        """The numbers of a batch (missing ones left out); ``alone`` where no other batch will be merged."""
        given = series.drop_nulls().to_numpy()
        if given.dtype.kind == "b":
            given = given.astype(np.int64)
        there = given[np.isfinite(given)] if given.dtype.kind == "f" else given
        endless = set(np.unique(given[~np.isfinite(given)]).tolist()) if len(there) < len(given) else set()
        values, counts = _counted(there)
        found = cls(len(there), len(given) - len(there), values=values, weights=counts, endless=endless)
        if len(there):
            found.low, found.high = values[0].item(), values[-1].item()
            found.zeros = int(counts[values == 0].sum())
            found.mean, found.squares = _moments(values, counts, len(there))
        if not alone:
            found.sketch = HyperLogLog()
            found.sketch.add(pl.Series(values).hash().to_numpy())
        return found

    @property
    def distinct(self) -> int:
        """Different values, infinite ones among them; about, once there are more than ``EXACT``."""
        finite = len(self.values) if self.exact or self.sketch is None else self.sketch.count
        return finite + len(self.endless)

    def merge(self, other: Numbers) -> Numbers:
        """The numbers of both; both were made with ``alone=False``."""
        if self.sketch is not None and other.sketch is not None:
            self.sketch.merge(other.sketch)
        rows = self.rows + other.rows
        first, second = (self, other) if self.rows else (other, self)
        part = second.rows / rows if rows else 0.0
        with np.errstate(over="ignore", invalid="ignore"):
            gap = np.longdouble(second.mean) - np.longdouble(first.mean)
            mean, squares = first.mean + gap * part, first.squares + second.squares + gap * gap * first.rows * part
        merged = Numbers(
            rows,
            self.infinite + other.infinite,
            self.zeros + other.zeros,
            mean,
            squares,
            min(p.low for p in (self, other) if p.rows) if rows else 0.0,
            max(p.high for p in (self, other) if p.rows) if rows else 0.0,
            self.exact and other.exact,
            endless=self.endless | other.endless,
            sketch=self.sketch,
        )
        merged.values, merged.weights = _together(self, other)
        merged._thin()
        return merged

    def _thin(self) -> None:
        """Let few values stand for many where there are too many."""
        if len(self.values) <= (EXACT if self.exact else 32 * POINTS):
            return
        places = (np.arange(POINTS) + 0.5) / POINTS * self.weights.sum()
        self.values = self.values[np.searchsorted(np.cumsum(self.weights), places, side="left")]
        self.weights = np.full(POINTS, self.rows / POINTS)
        self.exact = False

    def quantiles(self) -> dict[str, float]:
        """Nearest values at ``QUANTILES``; whole numbers with every digit."""
        below = np.cumsum(self.weights)
        places = [
            min(int(np.searchsorted(below, round(q * (self.rows - 1)), side="right")), len(below) - 1)
            for q in QUANTILES
        ]
        return {f"{q:g}": _exact(self.values[place]) for q, place in zip(QUANTILES, places, strict=True)}

    def histogram(self) -> dict[str, Any]:
        """Counts of ``BINS`` equally wide bins; the last bin holds its right edge."""
        low, high = float(self.low), float(self.high)
        if low == high:
            return {"edges": [_exact(self.low), _exact(self.high)], "counts": [self.rows]}
        steps = np.linspace(0, 1, BINS + 1)
        edges = low * (1 - steps) + high * steps
        below = np.concatenate([[0.0], np.cumsum(self.weights)])
        inner = below[np.searchsorted(self.values, edges[1:-1], side="left")]
        counts = np.diff(np.concatenate([[0], np.rint(inner), [self.rows]]).astype(np.int64))
        return {"edges": edges.tolist(), "counts": counts.tolist()}

    def statistics(self, *, sensitive: bool) -> dict[str, Any]:
        """What the profile says; no single values where they are sensitive."""
        found: dict[str, Any] = {"distinct": self.distinct, "infinite": self.infinite}
        if not self.exact:
            found["approximate"] = ["distinct", "quantiles", "histogram"]
        if not self.rows:
            return found
        std = np.sqrt(self.squares / self.rows)
        found |= {"mean": _finite(self.mean), "std": _finite(std), "zeros": self.zeros}
        if sensitive:
            return found
        ends = {"min": _exact(self.low), "max": _exact(self.high)}
        return {**found, "quantiles": self.quantiles(), **ends, "histogram": self.histogram()}


def _counted(there: NDArray[Any]) -> tuple[NDArray[Any], Floats]:
    """Different values, rising, and how often each is there."""
    if not len(there):
        return there, np.empty(0)
    if there.dtype.kind == "i":
        low, high = int(there.min()), int(there.max())
        if high - low < DENSE:
            counts = np.bincount(there - low)
            places = np.flatnonzero(counts)
            return places + low, counts[places].astype(np.float64)
    ordered = pl.Series(there).sort().to_numpy()
    starts = np.concatenate([[0], np.flatnonzero(ordered[1:] != ordered[:-1]) + 1])
    return ordered[starts], np.diff(np.concatenate([starts, [len(ordered)]])).astype(np.float64)


def _moments(values: NDArray[Any], counts: Floats, rows: int) -> tuple[Real, Real]:
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(np.dot(values.astype(np.float64), counts)) / rows
        squares = float(np.dot(np.square(values - mean), counts))
    if math.isfinite(mean) and math.isfinite(squares):
        return mean, squares
    wide, times = values.astype(np.longdouble), counts.astype(np.longdouble)
    middle = (wide * times).sum() / rows
    return middle, (np.square(wide - middle) * times).sum()


def _together(a: Numbers, b: Numbers) -> tuple[NDArray[Any], Floats]:
    filled = [part for part in (a, b) if len(part.values)] or [a]
    values, weights = (np.concatenate([getattr(p, f) for p in filled]) for f in ("values", "weights"))
    order = np.argsort(values, kind="stable")
    values, weights = values[order], weights[order]
    if not len(values):
        return values, weights
    starts = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1])
    return values[starts], np.add.reduceat(weights, starts)


def _exact(value: Any) -> float:
    """As JSON keeps it: an int where float64 would round it, else a float."""
    return as_limit(value.item() if isinstance(value, np.generic) else value)


def _finite(value: Any) -> float | None:
    """A float; None where it is beyond float64."""
    with np.errstate(over="ignore"):
        plain = float(value)
    return plain if math.isfinite(plain) else None
