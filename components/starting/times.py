"""Whether rows come in the order of time, and how they are split then."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from components.quality.checking.table import Spec, Table
from components.sources.splits import ByHash, ByTime, Shares
from components.starting.recipe import Decision
from schemas.contract import Contract

LARGE = 50_000
"""From this many rows on a twentieth is enough to choose by and to judge by."""
TRIES = 20
_NAMED = re.compile(
    r"^(date|time|timestamp|datetime|ts|day|when|created|created_at|event_?(time|date)|order_?date|"
    r"transaction_?(time|date)|observed_?at|recorded_?at|pickup_datetime|period|month)$",
    re.I,
)


def time_column(
    frame: pl.DataFrame, specs: dict[str, Spec], wanted: str | None, inferred: str | None
) -> tuple[str | None, str]:
    """The column that says when a row was made, and why it is taken for that; None where there is none."""
    if wanted is not None:
        return wanted, "as asked"
    if inferred is not None:
        return inferred, _sorted_words(frame[inferred], specs[inferred])
    named = [n for n in frame.columns if specs[n].kind == "datetime" and _NAMED.match(n)]
    return (named[0], "it holds dates and is named so") if len(named) == 1 else (None, "")


def _sorted_words(series: pl.Series, spec: Spec) -> str:
    """How far the rows come in the order of their moments."""
    moments = Table(pl.DataFrame([series]), {series.name: spec}).numbers(series.name)
    steps = np.diff(moments[~np.isnan(moments)])
    back = int((steps < 0).sum())
    return "rows are sorted by it" if back == 0 else f"rows follow it but for {back:,} of {steps.size:,} steps"


def shares(rows: int) -> Shares:
    """Parts to learn from, to choose by and to judge by."""
    return Shares(train=0.9, val=0.05, test=0.05) if rows >= LARGE else Shares()


def choose_split(contract: Contract, typed: pl.DataFrame) -> tuple[ByHash | ByTime, Decision]:
    """By time where there is a time column and the past has every class, else by a hash whose parts have.

    Args:
        contract: with its time column.
        typed: all rows in the dtypes of the contract.
    """
    parts = shares(typed.height)
    words = f"{parts.train:.0%} train, {parts.val:.0%} val, {parts.test:.0%} test"
    if contract.time is not None:
        lost = _unseen(contract, typed, parts)
        if not lost:
            return ByTime(shares=parts), Decision("split", f"by {contract.time}", f"the latest rows judge; {words}")
        salted = _by_hash(contract, typed, parts)
        why = f"by {contract.time} the first rows would not have class {lost}; {words}"
        return salted, Decision("split", "by hash", why, flagged=True)
    split = _by_hash(contract, typed, parts)
    return split, Decision("split", "by hash", f"there is no time column; {words}")


def _unseen(contract: Contract, typed: pl.DataFrame, parts: Shares) -> str:
    """Classes that no row of the first part has, as text; empty for a regression."""
    assert contract.label is not None and contract.time is not None
    if contract.label.classes is None:
        return ""
    past = typed.sort(contract.time).head(int(parts.train * typed.height))[contract.label.name]
    return ", ".join(str(c) for c in contract.label.classes if not (past == c).any())


def _by_hash(contract: Contract, typed: pl.DataFrame, parts: Shares) -> ByHash:
    """The first salt by which every class that occurs is in every part, as far as one of the first has that."""
    from components.sources.hashing import hash_rows, unit_interval

    assert contract.label is not None
    if contract.label.classes is None:
        return ByHash(shares=parts)
    label = typed[contract.label.name]
    columns = (contract.key,) if contract.key else contract.columns
    best, most = 0, -1
    for salt in range(TRIES):
        place = unit_interval(hash_rows(typed, columns, salt))
        kinds = [
            label.filter(pl.Series(place < parts.train)).n_unique() * 1000,
            label.filter(pl.Series((place >= parts.train) & (place < parts.train + parts.val))).n_unique(),
            label.filter(pl.Series(place >= parts.train + parts.val)).n_unique(),
        ]
        if sum(kinds) > most:
            best, most = salt, sum(kinds)
        if all(k >= label.n_unique() for k in (kinds[0] // 1000, *kinds[1:])):
            break
    return ByHash(shares=parts, salt=best)
