"""The intervals agree with formulas, with a plain bootstrap, and cover the truth as often as they claim."""

import math

import numpy as np
import pytest

from kilnworks.components.judging import metrics
from kilnworks.components.judging.intervals import CELLS, binary_intervals, multiclass_intervals, regression_intervals
from kilnworks.components.judging.metrics import auc_placements


def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    truth = (rng.random(n) < 0.3).astype(np.int64)
    return truth, (1 / (1 + np.exp(-(rng.normal(size=n) + 1.2 * truth - 1)))).astype(np.float32)


def half(interval) -> float:
    return (interval.high - interval.low) / 2


def delong(truth: np.ndarray, score: np.ndarray) -> float:
    """Half width of the 95 % interval of the AUC after DeLong, Appendix of Sun & Xu 2014."""
    of_high, of_low = auc_placements(score[truth == 1], score[truth == 0])
    return 1.96 * math.sqrt(of_high.var(ddof=1) / len(of_high) + of_low.var(ddof=1) / len(of_low))


@pytest.mark.parametrize("n", [400, 20_000])
def test_widths_agree_with_the_normal_approximation_and_delong(n: int) -> None:
    rng = np.random.default_rng(n)
    truth, score = draw(rng, n)
    found = binary_intervals(truth, score, 2000, rng)
    accuracy = found["accuracy"].value
    assert half(found["accuracy"]) == pytest.approx(1.96 * math.sqrt(accuracy * (1 - accuracy) / n), rel=0.08)
    assert half(found["auc"]) == pytest.approx(delong(truth, score), rel=0.08)
    loss = metrics.log_losses(np.where(truth == 1, score, 1 - score))
    assert half(found["log_loss"]) == pytest.approx(1.96 * loss.std() / math.sqrt(n), rel=0.08)


@pytest.mark.slow
def test_gathered_cells_give_the_interval_of_a_plain_bootstrap() -> None:
    rng = np.random.default_rng(3)
    truth, score = draw(rng, 3000)
    assert len(np.unique(score)) > 2 * CELLS
    found = binary_intervals(truth, score, 1000, rng)
    plain: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(1000):
        rows = rng.integers(0, 3000, 3000)
        for name, value in metrics.binary(metrics.cells(truth[rows], score[rows])).items():
            plain[name].append(float(value))
    for name, draws in plain.items():
        low, high = np.quantile(draws, [0.025, 0.975])
        assert found[name].low == pytest.approx(low, abs=0.15 * (high - low)), name
        assert found[name].high == pytest.approx(high, abs=0.15 * (high - low)), name


def test_the_point_is_exact_however_the_rows_are_gathered() -> None:
    rng = np.random.default_rng(4)
    truth, score = draw(rng, 5000)
    exact = metrics.binary(metrics.cells(truth, score))
    for name, interval in binary_intervals(truth, score, 100, rng).items():
        assert interval.value == float(exact[name])
        assert interval.low < interval.value < interval.high


@pytest.mark.slow
def test_intervals_cover_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(0)
    truth, score = draw(rng, 2_000_000)
    real = {name: float(v) for name, v in metrics.binary(metrics.cells(truth, score)).items()}
    hits = dict.fromkeys(real, 0)
    for _ in range(300):
        for name, interval in binary_intervals(*draw(rng, 300), 200, rng).items():
            hits[name] += interval.low <= real[name] <= interval.high
    covered = {name: count / 300 for name, count in hits.items()}
    assert all(0.90 <= share <= 0.985 for share in covered.values()), covered


@pytest.mark.slow
def test_multiclass_widths_agree_with_a_plain_bootstrap() -> None:
    rng = np.random.default_rng(1)
    n, k = 1500, 4
    truth = rng.integers(0, k, n)
    logits = rng.normal(size=(n, k))
    logits[np.arange(n), truth] += 1
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = multiclass_intervals(truth, probability, 2, 1500, rng)
    assert set(found) == {"accuracy", "macro_f1", "auc_ovr", "log_loss", "top_2_accuracy"}
    again: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(400):
        rows = rng.integers(0, n, n)
        for name, interval in multiclass_intervals(truth[rows], probability[rows], 2, 1, rng).items():
            again[name].append(interval.value)
    for name, draws in again.items():
        assert half(found[name]) == pytest.approx(np.diff(np.quantile(draws, [0.025, 0.975]))[0] / 2, rel=0.2), name


def test_regression_widths_agree_with_formulas_and_a_plain_bootstrap() -> None:
    rng = np.random.default_rng(2)
    n = 4000
    truth = rng.normal(10, 2, n)
    predicted = truth + rng.normal(size=n)
    found = regression_intervals(truth, predicted, 1500, rng)
    error = np.abs(predicted - truth)
    assert half(found["mae"]) == pytest.approx(1.96 * error.std() / math.sqrt(n), rel=0.1)
    again: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(400):
        rows = rng.integers(0, n, n)
        for name, value in metrics.regression(truth[rows], predicted[rows]).items():
            again[name].append(value)
    for name, draws in again.items():
        assert half(found[name]) == pytest.approx(np.diff(np.quantile(draws, [0.025, 0.975]))[0] / 2, rel=0.2), name


def test_a_perfect_score_on_few_rows_is_not_claimed_to_be_certain() -> None:
    truth, score = np.array([0] * 20 + [1] * 10), np.array([0.1] * 20 + [0.9] * 10, np.float32)
    found = binary_intervals(truth, score, 200, np.random.default_rng(0))
    assert found["auc"].value == 1
    assert found["auc"].low == pytest.approx(1 - 3 / 10)
    assert found["accuracy"].low == pytest.approx(1 - 3 / 30)
    assert found["accuracy"].high == 1


def test_a_model_that_never_says_yes_has_honest_bounds() -> None:
    truth, score = np.array([0] * 90 + [1] * 10), np.full(100, 0.2, np.float32)
    found = binary_intervals(truth, score, 200, np.random.default_rng(0))
    assert (found["recall"].value, found["recall"].low) == (0, 0)
    assert found["recall"].high == pytest.approx(3 / 10)
    balanced = found["balanced_accuracy"]
    assert (balanced.value, balanced.low, balanced.high) == pytest.approx((0.5, 0.35, 0.65))
    assert found["precision"].reason == "no row was predicted positive"


def test_a_missing_class_gives_a_reason_instead_of_a_number() -> None:
    found = binary_intervals(np.zeros(5, int), np.full(5, 0.2, np.float32), 100, np.random.default_rng(0))
    assert found["auc"].record() == {
        "value": None,
        "low": None,
        "high": None,
        "reason": "no row is of the positive class",
    }
    assert found["accuracy"].value == 1
    truth = np.array([0, 0, 1, 1])
    probability = np.array([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.3, 0.6, 0.1], [0.5, 0.4, 0.1]])
    some = multiclass_intervals(truth, probability, 2, 100, np.random.default_rng(0))
    assert some["auc_ovr"].value == pytest.approx(1 - 0.5 / 4)
    assert "1 do not occur" in some["auc_ovr"].reason
    none = multiclass_intervals(np.zeros(4, int), probability, 2, 100, np.random.default_rng(0))
    assert none["auc_ovr"].reason == "all rows are of one class"


def test_regression_says_why_a_share_of_zero_is_undefined() -> None:
    found = regression_intervals(np.array([0.0, 1.0, 2.0]), np.array([0.1, 1.0, 2.0]), 100, np.random.default_rng(0))
    assert found["mape"].reason == "1 of 3 labels are 0"
    flat = regression_intervals(np.full(3, 2.0), np.array([2.0, 2.1, 1.9]), 100, np.random.default_rng(0))
    assert flat["r2"].reason == "every label is the same"


def test_one_seed_gives_one_answer() -> None:
    truth, score = draw(np.random.default_rng(0), 1000)
    first = binary_intervals(truth, score, 200, np.random.default_rng(7))
    assert first == binary_intervals(truth, score, 200, np.random.default_rng(7))
    assert first != binary_intervals(truth, score, 200, np.random.default_rng(8))
