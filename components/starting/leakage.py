"""Features that tell the label almost alone: too good to be known before the label is.

Each feature alone predicts the label, learned on one half of the rows and judged on the other: by the rate of each bin
or value for classes, and by the nearest value for numbers to be predicted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from kilnworks.components.judging.metrics import auc
from kilnworks.schemas.magnitudes import FLOAT32_MAX

ROWS = 40_000
"""Rows that are looked at, at most."""
BINS = 64
SUSPICIOUS = 0.97
"""From this power on a feature is pointed out."""
COPY = 0.999
"""From this power on a feature is the label in other words, and left out."""


@dataclass(frozen=True)
class Suspect:
    """A feature that tells the label almost alone.

    Attributes:
        name: of the column.
        power: AUC (two classes), gain in accuracy over the most frequent class as a share of what there is to gain
            (more classes), or R squared (numbers), on rows that it was not learned from.
        measure: which of them, in words.
    """

    name: str
    power: float
    measure: str

    @property
    def copy(self) -> bool:
        """Whether it is as good as the label itself."""
        return self.power >= COPY


def find_suspects(frame: pl.DataFrame, label: str, names: list[str], *, classes: bool) -> list[Suspect]:
    """Suspicious features among ``names``, the worst first.

    Args:
        frame: features as numbers, datetimes or texts; the label as texts (classes) or numbers.
        label: its column.
        names: columns to look at.
        classes: whether the label holds classes.
    """
    rows = frame.filter(pl.col(label).is_not_null())
    if not classes:
        rows = rows.filter(pl.col(label).abs() <= FLOAT32_MAX)
    rows = rows.sample(ROWS, seed=0) if rows.height > ROWS else rows.sample(fraction=1, shuffle=True, seed=0)
    half = rows.height // 2
    if half < 50:
        return []
    found = []
    for name in names:
        power, measure = _power(rows, name, label, half, classes)
        if power >= SUSPICIOUS:
            found.append(Suspect(name, power, measure))
    return sorted(found, key=lambda s: -s.power)


def _power(rows: pl.DataFrame, name: str, label: str, half: int, classes: bool) -> tuple[float, str]:
    if not classes:
        return _squared(rows[name], rows[label].cast(pl.Float64).to_numpy(), half), "R squared"
    target = rows[label].cast(pl.String).cast(pl.Categorical).to_physical().to_numpy()
    target = np.unique(target, return_inverse=True)[1]
    rates = _rates(_codes(rows[name], half), target, half)
    if rates.shape[1] == 2:
        return auc(target[half:], rates[half:, 1]), "AUC"
    right = float((rates[half:].argmax(axis=1) == target[half:]).mean())
    most = float(np.bincount(target[half:]).max() / (len(target) - half))
    return (right - most) / max(1 - most, 1e-9), "share of the errors that it avoids"


def _codes(series: pl.Series, half: int) -> np.ndarray:
    """Bins of numbers (edges from the first half) or values of texts, as int64 from 0; missing is a value, too."""
    if series.dtype in (pl.String, pl.Boolean):
        return series.cast(pl.String).fill_null("").rank("dense").cast(pl.Int64).to_numpy() - 1
    values = _finite(series)
    known = values.head(half).drop_nulls().to_numpy()
    if not known.size:
        return values.is_null().cast(pl.Int64).to_numpy()
    edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)))
    codes = np.searchsorted(edges, values.fill_null(0).to_numpy(), side="right") + 1
    return np.where(values.is_null().to_numpy(), 0, codes)


def _finite(series: pl.Series) -> pl.Series:
    """Numbers, null where they are missing or infinite."""
    values = series.cast(pl.Float64, strict=False)
    return values.set(~values.is_finite().fill_null(True), None)


def _rates(codes: np.ndarray, target: np.ndarray, half: int) -> np.ndarray:
    """Smoothed rate of each class [N, K] at each row's code, learned from the first half."""
    kinds = int(target.max()) + 1
    counts = np.zeros((int(codes.max()) + 1, kinds))
    np.add.at(counts, (codes[:half], target[:half]), 1)
    base = np.bincount(target[:half], minlength=kinds) / half
    return ((counts + base) / (counts.sum(axis=1, keepdims=True) + 1))[codes]


def _squared(series: pl.Series, target: np.ndarray, half: int) -> float:
    """R squared on the second half: of the nearest values for numbers, of the mean of each value for texts."""
    if series.dtype in (pl.String, pl.Boolean):
        codes = _codes(series, half)
        sums = np.bincount(codes[:half], target[:half], minlength=int(codes.max()) + 1)
        seen = np.bincount(codes[:half], minlength=int(codes.max()) + 1)
        guess = ((sums + target[:half].mean()) / (seen + 1))[codes[half:]]
    else:
        known = _finite(series)
        middle = known.median()
        values = known.fill_null(middle if isinstance(middle, float) else 0.0).to_numpy()
        points, where = np.unique(values[:half], return_inverse=True)
        means = np.bincount(where, target[:half]) / np.bincount(where)
        guess = np.interp(values[half:], points, means)
    spread = float(((target[half:] - target[half:].mean()) ** 2).sum())
    return 1 - float(((target[half:] - guess) ** 2).sum()) / max(spread, 1e-300)
