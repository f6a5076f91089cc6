"""Metrics of rows with many classes against scikit-learn, and their intervals against a plain bootstrap."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    hamming_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

from kilnworks.components.judging.multilabel import average_precision_influence, multilabel_intervals, usual_classes


def data(rows: int, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = (random.random((rows, classes)) < np.linspace(0.2, 0.6, classes)).astype(np.uint8)
    score = np.clip(0.3 + 0.3 * truth + 0.25 * random.normal(size=truth.shape), 0.01, 0.99)
    return truth, np.round(score, 2).astype(np.float32)


def by_scikit_learn(truth: np.ndarray, score: np.ndarray, threshold: float) -> dict[str, float]:
    said = score > threshold
    return {
        "micro_f1": f1_score(truth, said, average="micro"),
        "macro_f1": f1_score(truth, said, average="macro"),
        "micro_precision": precision_score(truth, said, average="micro"),
        "micro_recall": recall_score(truth, said, average="micro"),
        "macro_average_precision": average_precision_score(truth, score, average="macro"),
        "macro_auc": roc_auc_score(truth, score, average="macro"),
        "subset_accuracy": accuracy_score(truth, said),
        "hamming_loss": hamming_loss(truth, said),
        "log_loss": float(-np.log(np.where(truth == 1, score.astype(float), 1 - score.astype(float))).mean()),
    }


def by_formula(truth: np.ndarray, score: np.ndarray, threshold: float) -> dict[str, float]:
    """The same by the formulas, a hundred times as fast; what is drawn below holds it against scikit-learn."""
    has, said = truth == 1, score > threshold
    hits, rows = (has & said).sum(axis=0), len(truth)
    with_it, ranks = has.sum(axis=0), rankdata(score, axis=0)
    auc = ((ranks * has).sum(axis=0) - with_it * (with_it + 1) / 2) / (with_it * (rows - with_it))
    return {
        "micro_f1": 2 * hits.sum() / (said.sum() + has.sum()),
        "macro_f1": (2 * hits / (said.sum(axis=0) + with_it)).mean(),
        "micro_precision": hits.sum() / said.sum(),
        "micro_recall": hits.sum() / has.sum(),
        "macro_average_precision": np.mean([_average_precision(*one) for one in zip(has.T, score.T, strict=True)]),
        "macro_auc": auc.mean(),
        "subset_accuracy": (said == has).all(axis=1).mean(),
        "hamming_loss": (said != has).mean(),
        "log_loss": float(-np.log(np.where(has, score.astype(float), 1 - score.astype(float))).mean()),
    }


def _average_precision(has: np.ndarray, score: np.ndarray) -> float:
    """Precision at each distinct score, times what recall gains there."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    hits = np.cumsum(has[order])[last]
    return float((hits / (last + 1) * np.diff(hits, prepend=0)).sum() / has.sum())


@pytest.mark.parametrize("threshold", [0.5, 0.3])
def test_every_metric_is_that_of_scikit_learn(threshold: float) -> None:
    truth, score = data(400)
    found = multilabel_intervals(truth, score, threshold, 100, np.random.default_rng(0))
    expected = by_scikit_learn(truth, score, threshold)
    assert {name: interval.value for name, interval in found.items()} == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_intervals_are_those_of_a_plain_bootstrap() -> None:
    truth, score = data(600, seed=3)
    found = multilabel_intervals(truth, score, 0.5, 1000, np.random.default_rng(0))
    random, drawn = np.random.default_rng(1), []
    for i in range(400):
        rows = random.integers(0, len(truth), len(truth))
        drawn.append(by_formula(truth[rows], score[rows], 0.5))
        if i % 40 == 0:
            assert drawn[-1] == pytest.approx(by_scikit_learn(truth[rows], score[rows], 0.5), rel=1e-9)
    for name, interval in found.items():
        low, high = np.quantile([one[name] for one in drawn], [0.025, 0.975])
        width = high - low
        assert interval.low == pytest.approx(low, abs=0.25 * width), name
        assert interval.high == pytest.approx(high, abs=0.25 * width), name


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=3, max_size=25))
def test_the_influence_on_average_precision_is_its_derivative(rows: list[tuple[bool, int]]) -> None:
    truth, score = np.array([r[0] for r in rows]), np.array([r[1] for r in rows], float)
    if not truth.any():
        return
    value, influence = average_precision_influence(truth, score)
    assert value == pytest.approx(average_precision_score(truth, score))
    for row in range(len(rows)):
        weight = np.ones(len(rows))
        weight[row] += 1e-6
        moved = average_precision_score(truth, score, sample_weight=weight)
        assert influence[row] / len(rows) == pytest.approx((moved - value) / 1e-6, abs=1e-4)


def test_what_cannot_be_judged_says_so() -> None:
    truth, score = np.zeros((5, 3), np.uint8), np.full((5, 3), 0.1, np.float32)
    found = multilabel_intervals(truth, score, 0.5, 100, np.random.default_rng(0))
    assert found["micro_f1"].value is None and found["micro_f1"].reason
    assert found["macro_auc"].value is None and found["macro_average_precision"].value is None
    assert found["subset_accuracy"].value == 1.0
    truth[0, 0] = 1
    found = multilabel_intervals(truth, score, 0.5, 100, np.random.default_rng(0))
    assert found["macro_auc"].reason == "mean over 1 classes; 2 cannot be judged"


def test_the_baseline_says_what_is_usual() -> None:
    truth, _ = data(500)
    share = truth.mean(axis=0)
    expected = by_scikit_learn(truth, np.tile(share, (500, 1)), 0.5)
    found = usual_classes(truth, 0.5)["metrics"]
    for name in ("micro_f1", "subset_accuracy", "hamming_loss", "log_loss", "macro_average_precision", "macro_auc"):
        assert found[name] == pytest.approx(expected[name], rel=1e-6), name
