"""How far a number may lie out before it cannot belong: tails carried on beyond the data by extreme-value theory."""

import math

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.quality.stats.memory import inflation
from kilnworks.components.quality.stats.pvalues import rate_increase

Floats = NDArray[np.float64]

HORIZON = 1e6
"""Rows among which a clean source is expected to exceed a bound about once."""
_CAUTION = 0.1
"""Added to the estimated shape of a tail that is heavier than exponential: small samples make it look too light."""

_LEAST = 20
"""Fewer excesses than this do not show that a tail is lighter than exponential."""


def bounds(values: Floats) -> tuple[float, float]:
    """Bounds (low, high) that about one clean row in ``HORIZON`` crosses; values [n] without NaN, n >= 1.

    Excesses over the 90th percentile are taken as generalised Pareto (Pickands 1975) with the shape estimated by
    moments (Hosking and Wallis 1987), never below 0 (exponential).
    """
    return -_upper(-values), _upper(values)


def ends(values: Floats) -> tuple[float, float]:
    """Where the tails (low, high) stop if they may be lighter than exponential, up to a hard stop; values [n], n >= 1.

    Nearer than ``bounds``: 0 or 1 lies beyond them only if the values keep away from it or end there. Neighbours that
    resemble each other count for fewer values.
    """
    weaker = inflation(values)
    return -_upper_end(-values, weaker), _upper_end(values, weaker)


def stray(k: int, n: int, rows: int) -> float:
    """log10 P(at least ``k`` of ``n`` clean rows lie beyond bounds that were made from ``rows`` others).

    Poisson, at five times the rate aimed at. A batch much larger than the clean file may hold what that was too small
    to show; then only the number of such rows counts (Fisher's exact test).
    """
    if n > 2 * rows:
        return rate_increase(k, n, 0, rows)
    expected = 0.01 + 5 * n / HORIZON
    return min(0.0, k * math.log10(expected) - (math.lgamma(k + 1) + expected) / math.log(10)) if k > expected else 0.0


def _upper_end(values: Floats, weaker: float) -> float:
    top = float(values.max())
    threshold = float(np.quantile(values, 0.9))
    excess = values[values > threshold] - threshold
    if excess.size < 5 <= (values == top).sum() / weaker:
        return top
    if excess.size < _LEAST * weaker:
        return _upper(values)
    mean, variance = float(excess.mean()), float(excess.var())
    if mean**2 < 1e-300:
        return _upper(values)
    shape = 0.5 * (1 - mean**2 / max(variance, 0.02 * mean**2)) + _CAUTION + math.sqrt(weaker / excess.size)
    if shape >= -1e-6:
        return _upper(values)
    times = HORIZON * excess.size / values.size
    return max(top, threshold + mean * (1 - shape) / shape * (times**shape - 1))


def _upper(values: Floats) -> float:
    top = float(values.max())
    median = float(np.median(values))
    threshold = float(np.quantile(values, 0.9))
    excess = values[values > threshold] - threshold
    if excess.size < 5:
        spread = max(top - median, float(np.std(values)), abs(top) * 0.1, 1e-12)
        return top + 5 * spread
    mean, variance = float(excess.mean()), float(excess.var())
    shape = 0.5 * (1 - mean**2 / variance) if variance > 0 else 0.0
    shape = float(np.clip(shape + _CAUTION, 0.0, 0.9)) if shape > 0.03 else 0.0
    scale = max(mean * (1 - shape), 1e-12)
    times = HORIZON * excess.size / values.size
    reach = scale * math.log(times) if shape < 1e-6 else scale / shape * (times**shape - 1)
    return max(threshold + reach, top + 0.5 * (top - median))
