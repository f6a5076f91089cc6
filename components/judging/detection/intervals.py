"""Intervals of what a detector reaches: whole images are drawn again, with all of their boxes (Efron 1979)."""

from __future__ import annotations

import numpy as np

from kilnworks.components.judging.detection.average_precision import Matched
from kilnworks.components.judging.intervals import LEVEL, Interval, undefined
from kilnworks.components.judging.resampled import DRAWS


def intervals(matched: Matched, draws: int, seed: int) -> dict[str, Interval]:
    """``map50``, ``map`` and ``recall50`` with their 95 % intervals, of ``DRAWS`` draws at most; ``seed`` decides."""
    rng, images = np.random.default_rng(seed), len(matched.truths)
    values = matched.metrics()
    drawn = [
        matched.metrics(np.bincount(rng.integers(0, images, images), minlength=images).astype(np.float64))
        for _ in range(min(draws, DRAWS))
    ]
    return {name: _interval(value, np.array([one[name] for one in drawn])) for name, value in values.items()}


def _interval(value: float, drawn: np.ndarray) -> Interval:
    if not np.isfinite(value):
        return undefined("no image has a box")
    kept = drawn[np.isfinite(drawn)]
    low, high = np.quantile(kept if len(kept) else [value], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, min(float(low), value), max(float(high), value))
