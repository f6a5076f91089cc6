"""Count, mean, spread and range of numbers, merged batch by batch."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Real = float | np.floating[Any]
Array = NDArray[Any]


@dataclass
class Moments:
    """Count, mean, spread and range of the numbers of a column; missing ones (null, NaN) apart.

    Batches are merged by the pairwise update of Chan, Golub and LeVeque (1979), which does not lose digits where the
    mean is large against the spread. For tensors mean and squares are arrays over the last axis; for numbers beyond
    float64 they may be long doubles.
    """

    count: int = 0
    missing: int = 0
    mean: Real | Array = 0.0
    squares: Real | Array = 0.0
    """Sum of squared differences from the mean."""
    low: float = math.inf
    high: float = -math.inf

    @classmethod
    def of(cls, values: Array) -> Self:
        """Those of numbers [rows], without NaN."""
        if not len(values):
            return cls()
        wide = values.astype(np.float64)
        mean = wide.mean()
        return cls(len(wide), 0, mean, np.square(wide - mean).sum(), float(wide.min()), float(wide.max()))

    @property
    def variance(self) -> Real | Array:
        """Population variance (divided by the count, as ``StandardScaler`` does): a number, or [C] of a tensor."""
        return self.squares / max(self.count, 1)

    def merge(self, other: "Moments") -> None:
        """Take in another batch."""
        self.missing += other.missing
        if other.count == 0:
            return
        total = self.count + other.count
        difference = other.mean - self.mean
        self.squares = self.squares + other.squares + difference * difference * (self.count * other.count / total)
        self.mean = self.mean + difference * (other.count / total)
        self.count = total
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)
