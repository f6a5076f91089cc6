"""Whether rows come in the order of time, and how large the parts of a split are."""

from __future__ import annotations

import re

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


def shares(rows: int, *, read: bool = False) -> Shares:
    """Parts to learn from, to choose by and to judge by; ``read``: texts, of which every row brings new words."""
    return Shares(train=0.9, val=0.05, test=0.05) if rows >= (READ if read else LARGE) else Shares()
