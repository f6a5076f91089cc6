"""Numbers of a column: moments, extremes, quantiles and a histogram, merged batch by batch.

The different values are kept with their counts, which is exact, until there are more than ``EXACT``; from then on
``POINTS`` values stand for about equal shares of the rows. A quantile is then off by at most about 1 / ``POINTS`` in
rank for each time that values were thinned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from kilnworks.components.sketches.distinct import HyperLogLog
from kilnworks.components.sketches.moments import Moments
from kilnworks.components.sketches.weighted import Weighted
from kilnworks.schemas.magnitudes import as_limit

QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
BINS = 20
EXACT = 1_000_000
POINTS = 8_192


@dataclass
class Numbers:
    """What is known of the finite numbers of some rows.

    Attributes:
        moments: of them; beyond float64 as long doubles.
        exact: whether every different value is still there.
        seen: the values.
        endless: the infinite ones that occur.
        sketch: counts different values where ``exact`` may end.
    """

    infinite: int = 0
    zeros: int = 0
    moments: Moments = field(default_factory=Moments)
    exact: bool = True
    seen: Weighted = field(default_factory=Weighted)
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
        seen = Weighted.of(there)
        found = cls(len(given) - len(there), moments=_moments(seen), seen=seen, endless=endless)
        found.zeros = int(seen.weights[seen.values == 0].sum())
        if not alone:
            found.sketch = HyperLogLog()
            found.sketch.add(pl.Series(seen.values).hash().to_numpy())
        return found

    @property
    def rows(self) -> int:
        """Finite numbers that were seen."""
        return self.moments.count

    @property
    def distinct(self) -> int:
        """Different values, infinite ones among them; about, once there are more than ``EXACT``."""
        finite = len(self.seen.values) if self.exact or self.sketch is None else self.sketch.count
        return finite + len(self.endless)

    def merge(self, other: Numbers) -> Numbers:
        """The numbers of both; both were made with ``alone=False``."""
        if self.sketch is not None and other.sketch is not None:
            self.sketch.merge(other.sketch)
        moments = replace(self.moments, mean=np.longdouble(self.moments.mean))
        with np.errstate(over="ignore", invalid="ignore"):
            moments.merge(other.moments)
        seen, exact = self.seen.merged(other.seen), self.exact and other.exact
        if len(seen.values) > (EXACT if exact else 32 * POINTS):
            seen, exact = seen.thinned(POINTS), False
        return Numbers(
            self.infinite + other.infinite,
            self.zeros + other.zeros,
            moments,
            exact,
            seen,
            self.endless | other.endless,
            self.sketch,
        )

    def quantiles(self) -> dict[str, float]:
        """Nearest values at ``QUANTILES``; whole numbers with every digit."""
        values = self.seen.nearest(QUANTILES)
        return {f"{q:g}": _exact(value) for q, value in zip(QUANTILES, values, strict=True)}

    def histogram(self) -> dict[str, Any]:
        """Counts of ``BINS`` equally wide bins; the last bin holds its right edge."""
        low, high = float(self.moments.low), float(self.moments.high)
        if low == high:
            return {"edges": [_exact(self.moments.low), _exact(self.moments.high)], "counts": [self.rows]}
        steps = np.linspace(0, 1, BINS + 1)
        edges = low * (1 - steps) + high * steps
        inner = self.seen.below(edges[1:-1])
        counts = np.diff(np.concatenate([[0], np.rint(inner), [self.rows]]).astype(np.int64))
        return {"edges": edges.tolist(), "counts": counts.tolist()}

    def statistics(self, *, sensitive: bool) -> dict[str, Any]:
        """What the profile says; no single values where they are sensitive."""
        found: dict[str, Any] = {"distinct": self.distinct, "infinite": self.infinite}
        if not self.exact:
            found["approximate"] = ["distinct", "quantiles", "histogram"]
        if not self.rows:
            return found
        std = np.sqrt(self.moments.variance)
        found |= {"mean": _finite(self.moments.mean), "std": _finite(std), "zeros": self.zeros}
        if sensitive:
            return found
        ends = {"min": _exact(self.moments.low), "max": _exact(self.moments.high)}
        return {**found, "quantiles": self.quantiles(), **ends, "histogram": self.histogram()}


def _moments(seen: Weighted) -> Moments:
    values, counts, rows = seen.values, seen.weights, round(seen.rows)
    if not rows:
        return Moments()
    low, high = values[0].item(), values[-1].item()
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(np.dot(values.astype(np.float64), counts)) / rows
        squares = float(np.dot(np.square(values - mean), counts))
    if math.isfinite(mean) and math.isfinite(squares):
        return Moments(rows, 0, mean, squares, low, high)
    wide, times = values.astype(np.longdouble), counts.astype(np.longdouble)
    middle = (wide * times).sum() / rows
    return Moments(rows, 0, middle, (np.square(wide - middle) * times).sum(), low, high)


def _exact(value: Any) -> float:
    """As JSON keeps it: an int where float64 would round it, else a float."""
    return as_limit(value.item() if isinstance(value, np.generic) else value)


def _finite(value: Any) -> float | None:
    """A float; None where it is beyond float64."""
    with np.errstate(over="ignore"):
        plain = float(value)
    return plain if math.isfinite(plain) else None
