"""Curves over all decision thresholds, thinned to what an eye can tell apart, and the table of thresholds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.judging.metrics import Cells, Floats, ratio

POINTS = 200
"""Most points of a stored curve."""

THRESHOLDS = tuple(round(0.05 * i, 2) for i in range(1, 20))


def roc(c: Cells) -> dict[str, list[float]]:
    """``fpr`` and ``tpr`` from (0, 0) to (1, 1), with the score at and above which a row counts as positive.

    The first threshold is 1.0 and stands for "none". Needs rows of both classes.
    """
    tp, fp = _falling(c.positive), _falling(c.negative)
    keep = thin(fp / fp[-1], tp / tp[-1])
    thresholds = np.concatenate([[1.0], c.score[::-1]])
    return {
        "fpr": rounded(fp[keep] / fp[-1]),
        "tpr": rounded(tp[keep] / tp[-1]),
        "threshold": rounded(thresholds[keep]),
    }


def precision_recall(c: Cells) -> dict[str, list[float]]:
    """``recall`` rising from 0 to 1 with the ``precision`` there and the threshold. Needs a positive row.

    At recall 0 the precision of the highest score is repeated.
    """
    tp, fp = _falling(c.positive)[1:], _falling(c.negative)[1:]
    recall = np.concatenate([[0.0], tp / tp[-1]])
    precision = ratio(tp, tp + fp)
    precision = np.concatenate([precision[:1], precision])
    thresholds = np.concatenate([c.score[-1:], c.score[::-1]])
    keep = thin(recall, precision)
    return {
        "recall": rounded(recall[keep]),
        "precision": rounded(precision[keep]),
        "threshold": rounded(thresholds[keep]),
    }


def threshold_table(c: Cells) -> list[dict[str, float | None]]:
    """What each of ``THRESHOLDS`` would give: precision, recall, specificity, F1 and the share of rows flagged."""
    positives, negatives = float(c.positive.sum()), float(c.negative.sum())
    table = []
    for threshold in THRESHOLDS:
        above = c.score > threshold
        tp, fp = float(c.positive[above].sum()), float(c.negative[above].sum())
        table.append(
            {
                "threshold": threshold,
                "precision": _share(tp, tp + fp),
                "recall": _share(tp, positives),
                "specificity": _share(negatives - fp, negatives),
                "f1": _share(2 * tp, tp + fp + positives),
                "flagged": _share(tp + fp, positives + negatives),
            }
        )
    return table


def score_histogram(c: Cells, bins: int = 20) -> dict[str, list[float]]:
    """Rows by score and class: ``edges`` [bins + 1], ``positive`` and ``negative`` [bins]."""
    edges = np.linspace(0, 1, bins + 1)
    return {
        "edges": rounded(edges),
        "positive": rounded(np.histogram(c.score, edges, weights=c.positive)[0]),
        "negative": rounded(np.histogram(c.score, edges, weights=c.negative)[0]),
    }


def thin(x: Floats, y: Floats) -> NDArray[np.int64]:
    """Indices of at most about ``POINTS`` points of a curve ``x``, ``y`` [P], even along its length.

    The first and the last are kept; int64, ascending.
    """
    if len(x) <= POINTS:
        return np.arange(len(x))
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    wanted = np.linspace(0, length[-1], POINTS)
    found = np.searchsorted(length, wanted).clip(0, len(x) - 1)
    return np.unique(np.concatenate([[0], found, [len(x) - 1]]))


def rounded(values: NDArray[np.floating]) -> list[float]:
    """Values [N] as plain floats with five digits: enough for a picture, short in a file."""
    return [float(f"{v:.5g}") for v in values]


def residuals(truth: NDArray[np.floating], predicted: NDArray[np.floating], bins: int = 40) -> dict[str, Any]:
    """Pictures of a regression.

    Args:
        truth: [N], finite, N >= 1, in the label's unit.
        predicted: [N], finite.
        bins: of the histogram, of equal width.

    Returns:
        ``histogram``: ``edges`` [bins + 1] and ``counts`` [bins] of prediction minus truth between its 0.5 % and
        99.5 % points (the rest in the end bins). ``by_value``: rows sorted by prediction, in up to 20 groups of equal
        size: mean prediction, and mean, 10 % and 90 % points of the truth.
    """
    error = predicted.astype(np.float64) - truth
    low, high = np.quantile(error, [0.005, 0.995])
    edges = np.linspace(low, high if high > low else low + 1, bins + 1)
    counts = np.histogram(error.clip(edges[0], edges[-1]), edges)[0]
    groups = [g for g in np.array_split(np.argsort(predicted, kind="stable"), min(20, len(truth))) if len(g)]
    spread = np.array([[predicted[g].mean(), truth[g].mean(), *np.quantile(truth[g], [0.1, 0.9])] for g in groups])
    names = ("predicted", "actual", "low", "high")
    return {
        "histogram": {"edges": rounded(edges), "counts": [int(v) for v in counts]},
        "by_value": {name: rounded(spread[:, i]) for i, name in enumerate(names)},
    }


def _falling(weight: Floats) -> Floats:
    """Weight at or above each score, from the highest score on, with a leading 0."""
    return np.concatenate([[0.0], np.cumsum(weight[::-1])])


def _share(above: float, below: float) -> float | None:
    return float(f"{above / below:.5g}") if below else None
