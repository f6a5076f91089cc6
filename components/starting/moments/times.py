"""Whether rows come in the order of time, and how large the parts of a split are."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from kilnworks.components.quality.screening.columns.table import Spec, Table
from kilnworks.components.sources.splitting.splits import Shares

LARGE = 50_000
"""From this many rows on a twentieth is enough to choose by and to judge by."""
READ = 5_000
"""The same for texts to be read."""
_NAMED = re.compile(
    r"^(date|time|timestamp|datetime|ts|day|when|created|created_at|event_?(time|date)|order_?date|"
    r"transaction_?(time|date)|observed_?at|recorded_?at|pickup_datetime|period|month)$",
    re.I,
)


_NO_ROW_TIME = re.compile(
    r"birth|(^|_)(dob|born|deceased|died)(_|$)|(^|_)(expir\w*|due|until|valid_to|ends?|end_date|deadline)(_|$)", re.I
)
"""Names of dates that say something else than when a row was made."""
_NUMBERED = re.compile(r"(^|.*_)(date|time|timestamp|day|week|month|quarter|period|wave)s?$", re.I)
"""Names of numbers that may say when a row was made, where rows come in their order."""
_YEARS = re.compile(r"(^|.*_)(year|yr|season)s?(_?sold)?$|^yrsold$", re.I)
"""The same of years, in whatever order."""
_NO_ROW_YEAR = re.compile(r"buil|model|made|found|remod|regist", re.I)
FIRST_YEAR, LAST_YEAR = 1500, 2200
FEWEST_MOMENTS = 4
"""Numbers that a column has to show to be taken for moments."""
NONE = "none"
"""What ``--time`` says where rows have no order in time."""
APART = 0.5
"""Rows come in the order of a column, or in clusters, where neighbours are less than this share as far apart in rank as
rows by chance are."""


@dataclass(frozen=True)
class TimeColumn:
    """The column that says when a row was made.

    Attributes:
        name: of the column; None where there is none, or where nothing tells which one.
        why: the evidence, in a clause.
        flagged: whether a person should say it.
        others: further columns that it could be, of dates or, where there are none, of numbers named like a time.
    """

    name: str | None
    why: str = ""
    flagged: bool = False
    others: tuple[str, ...] = ()


def time_column(frame: pl.DataFrame, specs: dict[str, Spec], wanted: str | None, inferred: str | None) -> TimeColumn:
    """Which column says when a row was made, and why it is taken for that.

    Args:
        frame: all rows, in the types of the file.
        specs: what each column holds.
        wanted: as a person says it; ``none`` for no column.
        inferred: a column of dates that the rows are sorted by, as ``infer_contract`` sees it.
    """
    dates = [n for n in frame.columns if specs[n].kind == "datetime"]
    if is_none(wanted, frame):
        return TimeColumn(None, "as asked")
    if wanted is not None:
        return TimeColumn(wanted, "as asked")
    if inferred is not None:
        return TimeColumn(inferred, _sorted_words(frame[inferred], specs[inferred]))
    possible = [n for n in dates if not _NO_ROW_TIME.search(n)]
    named = [n for n in possible if _NAMED.match(n)]
    others = tuple(possible)
    if len(named) == 1:
        return TimeColumn(named[0], "it holds dates and is named so", others=tuple(n for n in others if n != named[0]))
    near = {n: apart for n in possible if (apart := _neighbours(frame[n], specs[n])) < APART}
    if near:
        best = min(near, key=lambda n: near[n])
        why = f"rows that follow each other are close in it; --time {NONE} splits by hash"
        return TimeColumn(best, why, flagged=True, others=tuple(n for n in others if n != best))
    if len(possible) == 1:
        why = f"the one column of dates, though the rows are in no order; --time {NONE} splits by hash"
        return TimeColumn(possible[0], why, flagged=True)
    return TimeColumn(None, others=tuple(possible or dates or _numbered(frame, specs)))


def _numbered(frame: pl.DataFrame, specs: dict[str, Spec]) -> list[str]:
    """Numbers named like a time: of years, and others that the rows come in order of."""
    named = [n for n in frame.columns if named_like_time(n) and not _NO_ROW_TIME.search(n)]
    numbers = {n: _moments(frame[n], specs[n]) for n in named if specs[n].integer or specs[n].kind in ("number", "key")}
    numbers = {n: values for n, values in numbers.items() if len(np.unique(values)) >= FEWEST_MOMENTS}
    years = [n for n, values in numbers.items() if _YEARS.match(n) and _are_years(n, values)]
    return years or [n for n in numbers if _NUMBERED.match(n) and _neighbours(frame[n], specs[n]) < APART]


def _are_years(name: str, values: np.ndarray) -> bool:
    return not _NO_ROW_YEAR.search(name) and values.min() >= FIRST_YEAR and values.max() <= LAST_YEAR


def named_like_time(name: str) -> bool:
    """Whether a column is named like a time, whatever it holds."""
    return bool(_NUMBERED.match(name) or _YEARS.match(name))


def is_none(wanted: str | None, frame: pl.DataFrame) -> bool:
    """Whether a person says that no column is the time; a column of that name is a column."""
    return wanted == NONE and NONE not in frame.columns


def _neighbours(series: pl.Series, spec: Spec) -> float:
    """How far rows that follow each other are apart in rank, as a share of what chance gives, about [0, 1]."""
    moments = _moments(series, spec)
    if len(moments) < 2 or moments.min() == moments.max():
        return 1.0
    ranks = pl.Series(moments).rank("average").to_numpy()
    spread = np.abs(ranks - np.random.default_rng(0).permutation(ranks)).mean()
    return float(np.abs(np.diff(ranks)).mean() / spread) if spread else 1.0


def _moments(series: pl.Series, spec: Spec) -> np.ndarray:
    """The moments of a column that are known, in the order of the rows."""
    moments = Table(pl.DataFrame([series]), {series.name: spec}).numbers(series.name)
    return np.asarray(moments[~np.isnan(moments)])


def _sorted_words(series: pl.Series, spec: Spec) -> str:
    """How far the rows come in the order of their moments."""
    steps = np.diff(_moments(series, spec))
    back = int((steps < 0).sum())
    return "rows are sorted by it" if back == 0 else f"rows follow it but for {back:,} of {steps.size:,} steps"


def shares(rows: int, *, read: bool = False) -> Shares:
    """Parts to learn from, to choose by and to judge by; ``read``: texts, of which every row brings new words."""
    return Shares(train=0.9, val=0.05, test=0.05) if rows >= (READ if read else LARGE) else Shares()
