"""What ``evaluation.json`` says of scores of anomalies: their histogram, curves where labels are known, features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.judging import curves, metrics

BINS = 40


def between(score: NDArray[np.floating]) -> NDArray[np.float64]:
    """Scores [N] from 0 up as numbers [N] between 0 and 1 in the same order, 1 becoming 0.5."""
    wide = score.astype(np.float64)
    return np.asarray(wide / (wide + 1))


def described(truth: NDArray[Any] | None, answers: Mapping[str, Any], features: Sequence[str]) -> dict[str, Any]:
    """Curves and tables.

    Args:
        truth: 1 for an anomaly, [N]; None without a label.
        answers: ``score`` [N], above 1 for what is called an anomaly, and ``errors`` [N, F].
        features: names, in the order of ``errors``.
    """
    score = answers["score"].astype(np.float64)
    drawn: dict[str, Any] = {"anomaly_scores": histogram(score, truth)}
    if truth is not None and 0 < truth.sum() < len(truth):
        cells = metrics.cells(truth, between(score))
        drawn["precision_recall"] = {"score": curves.precision_recall(cells)}
        drawn["roc"] = {"score": curves.roc(cells)}
    prevalence = {"prevalence": float(truth.mean())} if truth is not None else {}
    return {
        **prevalence,
        "curves": drawn,
        "errors_by_feature": by_feature(answers["errors"], score > 1, features),
    }


def histogram(score: NDArray[np.float64], truth: NDArray[Any] | None) -> dict[str, list[float]]:
    """Rows by the decimal logarithm of their score: ``edges`` [bins + 1], ``usual`` and ``anomalies`` [bins].

    Without a label all rows are under ``usual``.
    """
    places = np.log10(np.maximum(score, 1e-3))
    low, high = float(places.min()), float(places.max())
    edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
    odd = np.zeros(len(score), bool) if truth is None else truth == 1
    return {
        "edges": curves.rounded(edges),
        "usual": curves.rounded(np.histogram(places[~odd], edges)[0]),
        "anomalies": curves.rounded(np.histogram(places[odd], edges)[0]),
    }


def by_feature(
    errors: NDArray[np.floating], called: NDArray[np.bool_], features: Sequence[str]
) -> list[dict[str, Any]]:
    """Mean error of each feature among the rows that are called anomalies and among the others, largest first.

    ``errors`` is [N, F] with F ``features``; ``called`` [N] says which rows are called anomalies.
    ``strangest`` counts the anomalies of which the feature has the largest error.
    """
    worst = np.bincount(errors[called].argmax(axis=1), minlength=len(features)) if called.any() else None
    found = [
        {
            "feature": name,
            "anomalies": float(errors[called, i].mean()) if called.any() else None,
            "others": float(errors[~called, i].mean()) if not called.all() else None,
            "strangest": int(worst[i]) if worst is not None else 0,
        }
        for i, name in enumerate(features)
    ]
    return sorted(found, key=lambda one: -(one["anomalies"] or one["others"] or 0.0))
