"""Domain classifier: how well a small model tells new rows from old ones (Lopez-Paz and Oquab 2017)."""

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kilnworks.components.judging.metrics import auc
from kilnworks.components.quality.stats.pvalues import normal_tail

Floats = NDArray[np.float64]

ROWS = 20_000
"""Most rows taken of either side."""


@dataclass(frozen=True)
class DomainResult:
    """Area under the ROC curve out of sample (0.5 = cannot tell), log10 p, and the features that tell the most."""

    auc: float
    log_p: float
    telling: tuple[tuple[str, float], ...]


def domain_classifier(new: pl.DataFrame, reference: pl.DataFrame, seed: int = 0) -> DomainResult:
    """Fit boosted trees to tell the two apart, in two folds; both frames have the same columns.

    Columns of text are coded by how frequent the value is in the reference. ``telling``: by how much the area falls
    when one feature is shuffled among the held-out rows, largest first.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    old, now = _sample(reference, seed), _sample(new, seed + 1)
    x = np.vstack([_matrix(old, old), _matrix(now, old)])
    y = np.repeat([0, 1], [old.height, now.height])
    fold = np.random.default_rng(seed).permutation(y.size) % 2
    score = np.zeros(y.size)
    falls = np.zeros(x.shape[1])
    with threadpool_limits(1):  # the data are small: threads would wait for each other longer than they work
        for f in (0, 1):
            train, test = fold != f, fold == f
            model = HistGradientBoostingClassifier(max_iter=60, max_depth=4, random_state=seed, early_stopping=False)
            model.fit(x[train], y[train])
            score[test] = model.predict_proba(x[test])[:, 1]
            base = auc(y[test], score[test])
            for j in range(x.shape[1]):
                mixed = x[test].copy()
                mixed[:, j] = np.random.default_rng(j).permutation(mixed[:, j])
                falls[j] += (base - auc(y[test], model.predict_proba(mixed)[:, 1])) / 2
    area = float(np.mean([auc(y[fold == f], score[fold == f]) for f in (0, 1)]))
    error = math.sqrt((y.size + 1) / (12 * float((y == 0).sum()) * float((y == 1).sum())))
    log_p = float(normal_tail((area - 0.5) / error)) if area > 0.5 else 0.0
    ranked = sorted(zip(old.columns, falls.tolist(), strict=True), key=lambda pair: -pair[1])
    return DomainResult(area, log_p, tuple((name, fall) for name, fall in ranked if fall > 0))


def _sample(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    return frame.sample(ROWS, seed=seed) if frame.height > ROWS else frame


def _matrix(frame: pl.DataFrame, reference: pl.DataFrame) -> Floats:
    columns = []
    for name in frame.columns:
        series = frame[name]
        if series.dtype.is_numeric() or series.dtype == pl.Boolean:
            columns.append(series.cast(pl.Float64).to_numpy())
        elif series.dtype.is_temporal():
            columns.append(series.cast(pl.Datetime("us")).cast(pl.Int64).cast(pl.Float64).to_numpy())
        else:
            counts = reference[name].cast(pl.String).alias("value").value_counts(sort=True)
            names = counts[counts.columns[0]].to_list()
            place = {v: i for i, v in enumerate(names) if v is not None}
            coded = series.cast(pl.String).replace_strict(place, default=-1, return_dtype=pl.Float64)
            columns.append(coded.to_numpy())
    return np.column_stack(columns)
