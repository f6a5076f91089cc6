"""95 % intervals of the metrics by resampling, at a cost that hardly grows with the number of rows.

The Poisson bootstrap gives each row a Poisson(1) weight (Chamandy et al. 2012). The weights of ``m`` rows that are
interchangeable add up to one Poisson(m) draw, so rows are gathered first and only the gathered weights are drawn:

* binary: rows of one class and (nearly) one score are interchangeable. Up to ``CELLS`` cells of equal row counts, cut
  at the decision threshold; within-cell rounding is removed by shifting the interval by the point's own rounding.
* multiclass and regression: metrics that are functions of means are resampled over ``GROUPS`` random groups of rows;
  AUC through the influence of each row (DeLong et al. 1988). The median absolute error takes order statistics,
  which is what its bootstrap converges to.

A sample in which nothing went wrong resamples to itself. Its interval then ends at the rule of three, ``3 / n`` away
(Hanley & Lippman-Hand 1983), because a perfect score on 20 rows is no proof of a perfect model.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.judging import metrics
from kilnworks.components.judging.metrics import THRESHOLD, Cells, Floats, ratio

LEVEL = 0.95
CELLS = 512
GROUPS = 1024


@dataclass(frozen=True)
class Interval:
    """A metric with its interval; all three None where it is undefined, and then ``reason`` says why."""

    value: float | None
    low: float | None
    high: float | None
    reason: str = ""

    def record(self) -> dict[str, float | str | None]:
        """The entry of ``evaluation.json``."""
        base: dict[str, float | str | None] = {"value": self.value, "low": self.low, "high": self.high}
        return {**base, "reason": self.reason} if self.reason else base


def undefined(reason: str) -> Interval:
    """A metric that this data does not define."""
    return Interval(None, None, None, reason)


def binary_intervals(
    truth: NDArray[np.integer],
    score: NDArray[np.floating],
    resamples: int,
    rng: np.random.Generator,
    threshold: float = THRESHOLD,
) -> dict[str, Interval]:
    """Each binary metric with its 95 % interval.

    A resample that lost a class leaves the metrics that need it out.

    Args:
        truth: 0 or 1, [N]; N >= 1.
        score: probability of class 1, [N], 0 to 1.
        resamples: draws of weights.
        rng: decides the draws.
        threshold: rows with a score above it count as class 1.
    """
    exact = metrics.cells(truth, score)
    point = metrics.binary(exact, threshold)
    coarse = _coarsen(exact, threshold)
    rounded = metrics.binary(coarse, threshold)
    drawn = metrics.binary(
        Cells(
            coarse.score,
            rng.poisson(coarse.positive, (resamples, len(coarse.score))).astype(np.float64),
            rng.poisson(coarse.negative, (resamples, len(coarse.score))).astype(np.float64),
            coarse.positive_loss,
            coarse.negative_loss,
        ),
        threshold,
    )
    positives = int(truth.sum())
    counts = _binary_counts(positives, len(truth) - positives, int((score > threshold).sum()))
    reasons = _binary_reasons(positives, len(truth) - positives)
    out = {}
    for name, value in point.items():
        draws = drawn[name] + (value - rounded[name])
        out[name] = interval_of(float(value), draws, counts.get(name), reasons.get(name, "undefined for these rows"))
    return out


def multiclass_intervals(
    truth: NDArray[np.integer], probability: NDArray[np.floating], top_k: int, resamples: int, rng: np.random.Generator
) -> dict[str, Interval]:
    """Each multiclass metric with its 95 % interval.

    Args:
        truth: class numbers, [N], 0 to K - 1.
        probability: [N, K]; rows add up to 1.
        top_k: the k of ``top_<k>_accuracy``.
        resamples: draws of weights.
        rng: decides groups and draws.
    """
    n, classes = probability.shape
    predicted = probability.argmax(axis=1)
    loss = metrics.log_losses(np.take_along_axis(probability, truth[:, None].astype(np.int64), axis=1)[:, 0])
    columns = {"accuracy": predicted == truth, "log_loss": loss}
    columns[f"top_{top_k}_accuracy"] = metrics.rank_of_truth(truth, probability) < top_k
    auc, influence, reason = auc_ovr(truth, probability)
    columns["influence"] = influence
    group = random_groups(n, rng)
    size, sums = group_sums(group, columns)
    by_class = _class_sums(group, truth, predicted, classes, len(size))
    weights = rng.poisson(1.0, (resamples, len(size))).astype(np.float64)
    total = weights @ size
    out = {
        name: interval_of(float(column.mean()), ratio(weights @ sums[name], total), _n_of(name, n))
        for name, column in columns.items()
        if name != "influence"
    }
    f1 = float(metrics.macro_f1(*(s.sum(axis=0) for s in by_class)))
    out["macro_f1"] = interval_of(f1, metrics.macro_f1(*(weights @ s for s in by_class)), n)
    rare = int(min((c for c in np.bincount(truth) if c), default=0))
    out["auc_ovr"] = interval_of(auc, auc + ratio(weights @ sums["influence"], total), rare, reason, keep_reason=True)
    return out


def regression_intervals(
    truth: NDArray[np.floating], predicted: NDArray[np.floating], resamples: int, rng: np.random.Generator
) -> dict[str, Interval]:
    """Each regression metric of ``truth`` and ``predicted``, both [N], with its 95 % interval.

    ``resamples`` draws of weights over random groups, which ``rng`` decides. Units as in ``metrics.regression``.
    """
    point = metrics.regression(truth, predicted)
    error = np.abs(predicted.astype(np.float64) - truth)
    centred = truth - truth.mean()
    columns = {"error": error, "squared": error**2, "value": centred, "spread": centred**2}
    zeros = int((truth == 0).sum())
    columns["share"] = np.full(len(truth), np.nan) if zeros else error / np.abs(truth)
    size, sums = group_sums(random_groups(len(truth), rng), columns)
    weights = rng.poisson(1.0, (resamples, len(size))).astype(np.float64)
    total = weights @ size
    mean = {name: ratio(weights @ column, total) for name, column in sums.items()}
    draws = {
        "mae": mean["error"],
        "rmse": np.sqrt(mean["squared"]),
        "r2": 1 - ratio(mean["squared"], mean["spread"] - mean["value"] ** 2),
        "mape": mean["share"],
    }
    reasons = {"r2": "every label is the same", "mape": f"{zeros} of {len(truth)} labels are 0"}
    out = {n: interval_of(point[n], d, None, reasons.get(n, "")) for n, d in draws.items()}
    out["median_ae"] = _median_interval(error)
    return {name: out[name] for name in point}


def _coarsen(exact: Cells, threshold: float) -> Cells:
    """At most about ``CELLS`` cells of equal row counts, none across the decision threshold."""
    if len(exact.score) <= CELLS:
        return exact
    weight = exact.positive + exact.negative
    quantile = ((np.cumsum(weight) - weight / 2) * CELLS / weight.sum()).astype(np.int64)
    key = quantile * 2 + (exact.score > threshold)
    starts = np.flatnonzero(np.diff(key, prepend=-1))

    def total(column: Floats) -> Floats:
        return np.add.reduceat(column, starts)

    positive, negative = total(exact.positive), total(exact.negative)
    return Cells(
        total(exact.score * weight) / total(weight),
        positive,
        negative,
        np.nan_to_num(ratio(total(exact.positive_loss * exact.positive), positive)),
        np.nan_to_num(ratio(total(exact.negative_loss * exact.negative), negative)),
    )


def interval_of(
    value: float, draws: Floats, trials: int | None, reason: str = "", *, keep_reason: bool = False
) -> Interval:
    """Percentile interval of the draws that are defined, opened by the rule of three where they do not vary.

    Args:
        value: the metric of all rows; where it is not finite, the result is ``undefined(reason)``.
        draws: the metric of each resample, [R]; NaN where one does not define it.
        trials: rows behind a share, which then lies within 0 and 1; None for other metrics.
        reason: why the metric, or a part of it, is not defined.
        keep_reason: say the reason beside a value too.
    """
    if not np.isfinite(value):
        return undefined(reason)
    kept = draws[np.isfinite(draws)]
    low, high = (
        np.quantile(kept, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) if len(kept) else (np.float64(value), np.float64(value))
    )
    if trials is not None:
        low, high = max(float(low), 0.0), min(float(high), 1.0)
        if high - low < 1e-12:
            low, high = _rule_of_three(value, trials)
    return Interval(value, min(float(low), value), max(float(high), value), reason if keep_reason else "")


def _rule_of_three(value: float, trials: int) -> tuple[float, float]:
    """Interval of a share that no resample moves; one between 0 and 1 is the mean of two shares that are stuck."""
    away = 3 / max(trials, 1)
    below, above = (0.0, away) if value == 0 else (away, 0.0) if value == 1 else (away / 2, away / 2)
    return max(0.0, value - below), min(1.0, value + above)


def _binary_counts(positives: int, negatives: int, flagged: int) -> dict[str, int]:
    """Rows behind each metric that lies between 0 and 1: what the rule of three divides by."""
    few = min(positives, negatives)
    return {
        "auc": few,
        "average_precision": positives,
        "accuracy": positives + negatives,
        "balanced_accuracy": few,
        "precision": flagged,
        "recall": positives,
        "f1": positives,
    }


def _binary_reasons(positives: int, negatives: int) -> dict[str, str]:
    """Why a metric may be undefined, by name."""
    if not positives:
        missing = "no row is of the positive class"
        return dict.fromkeys(("auc", "average_precision", "balanced_accuracy", "recall", "f1"), missing) | {
            "precision": "no row was predicted positive"
        }
    if not negatives:
        return dict.fromkeys(("auc", "balanced_accuracy"), "no row is of the negative class") | {
            "precision": "no row was predicted positive"
        }
    return {"precision": "no row was predicted positive"}


def auc_ovr(truth: NDArray[np.integer], probability: NDArray[np.floating]) -> tuple[float, Floats, str]:
    """Macro one-vs-rest AUC over the classes that occur (Fawcett 2006), and what it is made of.

    Args:
        truth: class numbers, [N], 0 to K - 1.
        probability: [N, K].

    Returns:
        the AUC, NaN with one class; the influence of each row on it, [N]; in words what was left out.
    """
    counts = np.bincount(truth, minlength=probability.shape[1])
    occurring = np.flatnonzero((counts > 0) & (counts < len(truth)))
    if not len(occurring):
        return float("nan"), np.zeros(len(truth)), "all rows are of one class"
    parts = [metrics.auc_influence(truth == k, probability[:, k]) for k in occurring]
    absent = probability.shape[1] - len(occurring)
    reason = f"mean over {len(occurring)} classes; {absent} do not occur" if absent else ""
    auc = float(np.mean([a for a, _ in parts]))
    return auc, np.mean([i for _, i in parts], axis=0), reason


def random_groups(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """A random group for each row, [N]: each row its own up to ``GROUPS`` rows, groups of equal size beyond."""
    return rng.permutation(n) % min(n, GROUPS)


def group_sums(
    group: NDArray[np.int64], columns: Mapping[str, NDArray[np.floating] | NDArray[np.bool_]]
) -> tuple[Floats, dict[str, Floats]]:
    """Rows by group [G], and the sum of each column [N] by group [G]; ``group`` [N] numbers the groups from 0."""
    size = np.bincount(group).astype(np.float64)
    return size, {
        name: np.bincount(group, weights=c, minlength=len(size)).astype(np.float64) for name, c in columns.items()
    }


def _class_sums(
    group: NDArray[np.int64], truth: NDArray[np.integer], predicted: NDArray[np.integer], classes: int, groups: int
) -> tuple[Floats, Floats, Floats]:
    """By group and class, [G, K] each: rows that are right, rows predicted as the class, rows of the class."""
    hit = truth == predicted

    def count(rows: NDArray[np.int64], label: NDArray[np.integer]) -> Floats:
        return np.bincount(rows * classes + label, minlength=groups * classes).reshape(groups, classes).astype(float)

    return count(group[hit], truth[hit]), count(group, predicted), count(group, truth)


def _n_of(name: str, n: int) -> int | None:
    return None if name == "log_loss" else n


def _median_interval(error: Floats) -> Interval:
    """Median with the order statistics between which the true one lies (normal approximation of the ranks)."""
    n = len(error)
    half = 1.959964 * np.sqrt(n) / 2
    low, high = max(0, int(np.floor(n / 2 - half))), min(n - 1, int(np.ceil(n / 2 + half)))
    ordered = np.partition(error, [low, high])
    return Interval(float(np.median(error)), float(ordered[low]), float(ordered[high]))
