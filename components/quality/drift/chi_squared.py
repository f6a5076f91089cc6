"""Chi-squared test of homogeneity, with Cramer's V as the size of the difference (Cramer 1946)."""

import math

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.quality.stats.pvalues import chi2_tail, pool

Floats = NDArray[np.float64]


def chi_squared(new: Floats, reference: Floats, least: float = 5.0) -> tuple[float, float]:
    """Cramer's V in [0, 1] and log10 of Pearson's p-value for two rows of counts over the same bins, [B].

    Neighbouring bins are pooled until the smaller sample expects ``least`` rows in each.
    """
    a, b = pool(new, reference, least)
    total = float((a + b).sum())
    if a.size < 2 or a.sum() == 0 or b.sum() == 0:
        return 0.0, 0.0
    expected = (a + b) * a.sum() / total
    other = (a + b) - expected
    statistic = float(((a - expected) ** 2 / expected + (b - other) ** 2 / other).sum())
    return math.sqrt(statistic / total), chi2_tail(statistic, a.size - 1)
