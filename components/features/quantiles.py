"""The piecewise linear scale of training quantiles, which columns and Keras layers share."""

import numpy as np

MIDDLE = np.float32(0.5)
"""Share that stands for a missing value."""


def interpolate(values: np.ndarray, knots: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Piecewise linear from ascending knots to shares, flat outside; subnormal results are 0, as in TensorFlow.

    Args:
        values: float32 [N], without NaN.
        knots: float32 [K], strictly ascending, K >= 2.
        shares: float32 [K], 0 to 1, ascending.

    Returns:
        float32 [N], 0 to 1.
    """
    inside = np.clip(values, knots[0], knots[-1])
    right = np.clip(np.searchsorted(knots, inside, side="right"), 1, len(knots) - 1)
    left = right - 1
    way = (inside - knots[left]) / (knots[right] - knots[left])
    found = shares[left] + way * (shares[right] - shares[left])
    return np.where(np.abs(found) < np.finfo(np.float32).tiny, np.float32(0), found)
