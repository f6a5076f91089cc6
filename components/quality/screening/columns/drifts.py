"""Numbers whose level drifts with time in the clean rows: prices that rise, walks that never come back."""

import math
from collections.abc import Collection
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kilnworks.components.quality.screening.columns.axis import Axis
from kilnworks.components.quality.screening.columns.table import Table

Floats = NDArray[np.float64]

APART = 0.25
"""Distance of Kolmogorov and Smirnov between the halves of the clean rows' time from which on a number drifts."""
CORRELATED = 0.3
"""Rank correlation with time from which on a number drifts."""
REACH = 4.0
"""How many times their range beyond it numbers that drift may go before they are far outside."""
LEAST = 50
NARROW = 10.0
"""Standard deviation of years, in years, below which one year more is a change."""


def find_drifts(table: Table, axis: Axis | None, known: Collection[str]) -> list[str]:
    """Numbers, apart from those ``known`` to advance, whose level differs between halves of the time; years, too."""
    names = [n for n in table.names("number") if n not in known]
    moments = axis.values(table) if axis is not None else np.zeros(0)
    return [n for n in names if _years(table, n) or (axis is not None and goes_with(table.numbers(n), moments))]


def _years(table: Table, name: str) -> bool:
    """Whether a column holds years close together, as those of pupils' births: next year's are one larger."""
    values = table.numbers(name)
    present = values[~np.isnan(values)]
    if not table.specs[name].integer or np.unique(present).size < 3 or present.size < LEAST:
        return False
    return bool(present.min() >= 1900 and present.max() <= 2100 and present.std() < NARROW)


def goes_with(values: Floats, moments: Floats) -> bool:
    """Whether the level of numbers goes with time, or differs between the halves of it; both [n], NaN = none."""
    known = np.isfinite(values) & np.isfinite(moments)
    values, moments = values[known], moments[known]
    if values.size < LEAST or np.unique(values).size < 3 or np.unique(moments).size < 4:
        return False
    ranks, times = (np.unique(x, return_inverse=True)[1].astype(float) for x in (values, moments))
    late = times > np.median(times)
    if abs(float(np.corrcoef(ranks, times)[0, 1])) > CORRELATED:
        return True
    places = np.sort(values)
    shares = [np.searchsorted(np.sort(values[f]), places, side="right") / max(int(f.sum()), 1) for f in (~late, late)]
    chance = 1.8 * math.sqrt(4 / values.size)
    return bool(late.any() and np.abs(shares[0] - shares[1]).max() > max(APART, chance))


def widen(probes: dict[str, Any], drifts: Collection[str]) -> None:
    """Let numbers that drift go further before they count as far outside; changes what the number probe learned."""
    for name in drifts:
        kept = probes["numbers"].get(f"{name}|values")
        if kept is None:
            continue
        low, high = kept["far"]
        edges = kept["histogram"]["edges"]
        reach = REACH * max(edges[-1] - edges[0], 1e-9)
        kept["far"] = [min(low, edges[0] - reach) if low < 0 else min(low, edges[0] / REACH), high + reach]


def find_growing(table: Table, axis: Axis | None, known: Collection[str]) -> list[str]:
    """Categories and codes of which values come in with time that chance would have shown from the beginning."""
    if axis is None:
        return []
    order = axis.order(table)
    names = [n for n in table.names("number", "category") if n not in known]
    return [n for n in names if _entering(table.texts(n)[order].drop_nulls())]


def _entering(texts: pl.Series) -> bool:
    """Whether a value with many rows is first seen so late that this is no chance, texts in the order of time."""
    n = texts.len()
    found = texts.to_frame("v").with_row_index("at").group_by("v").agg(pl.col("at").min(), pl.len().alias("rows"))
    if n < LEAST or found.height > n / 5:
        return False
    chance = found["rows"].to_numpy() * np.log10(np.maximum(1 - found["at"].to_numpy() / n, 1e-9))
    return bool((chance + math.log10(found.height) < -4).any())
