"""Whether later rows are harder to tell than rows by chance: a quick model is judged by both splits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from kilnworks.components.judging.metrics import auc
from kilnworks.components.starting.moments.trees import FEWEST, answers, numbers_of, thinned
from kilnworks.components.starting.recipe import Decision
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.words import named

DRAWS = 200
LEAST = 0.01
"""Differences of AUC, accuracy or R squared below this are not worth a line."""


def compare_splits(contract: Contract, typed: pl.DataFrame, time: str, *, by_time: bool) -> list[Decision]:
    """A line with both figures where a split by time and one by chance differ by more than chance.

    Boosted trees learn from four fifths of the rows and are judged by the last fifth, once by time and once shuffled.
    They read no texts, and where there is nothing else beside the moment, nothing is compared.

    Args:
        contract: features and label.
        typed: all rows in contract dtypes.
        time: the column that says when a row was made.
        by_time: whether the rows are split by it.
    """
    label = contract.label
    if label is None or time not in typed.columns:
        return []
    known = pl.col(label.name).is_not_null() if label.classes is None else pl.col(label.name).is_in(label.classes)
    rows = thinned(typed.filter(pl.col(time).is_not_null() & known).sort(time))
    names = [n for n, f in contract.features.items() if not f.shape and not f.text]
    unread = any(f.text for f in contract.features.values())
    if rows.height < FEWEST or not names or (unread and names == [time]):
        return []  # of texts and a moment, trees would see the moment alone
    x = np.column_stack([numbers_of(rows[name]) for name in names])
    target, measure, word = _target(rows[label.name], classes=label.classes is not None)
    cut = int(0.8 * len(x))
    shuffled = np.random.default_rng(0).permutation(len(x))
    found = [_judged(x[order], target[order], cut, measure, word) for order in (np.arange(len(x)), shuffled)]
    (late, late_error), (mixed, mixed_error) = found
    if not abs(late - mixed) > max(LEAST, 1.96 * float(np.hypot(late_error, mixed_error))):
        return []
    says = "later rows are harder to tell" if late < mixed else "later rows are easier to tell"
    told = "what a served model will do is told by the split by time"
    if not by_time:
        more = "more" if late < mixed else "less"
        told = f"the report, whose rows are split by hash, will promise {more} than a served model does on later rows"
    why = f"{says}, by trees on {rows.height:,} rows{', which read no texts' if unread else ''}; {told}"
    choice = f"{word} {late:.3f} by {named(time)}, {mixed:.3f} by hash"
    return [Decision("time matters", choice, why, flagged=True)]


def _target(series: pl.Series, *, classes: bool) -> tuple[np.ndarray, Callable[[np.ndarray, np.ndarray], float], str]:
    """The label as numbers, how answers are measured, and the name of that."""
    if not classes:
        return series.cast(pl.Float64).to_numpy(), _r_squared, "R squared"
    target = np.unique(series.cast(pl.String).to_numpy().astype(str), return_inverse=True)[1]
    if int(target.max()) == 1:
        return target, auc, "AUC"
    return target, lambda truth, said: float((truth == said).mean()), "accuracy"


def _r_squared(truth: np.ndarray, said: np.ndarray) -> float:
    spread = float(((truth - truth.mean()) ** 2).sum())
    return 1 - float(((truth - said) ** 2).sum()) / spread if spread else float("nan")


def _judged(
    x: np.ndarray, target: np.ndarray, cut: int, measure: Callable[[np.ndarray, np.ndarray], float], word: str
) -> tuple[float, float]:
    """The measure of the rows from ``cut`` on, and its standard error by a bootstrap; NaN where one value is all."""
    if len(np.unique(target[:cut])) < 2 or (word != "accuracy" and len(np.unique(target[cut:])) < 2):
        return float("nan"), float("nan")
    said = answers(x, target, cut, classes=word != "R squared")
    if word != "R squared":
        said = said[:, -1] if word == "AUC" else said.argmax(axis=1)
    truth, rng = target[cut:], np.random.default_rng(0)
    draws = [rng.integers(0, len(truth), len(truth)) for _ in range(DRAWS)]
    values = np.array([measure(truth[rows], said[rows]) for rows in draws])
    return measure(truth, said), float(np.nanstd(values))
