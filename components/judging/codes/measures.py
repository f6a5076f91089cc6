"""What ``evaluation.json`` says of codes: what a linear model tells from them, and rows beside what they become."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kilnworks.components.judging.codes.strips import strip
from kilnworks.components.judging.intervals import Interval, interval_of, undefined

Array = np.ndarray
FOLDS = 5
MOST = 2000
"""Rows that the linear model is tried on, at most; evenly spread."""
STEPS = 200
SHOWN = 12
"""Rows that are drawn, at most."""
BINS = 30


def linear_accuracy(columns: Array, truth: Array, resamples: int, seed: int) -> Interval:
    """The share of rows whose class a logistic regression on the other folds tells, with its 95 % interval.

    Args:
        columns: codes, or anything that is to be held against them, [N, D].
        truth: class of each row, int [N].
        resamples: draws of rows.
        seed: decides them.
    """
    right = _right(columns, truth)
    if right is None:
        return undefined(f"fewer than {FOLDS} rows of two classes")
    rng = np.random.default_rng(seed)
    draws = np.array([right[rng.integers(0, len(right), len(right))].mean() for _ in range(resamples)])
    return interval_of(float(right.mean()), draws, None)


def _right(columns: Array, truth: Array) -> Array | None:
    """Which rows are told, bool; None where there is too little to tell."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    stride = max(1, -(-len(truth) // MOST))
    rows, labels = columns.reshape(len(columns), -1)[::stride].astype(np.float64), truth[::stride]
    often = np.flatnonzero(np.bincount(labels) >= FOLDS)
    kept = np.isin(labels, often)
    if len(often) < 2:
        return None
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=STEPS))
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
        told = cross_val_predict(model, rows[kept], labels[kept], cv=folds)
    return np.asarray(told == labels[kept])


def described(
    answers: Mapping[str, Any], truth: Array | None, mean: Sequence[float], spread: Sequence[float],
    shape: Sequence[int],
) -> dict[str, Any]:  # fmt: skip
    """Baseline, a picture of some rows and what they become, and the distribution of free energies.

    Args:
        answers: ``columns`` [N, D], ``reconstruction`` [N, ...] and ``gap`` [N].
        truth: class of each row, int [N]; None without a label.
        mean: of each column over the training rows, [D].
        spread: what squared differences of each column are measured in, [D].
        shape: of a row, where it is one tensor.
    """
    rows = answers["columns"].astype(np.float64)
    metrics = {"reconstruction_error": float((((rows - mean) / spread) ** 2).mean())}
    rule = "the mean of the training rows in place of each row"
    if truth is not None:
        found = linear_accuracy(answers["columns"], truth, 100, 0).value
        metrics |= {"linear_accuracy": found} if found is not None else {}
        rule += "; the columns themselves in place of the codes"
    counts, edges = np.histogram(answers["gap"], BINS)
    told: dict[str, Any] = {
        "baseline": {"rule": rule, "metrics": metrics},
        "energies": {"edges": edges.tolist(), "counts": counts.tolist()},
    }
    if len(shape) == 3:
        some = np.linspace(0, len(rows) - 1, min(SHOWN, len(rows))).astype(int)
        made = answers["reconstruction"].reshape(len(rows), *shape)[some]
        told["rows_and_back"] = {"rows": strip(rows.reshape(-1, *shape)[some]), "back": strip(made)}
    return told
