"""Models without a network, learned from the same encoded rows: a constant, a linear model, and boosted trees.

The constant gives every row the class shares, or the mean, of the training rows. The linear model is scikit-learn's
logistic or ridge regression at its defaults. What a network is worth is what it tells beyond them. Trees boosted on
gradients (Friedman 2001; scikit-learn's, by histograms) are asked for where it matters what else could be learned.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

Matrix = Any
"""float32 [rows, D], dense or sparse in rows."""
Model = Callable[[Matrix], np.ndarray]
CONSTANT, LINEAR, BOOSTED = "constant", "linear", "boosted"
USUAL = (CONSTANT, LINEAR)
"""Those that every evaluation learns."""
DENSE = 2000
"""Widest rows that trees learn from."""
STEPS = 300
"""Most steps of the logistic regression; a baseline that has not quite settled is one, too."""


def of_classes(x: Matrix, truth: np.ndarray, classes: int, names: Collection[str] = USUAL) -> dict[str, Model]:
    """Models of class numbers ``truth`` [rows], at least one: from rows [N, D] to probabilities [N, ``classes``].

    ``names``: those that are wanted; one that cannot be is left out.
    """
    shares = np.bincount(truth, minlength=classes) / len(truth)
    models: dict[str, Model] = {CONSTANT: lambda rows: np.tile(shares, (rows.shape[0], 1))}
    if (shares > 0).sum() > 1 and LINEAR in names:
        models[LINEAR] = _logistic(x, truth, classes)
    if (shares > 0).sum() > 1 and BOOSTED in names and x.shape[1] <= DENSE:
        models[BOOSTED] = _boosted_classes(x, truth, classes)
    return models


def of_numbers(x: Matrix, truth: np.ndarray, log: bool = False, names: Collection[str] = USUAL) -> dict[str, Model]:
    """Models of numbers ``truth`` [rows], at least one row: from rows [N, D] to values [N].

    ``log``: whether the models but the constant are ones of the logarithms. ``names``: as for ``of_classes``.
    """
    from threadpoolctl import threadpool_limits

    mean = float(truth.mean())
    models: dict[str, Model] = {CONSTANT: lambda rows: np.full(rows.shape[0], mean)}
    learned = np.log(truth) if log else truth
    offset, spread = float(learned.mean()), float(learned.std()) or 1.0

    def of(fitted: Any, seen: Callable[[Matrix], Matrix]) -> Model:
        """A fitted model in the unit of the truth; it learned centred values divided by their spread."""

        def values(rows: Matrix) -> np.ndarray:
            with threadpool_limits(1):
                found = np.asarray(fitted.predict(seen(rows)), np.float64) * spread + offset
            return np.exp(found) if log else found

        return values

    if LINEAR in names:
        from sklearn.linear_model import Ridge

        models[LINEAR] = of(Ridge().fit(x, (learned - offset) / spread), lambda rows: rows)
    if BOOSTED in names and x.shape[1] <= DENSE:
        from sklearn.ensemble import HistGradientBoostingRegressor

        with threadpool_limits(1):
            trees = HistGradientBoostingRegressor(random_state=0).fit(_dense(x), (learned - offset) / spread)
        models[BOOSTED] = of(trees, _dense)
    return models


def _logistic(x: Matrix, truth: np.ndarray, classes: int) -> Model:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with warnings.catch_warnings(), threadpool_limits(1):  # threads that wait for each other cost more than they give
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = LogisticRegression(max_iter=STEPS).fit(x, truth)
    return _probabilities(fitted, classes, lambda rows: rows)


def _boosted_classes(x: Matrix, truth: np.ndarray, classes: int) -> Model:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        fitted = HistGradientBoostingClassifier(random_state=0).fit(_dense(x), truth)
    return _probabilities(fitted, classes, _dense)


def _probabilities(fitted: Any, classes: int, seen: Callable[[Matrix], Matrix]) -> Model:
    """Of every class, also of those that no training row had."""
    from threadpoolctl import threadpool_limits

    def probabilities(rows: Matrix) -> np.ndarray:
        """[N, classes], 0 for a class without a training row."""
        found = np.zeros((rows.shape[0], classes))
        with threadpool_limits(1):
            found[:, fitted.classes_] = fitted.predict_proba(seen(rows))
        return found

    return probabilities


def _dense(rows: Matrix) -> np.ndarray:
    return rows if isinstance(rows, np.ndarray) else np.asarray(rows.todense(), np.float32)
