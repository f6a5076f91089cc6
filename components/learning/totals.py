"""Loss and metrics of many rows, added up part by part."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from components.modeling.heads import TaskKind


class Totals:
    """The numbers of a task over all rows that were added, exactly as over all at once up to the last digits.

    The AUC needs the order of all scores: five bytes a row are kept for it, nothing for other tasks.
    """

    def __init__(self, kind: TaskKind, loss: Callable[[np.ndarray, np.ndarray], Any]) -> None:
        """``loss``: mean over rows of targets and outputs."""
        self._kind, self._loss = kind, loss
        self._rows = self._right = 0
        self._means: dict[str, float] = {}
        self._truth: list[np.ndarray] = []
        self._scores: list[np.ndarray] = []

    def add(self, target: np.ndarray, output: np.ndarray) -> None:
        """Take in targets (see ``Task.target``) and outputs of the model, at least one row."""
        self._rows += len(target)
        means = {"loss": float(self._loss(target, output))}
        match self._kind:
            case "binary":
                truth, score = target[:, 0] == 1, output[:, 0]
                self._right += int(((score > 0.5) == truth).sum())
                self._truth.append(truth)
                self._scores.append(score.copy())
            case "multiclass":
                self._right += int((output.argmax(axis=1) == target).sum())
            case "regression":
                error = output[:, 0].astype(np.float64) - target[:, 0]
                means |= {"mae": float(np.abs(error).mean()), "square": float(np.square(error).mean())}
        for name, value in means.items():
            before = self._means.get(name, 0.0)
            self._means[name] = before + (value - before) * (len(target) / self._rows)

    def numbers(self) -> dict[str, float]:
        """Loss (without penalties) and metrics; NaN where not defined."""
        means = self._means
        match self._kind:
            case "binary":
                area = auc(np.concatenate(self._truth), np.concatenate(self._scores))
                return {"loss": means["loss"], "accuracy": self._right / self._rows, "auc": area}
            case "multiclass":
                return {"loss": means["loss"], "accuracy": self._right / self._rows}
            case "regression":
                return {"loss": means["loss"], "mae": means["mae"], "rmse": math.sqrt(means["square"])}


def auc(truth: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve of ``truth`` (0 or 1, [N]) and ``score`` [N], ties counted half; NaN with one class.

    The share of pairs of a positive and a negative row in which the positive one scores higher (Mann & Whitney 1947).
    """
    positive, negative = np.sort(score[truth == 1]), np.sort(score[truth != 1])
    if not len(positive) or not len(negative):
        return float("nan")
    below = sum(int(np.searchsorted(negative, positive, side=side).sum()) for side in ("left", "right"))
    return below / (2 * len(positive) * len(negative))
