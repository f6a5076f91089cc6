"""Jensen-Shannon distance: the root of the mean divergence of two histograms from their average (Lin 1991)."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def jensen_shannon(new: Floats, reference: Floats) -> float:
    """Distance in [0, 1] with logarithms to base 2; 0 = equal, 1 = nothing in common.

    Args:
        new: rows in each bin, [B]; at least one in all.
        reference: rows in each of the same bins, [B]; at least one in all.
    """
    p, q = new / new.sum(), reference / reference.sum()
    middle = (p + q) / 2
    return math.sqrt(max(0.0, (_divergence(p, middle) + _divergence(q, middle)) / 2))


def _divergence(p: Floats, q: Floats) -> float:
    held = p > 0
    return float((p[held] * np.log2(p[held] / q[held])).sum())
