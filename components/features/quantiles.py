"""The piecewise linear scale of training quantiles, which columns and Keras layers share."""

import numpy as np

MIDDLE = np.float32(0.5)
"""Share that stands for a missing value."""


def interpolate(values: np.ndarray, knots: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Piecewise linear from ascending knots to shares, flat outside; all float32, subnormal ones 0 as in TensorFlow."""
    inside = np.clip(values, knots[0], knots[-1])
    right = np.clip(np.searchsorted(knots, inside, side="right"), 1, len(knots) - 1)
    left = right - 1
    way = (inside - knots[left]) / (knots[right] - knots[left])
    found = shares[left] + way * (shares[right] - shares[left])
    return np.where(np.abs(found) < np.finfo(np.float32).tiny, np.float32(0), found)
