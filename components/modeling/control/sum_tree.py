"""Numbers with their sums in a tree, so that one is drawn in proportion to its size in logarithmic time."""

from __future__ import annotations

import numpy as np


class SumTree:
    """``capacity`` numbers of at least 0, all 0 at first (Schaul, Quan, Antonoglou & Silver 2016, appendix B)."""

    def __init__(self, capacity: int) -> None:
        self._first = 1 << (capacity - 1).bit_length()
        self._sums = np.zeros(2 * self._first)
        self.capacity = capacity

    @property
    def total(self) -> float:
        """Sum of all numbers."""
        return float(self._sums[1])

    @property
    def values(self) -> np.ndarray:
        """All numbers, float64 [capacity]."""
        return self._sums[self._first : self._first + self.capacity]

    def set(self, places: np.ndarray, values: np.ndarray) -> None:
        """Put ``values`` at ``places``, [n] both; of a place that is named twice the last one counts."""
        self._sums[self._first + places] = values
        above = np.unique((self._first + places) >> 1)
        while above.size and above[0] >= 1:
            self._sums[above] = self._sums[2 * above] + self._sums[2 * above + 1]
            above = np.unique(above >> 1)

    def find(self, sums: np.ndarray) -> np.ndarray:
        """For each of ``sums`` [n], 0 to ``total``, the first place up to which the numbers add up to more, [n]."""
        at, left = np.ones(len(sums), np.int64), np.array(sums, np.float64)
        while at[0] < self._first:
            child = 2 * at
            right = (left >= self._sums[child]) & (self._sums[child + 1] > 0)
            left = np.where(right, left - self._sums[child], left)
            at = child + right
        return at - self._first
