"""What is said of a detector beside its metrics: curves and figures by class, the score to cut at, a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kilnworks.components.judging.detection.average_precision import OVERLAP, Matched

POINTS = 60
"""Points of a curve, at most."""
RULE = "the mean box of each class in 4 x 4 places of every image"
GRID = 4
"""The baseline says the mean box of each class at so many places across and down."""


def described(
    truth: np.ndarray, answers: Mapping[str, Any], classes: Sequence[str], overlap: float = OVERLAP
) -> dict[str, Any]:
    """``by_class`` (boxes as ``rows``; precision, recall and F1 at the cut), ``curves``, ``cut`` and ``baseline``.

    Args:
        truth: true boxes, [N, G, 5], class -1 for none; of tiles [N, G, 10].
        answers: ``boxes``, ``scores``, ``labels`` and ``count``.
        classes: names, [K].
        overlap: see ``Matched.of``.
    """
    matched = Matched.of(truth, answers, len(classes), overlap=overlap)
    cut, table, truths = best_cut(matched), matched.by_class(), matched.truths.sum(axis=0)
    rows = [
        {"class": name, "rows": int(truths[k]), **_at(matched, k, cut["score"]),
         "map50": _number(table[0, k]), "map": _number(table[:, k].mean())}
        for k, name in enumerate(classes)
    ]  # fmt: skip
    curves = {name: _curve(matched, k) for k, name in enumerate(classes) if truths[k] and (matched.number == k).any()}
    return {
        "by_class": rows,
        "curves": {"precision_recall": curves},
        "cut": cut,
        "baseline": baseline(truth, len(classes)),
    }


def best_cut(matched: Matched) -> dict[str, float | None]:
    """The score at which F1 over all boxes is largest, at an overlap of half, with precision and recall there."""
    total = int(matched.truths.sum())
    right = np.cumsum(matched.right[0])
    if not total or not len(right) or not right[-1]:
        return {"score": None, "f1": 0.0, "precision": None, "recall": 0.0}
    said = np.arange(1, len(right) + 1)
    f1 = 2 * right / (said + total)
    last = np.append(np.diff(matched.score) != 0, True)  # boxes of one score come or go together
    at = int(np.where(last, f1, -1).argmax())
    shares = {"f1": f1[at], "precision": right[at] / said[at], "recall": right[at] / total}
    return {"score": float(matched.score[at]), **{name: float(value) for name, value in shares.items()}}


def baseline(truth: np.ndarray, classes: int) -> dict[str, Any]:
    """What boxes of the mean size of each class, put evenly over every image without looking, reach.

    ``truth``: true boxes, [N, G, 5], class -1 for none; of tiles [N, G, 10]; ``classes``: how many there are.
    """
    answers = mean_boxes(truth, classes, len(truth))
    return {"rule": RULE, "metrics": Matched.of(truth, answers, classes).metrics() if answers["count"].any() else {}}


def mean_boxes(truth: np.ndarray, classes: int, images: int) -> dict[str, np.ndarray]:
    """The answers of ``baseline`` to so many images: ``boxes`` [images, D, 4] and others; none without a true box."""
    real = truth[..., 4] >= 0
    counts = np.bincount(truth[real][:, 4].astype(np.int64), minlength=classes)
    places = (np.arange(GRID) + 0.5) / GRID
    centres = np.stack(np.meshgrid(places, places, indexing="ij"), axis=-1).reshape(-1, 2)
    boxes, numbers, sure = [np.zeros((0, 4))], [np.zeros(0)], [np.zeros(0)]
    for k in np.flatnonzero(counts):
        own = truth[real & (truth[..., 4] == k)]
        half = (own[:, 2:4] - own[:, :2]).mean(axis=0) / 2
        boxes.append(np.clip(np.concatenate([centres - half, centres + half], axis=1), 0, 1))
        numbers.append(np.full(len(centres), float(k)))
        sure.append(np.full(len(centres), counts[k] / counts.sum()))
    one = {"boxes": np.concatenate(boxes), "scores": np.concatenate(sure), "labels": np.concatenate(numbers)}
    answers = {name: np.broadcast_to(values, (images, *values.shape)) for name, values in one.items()}
    return {**answers, "count": np.full(images, len(one["scores"]))}


def _at(matched: Matched, number: int, cut: float | None) -> dict[str, float | None]:
    """Precision, recall and F1 of a class, of boxes that are as sure as the cut."""
    own = (matched.number == number) & (matched.score >= (np.inf if cut is None else cut))
    right, total = int(matched.right[0, own].sum()), int(matched.truths[:, number].sum())
    said = int(own.sum())
    return {
        "precision": right / said if said else None,
        "recall": right / total if total else None,
        "f1": 2 * right / (said + total) if said + total else None,
    }


def _curve(matched: Matched, number: int) -> dict[str, list[float]]:
    """Of a class with true boxes and found ones."""
    own = matched.number == number
    right, total = np.cumsum(matched.right[0, own]), int(matched.truths[:, number].sum())
    precision, recall = right / np.arange(1, len(right) + 1), right / total
    chosen: np.ndarray = np.unique(np.linspace(0, len(right) - 1, min(POINTS, len(right))).round().astype(int))
    return {
        "recall": [round(float(recall[i]), 4) for i in chosen],
        "precision": [round(float(precision[i]), 4) for i in chosen],
    }


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
