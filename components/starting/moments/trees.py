"""Quick trees by which a first look judges what a column or a split tells."""

from __future__ import annotations

import numpy as np
import polars as pl

ROWS = 12_000
"""Rows that are looked at, at most, evenly spread in time."""
FEWEST = 200
TREES = 60
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


def answers(x: np.ndarray, target: np.ndarray, cut: int, *, classes: bool) -> np.ndarray:
    """What trees that learned from the rows before ``cut`` say of the others.

    Boosted trees (Friedman 2001; Ke et al. 2017, as scikit-learn has them).

    Args:
        x: columns, float64 [n, columns]; missing values are NaN.
        target: numbers, or codes of classes from 0 on, [n].
        cut: the first row that is asked.
        classes: whether the target is a class.

    Returns:
        Numbers [n - cut], or probabilities [n - cut, classes] where a class that was not learned has 0.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    settings = {"max_iter": TREES, "early_stopping": False, "random_state": 0}
    with threadpool_limits(1):  # threads that wait for each other on a busy machine take many times as long
        if not classes:
            said: np.ndarray = HistGradientBoostingRegressor(**settings).fit(x[:cut], target[:cut]).predict(x[cut:])
            return said
        trees = HistGradientBoostingClassifier(**settings).fit(x[:cut], target[:cut])
        found = np.zeros((len(x) - cut, int(target.max()) + 1))
        found[:, trees.classes_.astype(int)] = trees.predict_proba(x[cut:])
    return found
