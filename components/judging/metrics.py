"""The metrics of the three tasks, each in a few vectorised lines.

Binary metrics are computed from *cells*: distinct scores in rising order with the weight of positives and negatives
at each. Weights may carry leading axes ``[..., C]``, so the same functions give the point value (weights are counts)
and a thousand resamples at once (see ``intervals``). A metric that the data does not define is NaN.

Definitions: Fawcett 2006 (ROC), Davis & Goadrich 2006 (average precision as a step sum), Brier 1950.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EPSILON = float(np.finfo(np.float32).eps)
"""Probabilities are kept this far from 0 and 1 before a logarithm is taken."""

THRESHOLD = 0.5
"""A row counts as the positive class when its score is above this: the more probable class wins."""


@dataclass(frozen=True)
class Cells:
    """Rows of a binary task gathered by score.

    Attributes:
        score: rising scores, 0 to 1, [C].
        positive, negative: weight of the rows of each class, [..., C].
        positive_loss, negative_loss: mean ``-log p`` of the class that is right, in nats, [C].
    """

    score: Floats
    positive: Floats
    negative: Floats
    positive_loss: Floats
    negative_loss: Floats


def ratio(above: NDArray[np.floating], below: NDArray[np.floating]) -> Floats:
    """``above / below``, both [...] or of shapes that broadcast; NaN where ``below`` is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below != 0, np.divide(above, below), np.nan)


def log_losses(probability: NDArray[np.floating]) -> Floats:
    """``-log p`` in nats of probabilities [...], with ``p`` kept ``EPSILON`` away from 0 and 1."""
    return -np.log(np.clip(probability.astype(np.float64), EPSILON, 1 - EPSILON))


def cells(truth: NDArray[np.integer], score: NDArray[np.floating]) -> Cells:
    """Exact cells of ``truth`` (0 or 1, [N]) and ``score`` (probability of class 1, [N]): one a distinct score."""
    distinct, where = np.unique(score.astype(np.float64), return_inverse=True)
    positive = np.bincount(where, weights=truth, minlength=len(distinct)).astype(np.float64)
    negative = np.bincount(where, weights=1 - truth, minlength=len(distinct)).astype(np.float64)
    return Cells(distinct, positive, negative, log_losses(distinct), log_losses(1 - distinct))


def binary(c: Cells, threshold: float = THRESHOLD) -> dict[str, Floats]:
    """Every binary metric over the last axis of the weights of ``c``, [...] each.

    All lie within 0 and 1 but ``log_loss``, in nats. NaN where the rows do not define one: what needs both classes
    where one is missing, precision where no row is flagged. Rows with a score above ``threshold`` are.
    """
    positives, negatives = c.positive.sum(-1), c.negative.sum(-1)
    total = positives + negatives
    above = c.score > threshold
    tp, fp = c.positive[..., above].sum(-1), c.negative[..., above].sum(-1)
    recall, specificity = ratio(tp, positives), ratio(negatives - fp, negatives)
    defined = (positives > 0) & (negatives > 0)
    return {
        "auc": np.where(defined, _auc(c, positives, negatives), np.nan),
        "average_precision": _average_precision(c, positives),
        "accuracy": ratio(tp + negatives - fp, total),
        "balanced_accuracy": (recall + specificity) / 2,
        "precision": ratio(tp, tp + fp),
        "recall": recall,
        "f1": np.where(positives > 0, ratio(2 * tp, tp + fp + positives), np.nan),
        "log_loss": ratio(c.positive @ c.positive_loss + c.negative @ c.negative_loss, total),
        "brier": ratio(c.positive @ (1 - c.score) ** 2 + c.negative @ c.score**2, total),
    }


def _auc(c: Cells, positives: Floats, negatives: Floats) -> Floats:
    """Share of pairs in which the positive row has the higher score; ties count half."""
    below = np.cumsum(c.negative, axis=-1) - c.negative / 2
    return ratio((c.positive * below).sum(-1), positives * negatives)


def auc(truth: NDArray[Any], score: NDArray[np.floating]) -> float:
    """Area under the ROC curve: the share of pairs of a positive and a negative row with the positive one higher.

    Counted in whole numbers, so the result is the float nearest to the true share (Mann and Whitney 1947).

    Args:
        truth: [N]; 1 or True = positive, anything else negative.
        score: [N], finite; ties count half.

    Returns:
        0 to 1; NaN where only one class is there.
    """
    positive, negative = np.sort(score[truth == 1]), np.sort(score[truth != 1])
    if not len(positive) or not len(negative):
        return float("nan")
    below = sum(int(np.searchsorted(negative, positive, side=side).sum()) for side in ("left", "right"))
    return below / (2 * len(positive) * len(negative))


def _average_precision(c: Cells, positives: Floats) -> Floats:
    """Sum over thresholds of precision times the gain in recall."""
    tp = np.cumsum(c.positive[..., ::-1], axis=-1)
    fp = np.cumsum(c.negative[..., ::-1], axis=-1)
    precision = np.divide(tp, tp + fp, out=np.zeros_like(tp), where=tp + fp > 0)
    return ratio((c.positive[..., ::-1] * precision).sum(-1), positives)


def confusion(truth: NDArray[np.integer], predicted: NDArray[np.integer], classes: int) -> Ints:
    """Counts [K, K]: row = true class, column = predicted class."""
    flat = np.bincount(truth.astype(np.int64) * classes + predicted, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def macro_f1(hits: NDArray[np.floating], predicted: NDArray[np.floating], actual: NDArray[np.floating]) -> Floats:
    """Mean F1 over the classes that occur as truth or as prediction; counts by class, [..., K]."""
    occurs = predicted + actual > 0
    f1 = np.divide(2 * hits, predicted + actual, out=np.zeros_like(hits), where=occurs)
    return ratio(f1.sum(-1), occurs.sum(-1).astype(np.float64))


def rank_of_truth(truth: NDArray[np.integer], probability: NDArray[np.floating]) -> Ints:
    """Place of the true class among the probabilities [N, K]: 0 = most probable; ties go to the lower class index."""
    own = np.take_along_axis(probability, truth[:, None].astype(np.int64), axis=1)
    earlier = np.arange(probability.shape[1])[None, :] < truth[:, None]
    return ((probability > own) | ((probability == own) & earlier)).sum(axis=1)


def auc_placements(positive: NDArray[np.floating], negative: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Placement of every row among the other class (DeLong et al. 1988).

    Args:
        positive: scores of the rows of the class, [P]; at least one.
        negative: scores of the other rows, [M]; at least one.

    Returns:
        For each positive the share of negatives below it, [P]; for each negative the share of positives above
        it, [M]; ties count half. The mean of either is the AUC.
    """
    low, high = np.sort(negative), np.sort(positive)
    below = np.searchsorted(low, positive, "left") + np.searchsorted(low, positive, "right")
    above = 2 * len(high) - np.searchsorted(high, negative, "left") - np.searchsorted(high, negative, "right")
    return below / (2 * len(low)), above / (2 * len(high))


def auc_influence(truth: NDArray[np.bool_], score: NDArray[np.floating]) -> tuple[float, Floats]:
    """AUC and the influence of each row on it: to first order, resampling adds the mean influence, [N]."""
    above_of_positive, above_of_negative = auc_placements(score[truth], score[~truth])
    auc = float(above_of_positive.mean())
    influence = np.empty(len(truth))
    influence[truth] = (above_of_positive - auc) / truth.mean()
    influence[~truth] = (above_of_negative - auc) / (1 - truth.mean())
    return auc, influence


def regression(truth: NDArray[np.floating], predicted: NDArray[np.floating]) -> dict[str, float]:
    """Every regression metric of values [N], N >= 1, finite.

    ``mae``, ``rmse``, ``median_ae`` are in the label's unit; ``mape`` is a share (0.1 = 10 %), NaN where a label is 0;
    ``r2`` is 1 at most, NaN where the labels do not vary.
    """
    error = predicted.astype(np.float64) - truth
    spread = float(((truth - truth.mean()) ** 2).sum())
    zeros = bool((truth == 0).any())
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean())),
        "r2": 1 - float((error**2).sum()) / spread if spread > 0 else float("nan"),
        "median_ae": float(np.median(np.abs(error))),
        "mape": float("nan") if zeros else float(np.abs(error / truth).mean()),
    }
