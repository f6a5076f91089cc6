"""What the labels of the training split tell, seen part by part, so that no array of them is needed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from schemas.contract import Contract


@dataclass
class LabelStatistics:
    """Of class indices the counts, of values mean, spread and range.

    Attributes:
        rows: labels seen.
        counts: int64 [K], rows of each class; empty for values.
        mean, variance: of values; the variance is divided by ``rows``.
        low, high: smallest and largest value.
    """

    rows: int
    counts: np.ndarray
    mean: float = 0.0
    variance: float = 0.0
    low: float = np.inf
    high: float = -np.inf

    @classmethod
    def of(cls, contract: Contract, parts: Iterable[np.ndarray]) -> LabelStatistics:
        """The statistics of encoded labels, [rows] each."""
        found = cls(0, np.zeros(0 if contract.task == "regression" else len(classes(contract)), np.int64))
        for part in parts:
            found.add(part)
        return found

    def add(self, label: np.ndarray) -> None:
        """Take in some more labels; spreads are merged as by Chan, Golub and LeVeque (1979)."""
        if not len(label):
            return
        self.rows += len(label)
        if len(self.counts):
            self.counts += np.bincount(label, minlength=len(self.counts))
            return
        values = label.astype(np.float64)
        share, apart = len(label) / self.rows, float(values.mean()) - self.mean
        self.variance += share * (float(values.var()) - self.variance + apart * apart * (1 - share))
        self.mean += share * apart
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))


def classes(contract: Contract) -> tuple[Any, ...]:
    """The classes of the label of a classification."""
    assert contract.label is not None and contract.label.classes is not None
    return contract.label.classes
