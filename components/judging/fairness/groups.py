"""Rates of a decision in a group of rows, as fairness measures name them (Hardt, Price & Srebro 2016)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SELECTION, TRUE_POSITIVE, FALSE_POSITIVE = "selection_rate", "true_positive_rate", "false_positive_rate"
RATES = (SELECTION, TRUE_POSITIVE, FALSE_POSITIVE)
"""Share of rows answered with the positive class: of all, of the positive ones, of the negative ones."""
ODDS = "equalized_odds"
"""The larger one of the gaps of the true and the false positive rate."""
LEAST = 10
"""Rows that a rate must be a share of; of fewer it says nothing."""


@dataclass(frozen=True)
class Group:
    """Rows that share a value.

    Attributes:
        name: the value as a reader may see it.
        rows: numbers of the rows, [n].
    """

    name: str
    rows: NDArray[np.intp]


def counts(name: str, truth: NDArray[np.bool_], flagged: NDArray[np.bool_]) -> tuple[int, int]:
    """How many rows a rate counts, and of how many.

    Args:
        name: one of ``RATES``.
        truth: whether a row is positive, [n].
        flagged: whether it is answered so, [n].
    """
    among = {SELECTION: np.ones_like(truth), TRUE_POSITIVE: truth, FALSE_POSITIVE: ~truth}[name]
    return int((flagged & among).sum()), int(among.sum())


def threshold_for(share: float, scores: NDArray[np.floating]) -> float:
    """A threshold above which about that share of scores lies: half way between two of them; 0 to 1.

    Args:
        share: 0 to 1.
        scores: [n], at least one, 0 to 1.
    """
    falling = np.sort(scores.astype(np.float64))[::-1]
    above = round(share * len(falling))
    low = falling[above] if above < len(falling) else 0.0
    high = falling[above - 1] if above else 1.0
    return float((low + high) / 2)
