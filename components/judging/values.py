"""One metric of some rows, as a plain number: what a bootstrap asks for again and again."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.judging import metrics
from kilnworks.components.judging.intervals import auc_ovr
from kilnworks.components.judging.metrics import THRESHOLD, Floats
from kilnworks.components.judging.multilabel import COUNTED, Above, average_precision_influence

Truth = NDArray[np.integer]
Shares = NDArray[np.floating]


def binary_value(name: str, truth: Truth, score: Shares, threshold: float = THRESHOLD) -> float:
    """A binary metric of ``truth`` (0 or 1, [N]) and ``score`` [N]; NaN where these rows do not define it."""
    positive = truth == 1
    match name:
        case "auc" if positive.any() and not positive.all():
            return float(metrics.auc_placements(score[positive], score[~positive])[0].mean())
        case "log_loss":
            return float(metrics.log_losses(np.where(positive, score, 1 - score)).mean())
        case "brier":
            return float(np.square(score.astype(np.float64) - positive).mean())
        case _:
            return float(metrics.binary(metrics.cells(truth, score), threshold)[name])


def binary_influence(name: str, truth: Truth, score: Shares) -> tuple[float, Floats] | None:
    """A binary metric, and the influence of each row on it, [N]: to first order, resampling adds the mean influence.

    None for metrics that have no such form here, and where the rows do not define it.
    """
    positive = truth == 1
    match name:
        case "auc" if positive.any() and not positive.all():
            return metrics.auc_influence(positive, score)
        case "log_loss":
            each = metrics.log_losses(np.where(positive, score, 1 - score))
            return float(each.mean()), each - each.mean()
    return None


def binary_right(truth: Truth, score: Shares, threshold: float = THRESHOLD) -> NDArray[np.bool_]:
    """Rows whose class by the threshold is the true one, [N]."""
    return (score > threshold) == (truth == 1)


def multiclass_right(name: str, truth: Truth, probability: Shares, top_k: int) -> NDArray[np.bool_] | None:
    """Rows that are right, [N], for ``accuracy`` and ``top_<k>_accuracy``; None for metrics that are no such share."""
    if name == "accuracy":
        return np.asarray(probability.argmax(axis=1) == truth)
    if name == f"top_{top_k}_accuracy":
        return np.asarray(metrics.rank_of_truth(truth, probability) < top_k)
    return None


def multiclass_value(name: str, truth: Truth, probability: Shares) -> float:
    """``log_loss``, ``macro_f1`` or ``auc_ovr`` of class numbers [N] and ``probability`` [N, K]."""
    if name == "log_loss":
        own = np.take_along_axis(probability, truth[:, None].astype(np.int64), axis=1)[:, 0]
        return float(metrics.log_losses(own).mean())
    if name == "macro_f1":
        predicted, classes = probability.argmax(axis=1), probability.shape[1]
        parts = (truth[truth == predicted], predicted, truth)
        return float(metrics.macro_f1(*(np.bincount(part, minlength=classes).astype(float) for part in parts)))
    return auc_ovr(truth, probability)[0]


def multilabel_value(name: str, truth: Truth, probability: Shares, threshold: Above) -> float:
    """A multilabel metric of ``truth`` and ``probability``, both [N, K]."""
    has, said = truth == 1, probability > threshold
    if name in COUNTED:
        return float(COUNTED[name](*(part.sum(axis=0).astype(float) for part in (has & said, said, has))))
    match name:
        case "subset_accuracy":
            return float((has == said).all(axis=1).mean())
        case "hamming_loss":
            return float((has != said).mean())
        case "log_loss":
            return float(np.where(has, metrics.log_losses(probability), metrics.log_losses(1 - probability)).mean())
        case "macro_auc":
            return _averaged(has, probability, metrics.auc_influence, 0)
        case "macro_average_precision":
            return _averaged(has, probability, average_precision_influence, 1)
        case _:
            raise KeyError(name)


def _averaged(
    has: NDArray[np.bool_],
    probability: Shares,
    of: Callable[[NDArray[np.bool_], Shares], tuple[float, Floats]],
    fewest_without: int,
) -> float:
    """Mean over the classes that some row has and, for an AUC, some row has not; NaN where there is none."""
    counts = has.sum(axis=0)
    kept = np.flatnonzero((counts > 0) & (counts < len(has) + fewest_without))
    return float(np.mean([of(has[:, k], probability[:, k])[0] for k in kept])) if len(kept) else float("nan")
