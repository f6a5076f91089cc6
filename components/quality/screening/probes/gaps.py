"""Gaps in time: how long nothing happens between two moments of a file, sorted or not."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.quality.screening.probes.evidence import Evidence

Floats = NDArray[np.float64]
DAY = 86400.0
LEAST = 10
"""Fewer gaps than this are not judged."""


def gaps_of(moments: Floats) -> Floats:
    """Seconds between different moments that follow one another, moments [n] in any order."""
    gaps = np.diff(np.unique(moments[~np.isnan(moments)]))
    return gaps[gaps > 0]


def learn_gaps(moments: Floats) -> dict[str, Any]:
    """First and last moment and the longest gap, in seconds and in mean gaps; at least one moment is there."""
    gaps = gaps_of(moments)
    return {
        "first": float(np.nanmin(moments)),
        "last": float(np.nanmax(moments)),
        "rows": int(np.isfinite(moments).sum()),
        "largest": float(gaps.max() / gaps.mean()) if gaps.size else 1.0,
        "largest_seconds": float(gaps.max()) if gaps.size else 0.0,
    }


def no_gaps(kept: dict[str, Any], moments: Floats, name: str) -> Iterator[Evidence]:
    """Whether the longest gap is longer than the clean file and, for events at random, chance allow."""
    gaps = gaps_of(moments)
    if gaps.size < LEAST:
        return
    ratio = float(gaps.max() / gaps.mean())
    chance = math.log10(gaps.size) - ratio / math.log(10)
    usual = kept["largest"] * (1 + 0.3 * math.log1p(gaps.size / kept["rows"]))
    yield Evidence(
        name,
        "no gaps in time",
        min(0.0, chance) if ratio > 1.5 * usual and gaps.max() > 1.5 * kept["largest_seconds"] else 0.0,
        ratio / max(3 * usual, 1e-9),
        f"the longest gap is {gaps.max() / DAY:.4g} days",
        f"at most {kept['largest_seconds'] / DAY:.4g} days",
    )
