"""What the labels of the training split tell, seen part by part, so that no array of them is needed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

from kilnworks.schemas.contract import Contract

if TYPE_CHECKING:
    import numpy as np


@dataclass
class LabelStatistics:
    """Of classes the counts, of values mean, spread and range.

    Attributes:
        rows: labels seen.
        counts: int64 [K], rows that have each class; empty for values.
        mean, variance: of values; the variance is divided by ``rows``.
        low, high: smallest and largest value.
        log_mean, log_variance: of the logarithms of values; NaN where one is 0 or less.
    """

    rows: int
    counts: np.ndarray
    mean: float = 0.0
    variance: float = 0.0
    low: float = inf
    high: float = -inf
    log_mean: float = 0.0
    log_variance: float = 0.0

    @classmethod
    def of(cls, contract: Contract, parts: Iterable[np.ndarray]) -> LabelStatistics:
        """The statistics of encoded labels: class indices or values [rows], or 0 and 1 for each class [rows, K]."""
        import numpy as np

        label = contract.label
        found = cls(0, np.zeros(len(label.classes or ()) if label else 0, np.int64))
        for part in parts:
            found.add(part)
        return found

    def add(self, label: np.ndarray) -> None:
        """Take in some more labels, [rows] or [rows, K]; spreads are merged as by Chan, Golub and LeVeque (1979)."""
        import numpy as np

        if not len(label):
            return
        self.rows += len(label)
        if len(self.counts):
            several = label.ndim > 1
            each = label.sum(axis=0, dtype=np.int64) if several else np.bincount(label, minlength=len(self.counts))
            self.counts += each
            return
        values = label.astype(np.float64)
        share = len(label) / self.rows
        self.mean, self.variance = _merged(self.mean, self.variance, values, share)
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        logs = np.log(values) if self.low > 0 else np.full(1, np.nan)
        self.log_mean, self.log_variance = _merged(self.log_mean, self.log_variance, logs, share)


def _merged(mean: float, variance: float, values: np.ndarray, share: float) -> tuple[float, float]:
    """Mean and variance with further ``values`` [n], which are a ``share`` of all; see ``LabelStatistics.add``."""
    apart = float(values.mean()) - mean
    variance += share * (float(values.var()) - variance + apart * apart * (1 - share))
    return mean + share * apart, variance
