"""Ranges that numbers have by what they are: months, hours, per cent, codes of times; by name and values together."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Range = tuple[float | None, float | None]

_WHOLE: tuple[tuple[str, tuple[tuple[float, float], ...]], ...] = (
    (r"(month|mon|mm)", ((1, 12), (0, 11))),
    (r"(week_?days?|day_?of_?(the_?)?week|dow|wday)", ((1, 7), (0, 6))),
    (r"(day_?of_?(the_?)?month|mday|day)", ((1, 31),)),
    (r"(day_?of_?(the_?)?year|yday|doy)", ((1, 366),)),
    (r"(week|week_?of_?(the_?)?year|week_?number)", ((1, 53),)),
    (r"(quarter|qtr)", ((1, 4),)),
    (r"(hours?|hr|hour_?of_?(the_?)?day|hh)", ((0, 23), (0, 24))),
    (r"(minutes?|min|seconds?|sec)(_?of_?.*)?", ((0, 59),)),
)
"""Whole numbers by name, the closest of several ranges first."""
_ANY: tuple[tuple[str, tuple[float, float]], ...] = (
    (r"(hour|hour_?of_?(the_?)?day)", (0, 24)),
    (r"(pct|percent(age)?|per_?cent|prozent)", (0, 100)),
    (r"(lat|latitude)", (-90, 90)),
    (r"(lon|lng|long|longitude)", (-180, 180)),
)
"""Numbers of any kind by name."""
CODES = 12
"""So many different codes such as 1830 are needed to tell times of the day from other numbers."""
FAR = 5.0
"""A bound lies at most so many times as far out as the farthest value: a fault of factor ten breaks it."""


def closed_range(name: str, values: Floats, *, whole: bool) -> Range | None:
    """The range that a column has by what it is; None where nothing tells.

    Args:
        name: of the column.
        values: its clean values, NaN where missing, [n].
        whole: whether they are whole numbers.
    """
    present = values[~np.isnan(values)]
    if not present.size:
        return None
    words = "_".join(re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)).lower()
    for pattern, low, high in _possible(whole):
        if _named(pattern, words) and low <= present.min() and present.max() <= high and _fills(present, low, high):
            return low, high
    if whole and _clock(present) and re.search(r"(^|_)(time|hhmm|clock|dep|arr|departure|arrival)(_|$)", words):
        return 0.0, 2400.0 if present.max() == 2400 else 2359.0
    return None


def _possible(whole: bool) -> Iterator[tuple[str, float, float]]:
    if whole:
        for pattern, ranges in _WHOLE:
            for low, high in ranges:
                yield pattern, low, high
    for pattern, (low, high) in _ANY:
        yield pattern, low, high


def _named(pattern: str, words: str) -> bool:
    """Whether a name is, or ends with, these words."""
    return re.search(rf"(^|_){pattern}$", words) is not None


def _fills(present: Floats, low: float, high: float) -> bool:
    """Whether the values are of this range and not of a smaller thing that has the name: ages of 1 to 3 months."""
    return high > 100 or high - low < 12 or low < 0 or present.max() - present.min() >= 0.3 * (high - low)


def _clock(present: Floats) -> bool:
    """Whether whole numbers are times of the day such as 1830."""
    minutes = present % 100
    kinds = np.unique(present)
    return bool(kinds.size >= CODES and present.min() >= 0 and present.max() <= 2400 and minutes.max() <= 59)


def guarded(found: Range, values: Floats) -> Range:
    """A range whose ends a fault of factor ten breaks: neither lies farther out than ``FAR`` times the farthest value.

    Args:
        found: smallest and largest value; None is no limit and stays.
        values: the clean values, NaN where missing, [n].
    """
    present = values[~np.isnan(values)]
    farthest = float(np.abs(present).max()) if present.size else 0.0
    if not farthest:
        return found
    low, high = found
    most = float(f"{FAR * farthest:.2g}")
    least = -most if present.min() < 0 else -float(f"{farthest:.2g}")
    return (None if low is None else max(low, least)), (None if high is None else min(high, most))
