"""Quick trees by which a first look judges what a column or a split tells."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from kilnworks.schemas.contract import Label

ROWS = 12_000
"""Rows that are looked at, at most, evenly spread in time."""
FEWEST = 200
TREES = 60
"""Rounds of boosting; each grows a tree a class, and beyond ten classes there are fewer rounds of larger steps."""
FEWEST_ROUNDS = 10
CATEGORIES = 200
"""Values of a text that trees take one by one; the rarer ones are taken together."""


def thinned(rows: pl.DataFrame) -> pl.DataFrame:
    """At most ``ROWS`` of the rows, evenly spread."""
    return rows[:: max(1, -(-rows.height // ROWS))]


def numbers_of(series: pl.Series) -> np.ndarray:
    """A column as trees take it, float64 [n]; missing values are NaN, texts numbers of their values."""
    if series.dtype == pl.String:
        frequent = series.alias("value").value_counts(sort=True)["value"].head(CATEGORIES).drop_nulls()
        return (
            series.replace_strict(frequent, pl.Series(range(len(frequent))), default=CATEGORIES)
            .cast(pl.Float64)
            .to_numpy()
        )
    if series.dtype.is_temporal():
        return series.cast(pl.Datetime("us")).dt.epoch("s").cast(pl.Float64).fill_null(float("nan")).to_numpy()
    values = series.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    return np.where(np.isfinite(values), values, np.nan)


def boosting_of(classes: int | None) -> dict[str, Any]:
    """Settings of the trees, by the number of classes; None for numbers."""
    rounds = TREES if classes is None else max(FEWEST_ROUNDS, min(TREES, 10 * TREES // classes))
    rate = min(0.3, 0.1 * TREES / rounds)
    return {"max_iter": rounds, "learning_rate": rate, "early_stopping": False, "random_state": 0}


def answers(
    x: np.ndarray, target: np.ndarray, cut: int, *, classes: bool, categories: np.ndarray | None = None
) -> np.ndarray:
    """What trees that learned from the rows before ``cut`` say of the others.

    Boosted trees (Friedman 2001; Ke et al. 2017, as scikit-learn has them).

    Args:
        x: columns, float64 [n, columns]; missing values are NaN. One that is empty before ``cut`` tells nothing.
        target: numbers, or codes of classes from 0 on, [n].
        cut: the first row that is asked.
        classes: whether the target is a class.
        categories: which columns are taken value by value, bool [columns], up to ``CATEGORIES + 1`` of each; none.

    Returns:
        Numbers [n - cut], or probabilities [n - cut, classes] where a class that was not learned has 0.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    settings = boosting_of(int(target.max()) + 1 if classes else None)
    settings["categorical_features"] = categories
    x = np.where(np.isnan(x[:cut]).all(axis=0), 0.0, x)
    with threadpool_limits(1):  # threads that wait for each other on a busy machine take many times as long
        if not classes:
            said: np.ndarray = HistGradientBoostingRegressor(**settings).fit(x[:cut], target[:cut]).predict(x[cut:])
            return said
        trees = HistGradientBoostingClassifier(**settings).fit(x[:cut], target[:cut])
        found = np.zeros((len(x) - cut, int(target.max()) + 1))
        found[:, trees.classes_.astype(int)] = trees.predict_proba(x[cut:])
    return found


def errors(
    x: np.ndarray, target: np.ndarray, cut: int, *, classes: bool, categories: np.ndarray | None = None
) -> np.ndarray:
    """Squared error or log loss of each row from ``cut`` on, float64 [n - cut], of what ``answers`` says of it."""
    said = answers(x, target, cut, classes=classes, categories=categories)
    found: np.ndarray = (
        -np.log(np.clip(said[np.arange(len(said)), target[cut:]], 1e-6, 1)) if classes else (said - target[cut:]) ** 2
    )
    return found


def target_of(rows: pl.DataFrame, label: Label) -> np.ndarray:
    """The label as trees learn it, [n]: numbers, or codes of classes from 0 on."""
    if label.classes is None:
        return rows[label.name].cast(pl.Float64).to_numpy()
    codes: np.ndarray = np.unique(rows[label.name].cast(pl.String).to_numpy().astype(str), return_inverse=True)[1]
    return codes


def figure_of(error: np.ndarray, label: Label) -> tuple[str, float]:
    """What the mean of these errors is called, and its value as people know it."""
    if label.classes is None:
        return "root mean squared error", float(np.sqrt(error.mean()))
    return "log loss", float(error.mean())
