"""Metrics of rows that may have any number of classes, with intervals; and their curves, tables and baseline.

Definitions: Tsoumakas & Katakis 2007 (subset accuracy, Hamming loss; micro and macro averages). The intervals are those
of ``intervals``: random groups of rows are resampled by Poisson weights, F1 from resampled counts, average precision
and AUC through the influence of each row.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.judging import curves, metrics
from kilnworks.components.judging.calibration import calibration
from kilnworks.components.judging.described import CURVE_CLASSES, class_rates
from kilnworks.components.judging.intervals import Interval, group_sums, interval_of, random_groups, undefined
from kilnworks.components.judging.metrics import Floats, ratio

Truth = NDArray[np.integer]
"""1 where a row has a class, [N, K]."""
Above = float | NDArray[np.float64]
"""A threshold for all classes, or one for each, [K]; 0 to 1."""


def multilabel_intervals(
    truth: Truth, probability: NDArray[np.floating], threshold: Above, resamples: int, rng: np.random.Generator
) -> dict[str, Interval]:
    """Each metric of ``truth`` [N, K] and ``probability`` [N, K] with its interval."""
    has, said = truth == 1, probability > threshold
    rows = len(has)
    group = random_groups(rows, rng)
    loss = np.where(has, metrics.log_losses(probability), metrics.log_losses(1 - probability)).mean(axis=1)
    columns = {
        "subset_accuracy": (has == said).all(axis=1),
        "hamming_loss": (has != said).mean(axis=1),
        "log_loss": loss,
    }
    size, sums = group_sums(group, columns)
    weights = rng.poisson(1.0, (resamples, len(size))).astype(np.float64)
    total = weights @ size
    out = {
        name: interval_of(
            float(column.mean()), ratio(weights @ sums[name], total), None if name == "log_loss" else rows
        )
        for name, column in columns.items()
    }
    counts = [_by_group(group, part, len(size)) for part in (has & said, said, has)]
    drawn = [weights @ count for count in counts]
    exact = [count.sum(axis=0) for count in counts]
    for name, value in COUNTED.items():
        out[name] = interval_of(float(value(*exact)), value(*drawn), rows, REASONS[name])
    out["macro_average_precision"] = _averaged(has, probability, average_precision_influence, group, weights, 1)
    out["macro_auc"] = _averaged(has, probability, metrics.auc_influence, group, weights, 0)
    return out


def _micro(above: Floats, below: Floats) -> Floats:
    return ratio(np.asarray(above.sum(-1)), np.asarray(below.sum(-1)))


COUNTED: dict[str, Callable[[Floats, Floats, Floats], Floats]] = {
    "micro_f1": lambda hits, said, has: _micro(2 * hits, said + has),
    "macro_f1": metrics.macro_f1,
    "micro_precision": lambda hits, said, has: _micro(hits, said),
    "micro_recall": lambda hits, said, has: _micro(hits, has),
}
"""Metrics of the counts by class [..., K]: rightly said, said, and truly there."""
REASONS = {
    "micro_f1": "no row has a class, and none was said",
    "macro_f1": "no row has a class, and none was said",
    "micro_precision": "no class was said of any row",
    "micro_recall": "no row has a class",
}


def _by_group(group: NDArray[np.int64], there: NDArray[np.bool_], groups: int) -> Floats:
    """How many rows of each group have each class, [G, K]."""
    out = np.zeros((groups, there.shape[1]))
    np.add.at(out, group, there)
    return out


def _averaged(
    has: NDArray[np.bool_],
    probability: NDArray[np.floating],
    influence_of: Callable[[NDArray[np.bool_], NDArray[np.floating]], tuple[float, Floats]],
    group: NDArray[np.int64],
    weights: Floats,
    fewest_without: int,
) -> Interval:
    """Mean over the classes that some row has and, for an AUC, some row has not."""
    counts = has.sum(axis=0)
    kept = np.flatnonzero((counts > 0) & (counts < len(has) + fewest_without))
    if not len(kept):
        return undefined("no class is there in some rows and absent in others")
    parts = [influence_of(has[:, k], probability[:, k]) for k in kept]
    value = float(np.mean([v for v, _ in parts]))
    size, sums = group_sums(group, {"influence": np.mean([i for _, i in parts], axis=0)})
    draws = value + ratio(weights @ sums["influence"], weights @ size)
    absent = has.shape[1] - len(kept)
    reason = f"mean over {len(kept)} classes; {absent} cannot be judged" if absent else ""
    return interval_of(value, draws, int(counts[kept].min()), reason, keep_reason=True)


def average_precision_influence(truth: NDArray[np.bool_], score: NDArray[np.floating]) -> tuple[float, Floats]:
    """Average precision (step sum) and the influence of each row on it: resampling adds its mean, to first order, [N].

    With w the weights of rows, P their sum over the positives, and p the precision at the score of each positive, the
    derivative of ``sum(w * p) / P`` by the weight of a row has the row's own ``(p - AP) / P``, and what it changes in
    the precision at every score not above its own.
    """
    distinct, where = np.unique(-score.astype(np.float64), return_inverse=True)
    positive = np.bincount(where, weights=truth, minlength=len(distinct))
    rows = np.bincount(where, minlength=len(distinct)).cumsum()
    precision = positive.cumsum() / rows
    count = positive.sum()
    value = float((positive * precision).sum() / count)
    below = np.cumsum((positive / rows)[::-1])[::-1]
    worse = np.cumsum((positive * precision / rows)[::-1])[::-1]
    own = np.where(truth, precision[where] - value, 0.0)
    return value, len(truth) / count * (own + np.where(truth, below[where], 0.0) - worse[where])


def multilabel_pictures(
    truth: Truth, probability: NDArray[np.floating], classes: Sequence[str], threshold: Above
) -> dict[str, Any]:
    """Curves of the most frequent classes, the table of thresholds over all, calibration, and numbers by class.

    Args:
        truth: 0 or 1, [N, K].
        probability: [N, K], 0 to 1, each class by itself.
        classes: the names, K of them.
        threshold: above which a class is said, 0 to 1.
    """
    counts = truth.sum(axis=0)
    roc, precision_recall = {}, {}
    for k in sorted(np.argsort(-counts, kind="stable")[:CURVE_CLASSES]):
        if 0 < counts[k] < len(truth):
            cells = metrics.cells(truth[:, k].astype(np.int64), probability[:, k])
            roc[classes[k]] = curves.roc(cells)
            precision_recall[classes[k]] = curves.precision_recall(cells)
    every = (truth.astype(np.int64).reshape(-1), probability.reshape(-1))
    said = probability > threshold
    return {
        "curves": {"roc": roc, "precision_recall": precision_recall},
        "thresholds": curves.threshold_table(metrics.cells(*every)),
        **_above(threshold, classes),
        "calibration": {"of": "probability of any class", **calibration(every[1], every[0] == 1)},
        "by_class": _by_class(truth == 1, said, classes),
        "classes_a_row": {
            "truth": float(truth.sum(axis=1).mean()),
            "said": float((probability > threshold).sum(1).mean()),
        },
    }


def _above(threshold: Above, classes: Sequence[str]) -> dict[str, Any]:
    if np.ndim(threshold):
        return {"class_thresholds": dict(zip(classes, np.asarray(threshold).tolist(), strict=True))}
    return {"threshold": threshold}


def _by_class(has: NDArray[np.bool_], said: NDArray[np.bool_], classes: Sequence[str]) -> list[dict[str, Any]]:
    """Precision, recall, F1 and rows of each class; None where undefined."""
    hits, flagged, actual = (part.sum(axis=0) for part in (has & said, said, has))
    return class_rates(hits, flagged, actual, classes)


def usual_classes(truth: Truth, threshold: Above) -> dict[str, Any]:
    """What one gets without a model: the share of each class as its probability in every row.

    ``truth``: 0 or 1, [N, K], N >= 1; a class whose share is above ``threshold`` is said in every row.
    """
    share = truth.mean(axis=0)
    said = np.broadcast_to(share > threshold, truth.shape)
    seen = np.clip(share, metrics.EPSILON, 1 - metrics.EPSILON)
    has = truth == 1
    found = {
        "micro_f1": float(2 * (has & said).sum() / (has.sum() + said.sum())) if has.any() or said.any() else None,
        "subset_accuracy": float((has == said).all(axis=1).mean()),
        "hamming_loss": float((has != said).mean()),
        "log_loss": float(-(share * np.log(seen) + (1 - share) * np.log(1 - seen)).mean()),
        "macro_average_precision": float(share[share > 0].mean()) if has.any() else None,
        "macro_auc": 0.5,
    }
    return {
        "rule": "in every row the share of each class",
        "metrics": {k: v for k, v in found.items() if v is not None},
    }
