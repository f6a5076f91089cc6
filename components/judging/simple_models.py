"""Models without a network, learned from the same encoded rows: a constant, and a linear model.

The constant gives every row the class shares, or the mean, of the training rows. The linear model is scikit-learn's
logistic or ridge regression at its defaults. What a network is worth is what it tells beyond them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

Matrix = Any
"""float32 [rows, D], dense or sparse in rows."""
Model = Callable[[Matrix], np.ndarray]
CONSTANT, LINEAR = "constant", "linear"
STEPS = 300
"""Most steps of the logistic regression; a baseline that has not quite settled is one, too."""


def of_classes(x: Matrix, truth: np.ndarray, classes: int) -> dict[str, Model]:
    """Models of class numbers ``truth`` [rows], at least one: from rows [N, D] to probabilities [N, ``classes``]."""
    shares = np.bincount(truth, minlength=classes) / len(truth)
    models: dict[str, Model] = {CONSTANT: lambda rows: np.tile(shares, (rows.shape[0], 1))}
    if (shares > 0).sum() > 1:
        models[LINEAR] = _logistic(x, truth, classes)
    return models


def of_numbers(x: Matrix, truth: np.ndarray, log: bool = False) -> dict[str, Model]:
    """Models of numbers ``truth`` [rows], at least one row: from rows [N, D] to values [N].

    ``log``: whether the linear model is one of the logarithms.
    """
    from sklearn.linear_model import Ridge

    mean = float(truth.mean())
    learned = np.log(truth) if log else truth
    offset, spread = float(learned.mean()), float(learned.std()) or 1.0
    fitted = Ridge().fit(x, (learned - offset) / spread)

    def linear(rows: Matrix) -> np.ndarray:
        values = np.asarray(fitted.predict(rows), np.float64) * spread + offset
        return np.exp(values) if log else values

    return {CONSTANT: lambda rows: np.full(rows.shape[0], mean), LINEAR: linear}


def _logistic(x: Matrix, truth: np.ndarray, classes: int) -> Model:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with warnings.catch_warnings(), threadpool_limits(1):  # threads that wait for each other cost more than they give
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LogisticRegression(max_iter=STEPS).fit(x, truth)

    def probabilities(rows: Matrix) -> np.ndarray:
        found = np.zeros((rows.shape[0], classes))
        found[:, fitted.classes_] = fitted.predict_proba(rows)
        return found

    return probabilities
