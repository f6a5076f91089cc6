"""Population stability index: the symmetric Kullback-Leibler divergence of two histograms (Jeffreys 1946)."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def psi(new: Floats, reference: Floats) -> float:
    """Sum of (p - q) ln(p / q) over bins; 0 = equal, unbounded. Each bin is given half a row more, so none is empty.

    Args:
        new: rows in each bin, [B].
        reference: rows in each of the same bins, [B].
    """
    p = (new + 0.5) / (new.sum() + 0.5 * new.size)
    q = (reference + 0.5) / (reference.sum() + 0.5 * reference.size)
    return float(((p - q) * np.log(p / q)).sum())
