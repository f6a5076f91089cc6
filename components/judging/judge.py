"""From labels and predictions to everything that ``evaluation.json`` says about a model, apart from the gate."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.judging import curves, intervals, metrics
from components.judging.calibration import calibration
from components.judging.names import Task, metric_names

MATRIX_CLASSES = 50
"""Beyond this many classes the confusion matrix is left out and the most frequent mistakes stand for it."""

CURVE_CLASSES = 20
"""Curves by class are kept for so many of the most frequent classes."""


def judge(
    task: Task,
    truth: NDArray[Any],
    predicted: NDArray[np.floating],
    classes: Sequence[str],
    top_k: int,
    resamples: int,
    seed: int,
) -> dict[str, Any]:
    """Metrics with intervals, confusion, curves and calibration; JSON-serializable and without NaN.

    Args:
        task: decides which metrics there are.
        truth: class indices [N], or values [N] for regression. At least one row.
        predicted: probabilities [N, K], or values [N] for regression; all finite.
        classes: names of the K classes; empty for regression.
        top_k: for ``top_<k>_accuracy``; multiclass only.
        resamples: bootstrap resamples behind each interval.
        seed: of the resampling.
    """
    content: dict[str, Any] = {
        "metrics": measure(task, truth, predicted, top_k, resamples, seed),
        "interval": {"level": intervals.LEVEL, "method": "Poisson bootstrap", "resamples": resamples, "seed": seed},
    }
    if task == "regression":
        return {**content, "curves": {"residuals": curves.residuals(truth, predicted)}, "baseline": _mean(truth)}
    if task == "binary":
        content.update(_binary_pictures(truth, predicted[:, 1], classes))
    else:
        content.update(_multiclass_pictures(truth, predicted, classes))
    content["confusion"] = _confusion(truth, predicted.argmax(axis=1), classes)
    content["baseline"] = _majority(truth, classes)
    return content


def measure(
    task: Task, truth: NDArray[Any], predicted: NDArray[np.floating], top_k: int, resamples: int, seed: int
) -> dict[str, dict[str, float | str | None]]:
    """The metrics alone, in the order of the report: ``{name: {"value", "low", "high"}}``; arguments as ``judge``."""
    rng = np.random.default_rng(seed)
    if task == "binary":
        found: Mapping[str, intervals.Interval] = intervals.binary_intervals(truth, predicted[:, 1], resamples, rng)
    elif task == "multiclass":
        found = intervals.multiclass_intervals(truth, predicted, top_k, resamples, rng)
    else:
        found = intervals.regression_intervals(truth, predicted, resamples, rng)
    return {name: found[name].record() for name in metric_names(task, top_k)}


def _binary_pictures(truth: NDArray[Any], score: NDArray[np.floating], classes: Sequence[str]) -> dict[str, Any]:
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


def _multiclass_pictures(
    truth: NDArray[Any], probability: NDArray[np.floating], classes: Sequence[str]
) -> dict[str, Any]:
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
        "by_class": _by_class(truth, best, classes),
    }


def _by_class(truth: NDArray[Any], best: NDArray[np.int64], classes: Sequence[str]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and rows of each class; None where undefined."""
    actual = np.bincount(truth, minlength=len(classes))
    flagged = np.bincount(best, minlength=len(classes))
    hits = np.bincount(truth[truth == best], minlength=len(classes))
    return [
        {
            "class": name,
            "rows": int(a),
            "precision": float(h / f) if f else None,
            "recall": float(h / a) if a else None,
            "f1": float(2 * h / (a + f)) if a + f else None,
        }
        for name, a, f, h in zip(classes, actual, flagged, hits, strict=True)
    ]


def _confusion(truth: NDArray[Any], best: NDArray[np.int64], classes: Sequence[str]) -> dict[str, Any]:
    """Matrix (row = truth, column = prediction) and the ten most frequent mistakes."""
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


def _majority(truth: NDArray[Any], classes: Sequence[str]) -> dict[str, Any]:
    """What one gets without a model: always the most frequent class, with the class shares as probabilities."""
    share = np.bincount(truth, minlength=len(classes)) / len(truth)
    seen = share[share > 0]
    return {
        "rule": f"always {classes[int(share.argmax())]}",
        "metrics": {"accuracy": float(share.max()), "log_loss": float(-(seen * np.log(seen)).sum())},
    }


def _mean(truth: NDArray[np.floating]) -> dict[str, Any]:
    """What one gets without a model: always the mean of the labels."""
    away = truth - truth.mean()
    return {
        "rule": f"always the mean, {truth.mean():.4g}",
        "metrics": {"mae": float(np.abs(away).mean()), "rmse": float(np.sqrt((away**2).mean())), "r2": 0.0},
    }
