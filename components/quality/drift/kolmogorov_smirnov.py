"""Kolmogorov-Smirnov: the largest difference of two cumulative distributions, seen at the cut points of histograms."""

import numpy as np

from kilnworks.components.quality.stats.histogram import Histogram
from kilnworks.components.quality.stats.pvalues import ks_tail


def kolmogorov_smirnov(new: Histogram, reference: Histogram) -> tuple[float, float]:
    """Distance in [0, 1] and log10 of its p-value (an upper bound); both histograms over the same cut points.

    The distance is exact when the cut points hold every value, and else at most one bin's share too small.
    """
    if reference.edges.size == 0 or new.rows == 0 or reference.rows == 0:
        return 0.0, 0.0
    distance = float(np.abs(new.below() - reference.below()).max())
    return distance, ks_tail(distance, new.rows, reference.rows)
