"""Correcting p-values for the number of features that were tested."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def benjamini_hochberg(log_p: ArrayLike) -> Floats:
    """log10 of adjusted p-values [n] that bound the false discovery rate (Benjamini and Hochberg 1995)."""
    p = np.asarray(log_p, float)
    order = np.argsort(p)
    steps = p[order] + np.log10(p.size / np.arange(1, p.size + 1)) if p.size else p
    adjusted = np.empty(p.size)
    adjusted[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 0.0)
    return adjusted
