"""The gap of a measure between groups: the largest less the smallest value, with an interval.

Differences and definitions are those of fairlearn's ``MetricFrame.difference`` and ``equalized_odds_difference``
(Bird et al. 2020), written from their formulas. Each group is resampled for itself (Poisson bootstrap), and each pair
of groups has an interval of its difference at ``1 - 0.05 / pairs``, so that all of them hold together (Bonferroni). The
gap is at least the largest low end and at most the largest high end of these: a small group whose value lies between
the others may be further away than any of them. Of many groups no draw is far enough out for that: ends are then at
least those of the normal distribution. A rate that no resample moves, 0 or all of n rows, may be 3 / n away.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.judging.intervals import LEVEL

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """A measure in one group.

    Attributes:
        name: of the group.
        value: NaN where the group does not define it.
        draws: of resamples, [R].
        below, above: how far it may lie below and above all draws.
        reason: why it is not defined.
    """

    name: str
    value: float
    draws: Floats
    below: float = 0.0
    above: float = 0.0
    reason: str = ""


def share(name: str, count: int, of: int, resamples: int, rng: np.random.Generator, least: int) -> Side:
    """A share of rows, such as a rate.

    Args:
        name: of the group.
        count: rows that count.
        of: rows of which.
        resamples: draws.
        rng: decides them.
        least: fewer rows define nothing.
    """
    if of < max(1, least):
        return Side(name, float("nan"), np.zeros(0), reason=f"{of} rows, fewer than {max(1, least)}")
    hits, others = rng.poisson(count, resamples), rng.poisson(of - count, resamples)
    with np.errstate(invalid="ignore"):
        draws = hits / (hits + others)
    away = min(1.0, 3 / of)
    return Side(name, count / of, draws, away if count == of else 0.0, away if count == 0 else 0.0)


def resampled(
    name: str, rows: NDArray[np.intp], value: Callable[[NDArray[np.intp]], float], draws: int, rng: np.random.Generator
) -> Side:
    """Any metric of the rows of a group, [n]; ``value`` gives it for rows with repeats, [m], NaN where undefined."""
    found = value(rows)
    if not np.isfinite(found):
        return Side(name, float("nan"), np.zeros(0), reason="these rows do not define it")
    drawn = [value(np.repeat(rows, rng.poisson(1.0, len(rows)))) for _ in range(draws)]
    return Side(name, found, np.array(drawn, float))


def influenced(name: str, value: float, influence: Floats, draws: int, rng: np.random.Generator) -> Side:
    """A metric of which the influence of every row is known, [n], mean 0."""
    if not np.isfinite(value):
        return Side(name, float("nan"), np.zeros(0), reason="these rows do not define it")
    drawn = []
    for _ in range(draws):
        times = rng.poisson(1.0, len(influence))
        drawn.append(value + times @ influence / max(1, times.sum()))
    return Side(name, value, np.array(drawn, float))


def gap(measure: str, sides: Sequence[Side]) -> dict[str, Any]:
    """How far the groups are apart.

    Returns:
        ``measure``, ``value``, ``low``, ``high`` (None with a ``reason`` where fewer than two groups define it),
        ``most`` and ``least`` (names of the groups that are furthest apart), ``widest`` (the two that may be furthest
        apart, by the end ``high``), and ``groups``: value and 95 % interval of each.
    """
    told = [_side(side) for side in sides]
    known = [side for side in sides if np.isfinite(side.value)]
    if len(known) < 2:
        none: dict[str, Any] = dict.fromkeys(("value", "low", "high"))
        return {"measure": measure, **none, "reason": "fewer than two groups define it", "groups": told}
    most = max(known, key=lambda s: s.value)
    least = min((side for side in known if side is not most), key=lambda s: s.value)  # another one, also where all tie
    value = most.value - least.value
    level = 1 - (1 - LEVEL) / (len(known) * (len(known) - 1) / 2)
    pairs = [_apart(one, other, level) for one, other in combinations(known, 2)]
    low, (high, widest) = max(pair[0] for pair in pairs), max((pair[1:] for pair in pairs), key=lambda end: end[0])
    return {
        "measure": measure,
        "value": value,
        "low": low,
        "high": high,
        "most": most.name,
        "least": least.name,
        "widest": widest,
        "groups": told,
    }


def _apart(one: Side, other: Side, level: float) -> tuple[float, float, list[str]]:
    """How far two groups are apart at least and at most, and their names, the one that lies higher at most first."""
    more, less = (one, other) if one.value >= other.value else (other, one)
    low, high = _bounds(more.draws - less.draws, more.value - less.value, level)
    low, high = low - more.below - less.above, high + more.above + less.below
    return (low, high, [more.name, less.name]) if high >= -low else (low, -low, [less.name, more.name])


def _side(side: Side) -> dict[str, Any]:
    if not np.isfinite(side.value):
        return {"group": side.name, "value": None, "low": None, "high": None, "reason": side.reason}
    low, high = _bounds(side.draws, side.value, LEVEL)
    return {"group": side.name, "value": side.value, "low": low - side.below, "high": high + side.above}


def _bounds(draws: Floats, value: float, level: float) -> tuple[float, float]:
    kept = draws[np.isfinite(draws)]
    if not len(kept):
        return value, value
    low, high = np.quantile(kept, [(1 - level) / 2, (1 + level) / 2], method="weibull")
    if (1 - level) / 2 * (len(kept) + 1) < 1:
        wide = NormalDist().inv_cdf((1 + level) / 2) * float(np.std(kept))
        low, high = min(low, value - wide), max(high, value + wide)
    return min(float(low), value), max(float(high), value)
