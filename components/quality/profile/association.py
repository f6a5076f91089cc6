"""How strongly a feature goes with the label, from sums that add up over batches.

=============  ==================  =========================================================================
feature        label               measure
=============  ==================  =========================================================================
number         number, two classes  Pearson's correlation, -1 to 1 (of the second class)
number         more classes        correlation ratio eta, 0 to 1 (Fisher 1925)
text, boolean  classes             Cramer's V, corrected for bias, 0 to 1 (Bergsma 2013)
=============  ==================  =========================================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST = 1_000
"""Different values of a text above which no measure is given."""


@dataclass(frozen=True)
class Target:
    """The label of a batch: a number [n] for each row (NaN = none), or the place of its class (-1 = none)."""

    values: NDArray[Any]
    classes: int

    @classmethod
    def of(cls, series: pl.Series, classes: tuple[Any, ...] | None) -> Target:
        """From the label's column; ``classes`` of the contract, None for a number."""
        if classes is None:
            numbers = series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
            return cls(np.where(np.isfinite(numbers), numbers, np.nan), 0)
        known = pl.Series(list(classes), dtype=series.dtype, strict=False)
        places = series.replace_strict(known, pl.Series(range(len(classes))), default=-1, return_dtype=pl.Int64)
        return cls(places.fill_null(-1).to_numpy(), len(classes))


@dataclass(frozen=True)
class Moments:
    """Sums of x by group: rows, x and x squared, each [groups]; x is taken from ``origin`` so that little cancels."""

    origin: float
    rows: Floats
    first: Floats
    second: Floats

    @classmethod
    def of(cls, x: Floats, groups: NDArray[np.int64], count: int) -> Moments:
        """Rows whose x is finite and whose group is at least 0."""
        there = np.isfinite(x) & (groups >= 0)
        whole = bool(there.all())
        x, groups = (x, groups) if whole else (x[there], groups[there])
        zero = float(x.mean()) if len(x) else 0.0
        x = x - zero
        sums = [np.bincount(groups, minlength=count).astype(float)]
        sums += [np.bincount(groups, weights=w, minlength=count) for w in (x, x * x)]
        return cls(zero, *sums)

    def merge(self, other: Moments) -> Moments:
        """Of both, from the origin of the first."""
        gap = other.origin - self.origin
        first = self.first + other.first + gap * other.rows
        second = self.second + other.second + 2 * gap * other.first + gap * gap * other.rows
        return Moments(self.origin, self.rows + other.rows, first, second)

    def measure(self) -> tuple[str, float] | None:
        """Pearson's correlation for two groups, else eta; None where nothing varies."""
        rows = self.rows.sum()
        if rows < 2:
            return None
        mean = self.first.sum() / rows
        total = self.second.sum() - rows * mean * mean
        held = self.rows > 0
        between = float((self.first[held] ** 2 / self.rows[held]).sum() - rows * mean * mean)
        if not total > 0 or held.sum() < 2:
            return None
        eta = math.sqrt(min(max(between / total, 0.0), 1.0))
        if len(self.rows) > 2:
            return "eta", eta
        rising = self.first[1] / self.rows[1] >= self.first[0] / self.rows[0]
        return "pearson", eta if rising else -eta


@dataclass(frozen=True)
class Products:
    """Sums of two numbers and their products, each from an origin."""

    origins: tuple[float, float]
    sums: Floats

    @classmethod
    def of(cls, x: Floats, y: Floats) -> Products:
        """Rows where both are finite."""
        there = np.isfinite(x) & np.isfinite(y)
        x, y = x[there], y[there]
        zero = (float(x.mean()), float(y.mean())) if len(x) else (0.0, 0.0)
        x, y = x - zero[0], y - zero[1]
        return cls(zero, np.array([len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y], dtype=float))

    def merge(self, other: Products) -> Products:
        """Of both, from the origins of the first."""
        n, x, y, xx, yy, xy = other.sums
        p, q = (theirs - ours for theirs, ours in zip(other.origins, self.origins, strict=True))
        moved = [n, x + n * p, y + n * q, xx + 2 * p * x + n * p * p, yy + 2 * q * y + n * q * q]
        return Products(self.origins, self.sums + np.array([*moved, xy + p * y + q * x + n * p * q]))

    def measure(self) -> tuple[str, float] | None:
        """Pearson's correlation; None where one of them does not vary."""
        n, x, y, xx, yy, xy = self.sums
        if n < 2:
            return None
        spread = (xx - x * x / n) * (yy - y * y / n)
        return ("pearson", float(np.clip((xy - x * y / n) / math.sqrt(spread), -1, 1))) if spread > 0 else None


@dataclass(frozen=True)
class Table:
    """Rows by value and class: columns ``value`` and ``0`` .. ``K - 1``; None once there are too many values."""

    counts: pl.DataFrame | None

    @classmethod
    def of(cls, values: pl.Series, codes: NDArray[np.int64], target: Target) -> Table:
        """Count; missing values are a value."""
        if len(values) > MOST:
            return cls(None)
        there = target.values >= 0
        place = (codes[there] + 1) * target.classes + target.values[there]
        counts = np.bincount(place, minlength=(len(values) + 1) * target.classes).reshape(-1, target.classes)
        names = pl.concat([pl.Series("value", [None], dtype=pl.String), values.cast(pl.String)]).alias("value")
        return cls(pl.DataFrame([names, *(pl.Series(str(k), counts[:, k]) for k in range(target.classes))]))

    def merge(self, other: Table) -> Table:
        """Of both."""
        if self.counts is None or other.counts is None:
            return Table(None)
        both = pl.concat([self.counts, other.counts]).group_by("value").agg(pl.exclude("value").sum())
        return Table(both if both.height <= MOST else None)

    def measure(self) -> tuple[str, float] | None:
        """Cramer's V with Bergsma's correction; None where one side does not vary."""
        if self.counts is None:
            return None
        counts = self.counts.drop("value").to_numpy().astype(float)
        counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
        n, (r, k) = counts.sum(), counts.shape
        if r < 2 or k < 2 or n < 2:
            return None
        expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / n
        phi = max(0.0, float(((counts - expected) ** 2 / expected).sum()) / n - (r - 1) * (k - 1) / (n - 1))
        smaller = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
        return ("cramers_v", min(1.0, math.sqrt(phi / smaller))) if smaller > 0 else None


Association = Moments | Products | Table


def of_numbers(series: pl.Series, target: Target) -> Association:
    """A feature of numbers with the label."""
    x = series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return Moments.of(x, target.values, target.classes) if target.classes else Products.of(x, target.values)


def of_texts(values: pl.Series, codes: NDArray[np.int64], target: Target) -> Association:
    """A feature of texts or booleans, as ``texts.coded`` gives it, with a label of classes."""
    return Table.of(values, codes, target)


def merge(a: Association, b: Association) -> Association:
    """Of both batches."""
    if isinstance(a, Moments) and isinstance(b, Moments):
        return a.merge(b)
    if isinstance(a, Products) and isinstance(b, Products):
        return a.merge(b)
    if isinstance(a, Table) and isinstance(b, Table):
        return a.merge(b)
    raise ValueError("associations of two kinds do not add up")
