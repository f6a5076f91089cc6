"""Logistic regression with scikit-learn's default objective, by SciPy's L-BFGS-B.

Half the squared weights plus the negative log-likelihood of all rows (``C=1``), over the rows; two classes have one
vector of weights, more have one each (softmax); the constant is not penalized. scikit-learn finds the same weights; its
linear models take 0.8 s of processor time to import, SciPy's optimizer 0.2 s (decision 309).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

TOLERANCE = 1e-4
"""Of the largest slope, at which the weights are taken as found."""
LOOKS = 50
"""Of one search along a line, at most."""


def fitted(x: Any, truth: np.ndarray, classes: int, steps: int) -> Callable[[Any], np.ndarray]:
    """A function from rows [N, D] to probabilities [N, ``classes``].

    Args:
        x: float rows [M, D], dense or sparse in rows.
        truth: class numbers [M], of 0 to ``classes - 1`` each at least once.
        classes: at least two.
        steps: of the optimizer, at most; it may end before the weights are found.
    """
    from scipy.optimize import minimize

    wide = x.astype(np.float64)
    columns = 1 if classes == 2 else classes
    targets = truth[:, None] == (np.arange(1, 2) if classes == 2 else np.arange(classes))
    shape, rows = (x.shape[1] + 1, columns), len(truth)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        """The objective and its slope, [(D + 1) * columns]."""
        weights = flat.reshape(shape)
        scores = _scores(wide, weights)
        errors = (_probabilities(scores) - targets) / rows
        slope = np.vstack([np.asarray(wide.T @ errors) + weights[:-1] / rows, errors.sum(axis=0)])
        value = (_log_total(scores) - (scores * targets).sum(axis=1)).mean() + np.square(weights[:-1]).sum() / 2 / rows
        return float(value), slope.ravel()

    options = {"maxiter": steps, "maxls": LOOKS, "gtol": TOLERANCE, "ftol": 64 * np.finfo(float).eps}
    found = minimize(loss, np.zeros(shape).ravel(), method="L-BFGS-B", jac=True, options=options).x.reshape(shape)

    def probabilities(some: Any) -> np.ndarray:
        """[N, classes]."""
        told = _probabilities(_scores(some, found))
        return np.hstack([1 - told, told]) if classes == 2 else told

    return probabilities


def _scores(x: Any, weights: np.ndarray) -> np.ndarray:
    """[N, columns] of weights [D + 1, columns]; the last row is the constant."""
    return np.asarray(x @ weights[:-1]) + weights[-1]


def _log_total(scores: np.ndarray) -> np.ndarray:
    """The logarithm of what divides the exponentials of the scores, [N]."""
    from scipy.special import logsumexp

    return np.logaddexp(0, scores[:, 0]) if scores.shape[1] == 1 else logsumexp(scores, axis=1)


def _probabilities(scores: np.ndarray) -> np.ndarray:
    from scipy.special import expit, softmax

    return expit(scores) if scores.shape[1] == 1 else softmax(scores, axis=1)
