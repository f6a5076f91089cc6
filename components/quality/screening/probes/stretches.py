"""How much clean rows change by themselves: stretches of their own time, compared as if they were files.

A file of one July week differs from a whole year, and next year's prices from this year's, without a fault. So the
clean rows are cut by time, and each stretch is judged twice: the second half and parts of it by what the first half
alone taught (as the next file will be), and stretches everywhere by the whole. What the tests find there is usual.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.quality.screening.columns.axis import Axis
from kilnworks.components.quality.screening.columns.table import Table
from kilnworks.components.quality.screening.probes.evidence import Evidence

Learn = Callable[[Table], Any]
Compare = Callable[[Any, Table], Iterable[Evidence]]

LEAST = 100
"""Fewer rows than this are not cut."""
LEAST_STRETCH = 12
"""Fewest rows of a stretch."""
LONG = 0.2
"""Stretches of at least this share of the clean rows' time are long ones, in [0, 1]."""
AHEAD = 2.0
"""A file lies about twice as far ahead as the second half lies from the first."""
INSIDE = 1.5
"""Allowance for stretches that the clean statistics themselves hold."""
CHANCE = -2.5
"""A change that is likelier than this by chance (log10) is none."""
SHORT = 1 / 50
"""Share of the rows in a short stretch: of a year about a week."""
NEXT = ((0.5, 1.0), (0.5, 0.75), (0.75, 1.0), (0.5, 0.5 + SHORT), (0.62, 0.62 + SHORT), (0.74, 0.74 + SHORT),
        (0.86, 0.86 + SHORT), (1 - SHORT, 1.0))  # fmt: skip
"""Stretches behind the first half, from and to, as shares of the rows."""
EVERYWHERE = ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0), (0.0, SHORT), (0.16, 0.16 + SHORT),
              (0.33, 0.33 + SHORT), (0.5, 0.5 + SHORT), (0.66, 0.66 + SHORT), (1 - SHORT, 1.0))  # fmt: skip
"""Stretches of the whole."""

Usual = dict[str, list[float]]
"""By test the largest change of short and of long stretches, in units of ``Evidence.effect``."""


def usual_changes(table: Table, axis: Axis, learn: Learn, compare: Compare) -> Usual:
    """The changes that the clean rows themselves show from stretch to stretch; those that chance explains left out."""
    order = axis.order(table)
    n = order.size
    if n < LEAST:
        return {}
    place = np.full(table.rows, -1.0)
    place[order] = np.arange(n) / n
    found: Usual = {}
    half = learn(table.take((place >= 0) & (place < 0.5)))
    _judge(found, half, table, place, NEXT, compare, AHEAD)
    _judge(found, learn(table), table, place, EVERYWHERE, compare, INSIDE)
    return {k: v for k, v in found.items() if max(v) > 0.1}


def _judge(
    found: Usual,
    learned: Any,
    table: Table,
    place: NDArray[np.float64],
    stretches: tuple[tuple[float, float], ...],
    compare: Compare,
    times: float,
) -> None:
    for begin, end in stretches:
        flags = (place >= begin) & (place < max(end, begin + LEAST_STRETCH / place.size))
        if flags.sum() < LEAST_STRETCH:
            flags = place >= 1 - LEAST_STRETCH / place.size
        for e in compare(learned, table.take(flags)):
            if e.tests and e.effect > 0 and e.log_p + np.log10(e.tests) < CHANCE:
                size = found.setdefault(e.test, [0.0, 0.0])
                i = int(end - begin >= LONG)
                size[i] = max(size[i], round(times * e.effect, 2))


TOGETHER = "share of a combination"
"""What one pair of columns does, which changes as soon as one of the two does."""
MILD = 0.9
"""Largest change that is a warning."""


@dataclass(frozen=True)
class Passage:
    """Where a file lies in time, beside the clean rows.

    Attributes:
        share: the time that it covers as a share of theirs.
        later: whether it begins where they end, or behind.
    """

    share: float
    later: bool


def passage_of(axis: Axis, table: Table, first: float, last: float) -> Passage:
    """Where a file lies beside clean rows from ``first`` to ``last``; as all of them where it has no moments."""
    values = axis.values(table)
    known, span = values[~np.isnan(values)], last - first
    if known.size == 0:
        return Passage(1.0, later=False)
    return Passage(float(np.ptp(known)) / span if span > 0 else 1.0, bool(known.min() > last - 0.02 * span))


def beyond_usual(
    evidence: Iterable[Evidence], usual: Mapping[str, list[float]], passage: Passage
) -> Iterator[Evidence]:
    """The results less what is usual for a file over so much time.

    In a later file the soft ones are mild for columns that change with time (of which a soft test found so much between
    stretches of the clean rows that it would have stopped a file), and for all columns together where one changes.
    """
    results = list(evidence)
    changing = {e.column for e in results if e.soft and max(usual.get(e.test, (0.0,))) >= 1}
    for e in results:
        short, long = usual.get(e.test, (0.0, 0.0)) if e.tests else (0.0, 0.0)
        effect = max(0.0, e.effect - (long if passage.share >= LONG else max(short, long)))
        mild = (
            passage.later
            and e.soft
            and (e.column in changing or e.family == TOGETHER or (e.column is None and changing))
        )
        yield replace(e, effect=min(effect, MILD) if mild else effect)


def ends_of(axis: Axis, table: Table) -> tuple[float, float]:
    """First and last moment of rows; (0, 0) where none has one."""
    values = axis.values(table)
    known = values[~np.isnan(values)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
