"""What ``evaluation.json`` says about a model besides its metrics: curves, calibration, confusion, baselines."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.judging import curves, metrics
from kilnworks.components.judging.calibration import calibration
from kilnworks.schemas.words import figure

MATRIX_CLASSES = 50
"""Beyond this many classes the confusion matrix is left out and the most frequent mistakes stand for it."""

CURVE_CLASSES = 20
"""Curves by class are kept for so many of the most frequent classes."""


def binary_pictures(truth: NDArray[Any], score: NDArray[np.floating], classes: Sequence[str]) -> dict[str, Any]:
    """Curves over all thresholds, the table of thresholds, and calibration of the second class.

    Args:
        truth: class numbers, 0 or 1, [N]; N >= 1.
        score: probability of the second class, [N].
        classes: names of the two.

    Returns:
        What ``evaluation.json`` holds of it; curves only where both classes occur.
    """
    cells = metrics.cells(truth, score)
    drawn: dict[str, Any] = {"scores": curves.score_histogram(cells)}
    if 0 < truth.sum() < len(truth):
        drawn["roc"] = {classes[1]: curves.roc(cells)}
        drawn["precision_recall"] = {classes[1]: curves.precision_recall(cells)}
    return {
        "positive": classes[1],
        "prevalence": float(truth.mean()),
        "curves": drawn,
        "thresholds": curves.threshold_table(cells),
        "calibration": {"of": f"probability of {classes[1]}", **calibration(score, truth == 1)},
    }


def multiclass_pictures(
    truth: NDArray[Any], probability: NDArray[np.floating], classes: Sequence[str]
) -> dict[str, Any]:
    """Curves of the most frequent classes, calibration of the most probable one, and numbers by class.

    Args:
        truth: class numbers, int [N], 0 to K - 1.
        probability: [N, K]; rows add up to 1.
        classes: the names, K of them.

    Returns:
        ``curves`` of the ``CURVE_CLASSES`` most frequent classes that occur and are not alone, one against the rest;
        ``calibration``; ``by_class``.
    """
    counts = np.bincount(truth, minlength=len(classes))
    roc, precision_recall = {}, {}
    for k in sorted(np.argsort(-counts, kind="stable")[:CURVE_CLASSES]):
        if 0 < counts[k] < len(truth):
            cells = metrics.cells((truth == k).astype(np.int64), probability[:, k])
            roc[classes[k]] = curves.roc(cells)
            precision_recall[classes[k]] = curves.precision_recall(cells)
    best = probability.argmax(axis=1)
    return {
        "curves": {"roc": roc, "precision_recall": precision_recall},
        "calibration": {"of": "most probable class", **calibration(probability.max(axis=1), best == truth)},
        "by_class": by_class(truth, best, classes),
    }


def by_class(truth: NDArray[Any], best: NDArray[np.int64], classes: Sequence[str]) -> list[dict[str, Any]]:
    """Precision, recall, F1 (0 to 1; None where undefined) and rows of each class.

    ``truth`` and ``best`` are class numbers [N]: the true one and the one said.
    """
    actual = np.bincount(truth, minlength=len(classes))
    flagged = np.bincount(best, minlength=len(classes))
    hits = np.bincount(truth[truth == best], minlength=len(classes))
    return class_rates(hits, flagged, actual, classes)


def class_rates(
    hits: NDArray[np.int64], flagged: NDArray[np.int64], actual: NDArray[np.int64], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """The same from counts of each class, [K]: rows found rightly, rows said to be of it, rows of it."""
    return [
        {
            "class": name,
            "rows": int(a),
            "precision": float(h / f) if f else None,
            "recall": float(h / a) if a else None,
            "f1": float(2 * h / (a + f)) if a + f else None,
        }
        for name, h, f, a in zip(classes, hits, flagged, actual, strict=True)
    ]


def confusion(truth: NDArray[Any], best: NDArray[np.int64], classes: Sequence[str]) -> dict[str, Any]:
    """Matrix (row = truth, column = prediction) of class numbers [N], and the ten most frequent mistakes.

    The matrix [K, K] is None beyond ``MATRIX_CLASSES`` classes.
    """
    counts = metrics.confusion(truth, best, len(classes))
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    worst = np.argsort(-wrong, axis=None, kind="stable")[:10]
    pairs = [divmod(int(i), len(classes)) for i in worst]
    mistakes = [
        {"truth": classes[t], "predicted": classes[p], "rows": int(wrong[t, p])} for t, p in pairs if wrong[t, p]
    ]
    small = len(classes) <= MATRIX_CLASSES
    return {"labels": list(classes), "matrix": counts.tolist() if small else None, "mistakes": mistakes}


def majority(truth: NDArray[Any], classes: Sequence[str]) -> dict[str, Any]:
    """What one gets without a model: always the most frequent class, with the class shares as probabilities.

    ``truth``: class numbers [N], N >= 1. The log loss is in nats.
    """
    share = np.bincount(truth, minlength=len(classes)) / len(truth)
    seen = share[share > 0]
    return {
        "rule": f"always {classes[int(share.argmax())]}",
        "metrics": {"accuracy": float(share.max()), "log_loss": float(-(seen * np.log(seen)).sum())},
    }


def always_mean(truth: NDArray[np.floating]) -> dict[str, Any]:
    """What one gets without a model: always the mean of the labels [N], N >= 1. Errors are in the label's unit."""
    away = truth - truth.mean()
    return {
        "rule": f"always the mean, {figure(truth.mean())}",
        "metrics": {"mae": float(np.abs(away).mean()), "rmse": float(np.sqrt((away**2).mean())), "r2": 0.0},
    }
