"""Pairs of files that a source sends one after the other: the clean rows of a period, and files of the next one.

Each kind makes two periods of one source in the order of time; the first is the file that the contract is inferred
from, and out of the second come the files that are checked: the whole of it, a week, a few rows, one row, rows in
random order. Nothing in them is wrong.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from tests.quality.next_kinds import books, fleets, people, readings
from tests.quality.next_kinds.kind import FOUND, Series

KINDS: dict[str, Callable[[np.random.Generator], Series]] = {
    name: kind for module in (books, readings, people, fleets) for name, kind in FOUND[module.__name__].items()
}
"""Every kind by name."""


@dataclass(frozen=True)
class Pair:
    """A clean file, its label, and one file of the next period with what was cut."""

    kind: str
    cut: str
    first: pd.DataFrame
    later: pd.DataFrame
    label: str | None


def cuts(series: Series, r: np.random.Generator) -> Iterator[tuple[str, pd.DataFrame]]:
    """Files out of the second period."""
    later = series.between(0, 1)
    n = len(later)
    yield "whole", later
    yield "first week", series.between(0, 1 / 50)
    yield "a week in the middle", series.between(0.5, 0.52)
    yield "a quarter", series.between(0, 0.25)
    yield "the last month", series.between(11 / 12, 1)
    yield "one row", later.iloc[[int(r.integers(0, n))]]
    few = 7 if series.ordered else np.sort(r.choice(n, 7, replace=False))
    yield "seven rows", later.iloc[:few] if series.ordered else later.iloc[few]
    if not series.ordered:
        yield "in random order", later.sample(frac=1.0, random_state=int(r.integers(2**31)))
        yield "forty rows of it", later.iloc[np.sort(r.choice(n, min(n, 40), replace=False))]
        yield "every other row", later.iloc[np.sort(r.choice(n, n // 2, replace=False))]


def pairs(kind: str, seed: int) -> Iterator[Pair]:
    """Every pair of a kind. With odd seeds the clean file is in random order where that loses nothing."""
    r = np.random.default_rng([seed, *kind.encode()])
    series = KINDS[kind](r)
    first = series.first
    if seed % 2 and not series.ordered:
        first = first.sample(frac=1.0, random_state=seed)
    for cut, frame in ((cut, frame) for cut, frame in cuts(series, r) if len(frame)):
        yield Pair(kind, cut, first, frame, series.label)
