"""Thresholds against every threshold tried by hand, and calibration against scikit-learn."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import f1_score, fbeta_score, precision_recall_curve, precision_score

from kilnworks.components.judging.operating.by_class import chosen_by_class
from kilnworks.components.judging.operating.calibrators import Isotonic, Temperature, fitted
from kilnworks.components.judging.operating.points import (
    Cost,
    Counts,
    FBeta,
    OperatingPoint,
    PrecisionAtRecall,
    RecallAtPrecision,
    chosen,
)
from kilnworks.schemas.errors import DataInvalid


def rows(n: int = 700, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores in steps, so that many are equal, which come true by their square."""
    random = np.random.default_rng(seed)
    score = np.round(random.beta(0.6, 0.9, n), 2).clip(0.01, 0.99).astype(np.float32)
    return (random.random(n) < score**2).astype(np.int32), score


@pytest.mark.parametrize("costs", [(1.0, 1.0), (1.0, 5.0), (7.0, 2.0)])
def test_the_cheapest_threshold_is_that_of_brute_force(costs: tuple[float, float]) -> None:
    truth, score = rows()
    threshold, told = chosen(Cost(false_positive=costs[0], false_negative=costs[1]), truth, score)

    def cost(at: float) -> float:
        said = score > np.float32(at)
        return (costs[0] * (said & (truth == 0)).sum() + costs[1] * (~said & (truth == 1)).sum()) / len(truth)

    every = [cost(at) for at in np.linspace(0, 1, 2001)]
    assert cost(threshold) == pytest.approx(min(every))
    shown = dict(zip(told["curve"]["threshold"], told["curve"]["value"], strict=True))
    assert min(shown.values()) == pytest.approx(min(every), rel=1e-4)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_the_largest_f_beta_is_that_of_scikit_learn(beta: float) -> None:
    truth, score = rows(seed=1)
    threshold, told = chosen(FBeta(beta=beta), truth, score)
    every = [fbeta_score(truth, score > at, beta=beta) for at in np.linspace(0.005, 0.985, 99)]
    assert fbeta_score(truth, score > np.float32(threshold), beta=beta) == pytest.approx(max(every))
    assert told["reached"]["f1"] == pytest.approx(f1_score(truth, score > threshold))
    assert told["at_half"]["f1"] == pytest.approx(f1_score(truth, score > 0.5))
    assert told["at_half"]["precision"] == pytest.approx(precision_score(truth, score > 0.5))


def test_precision_and_recall_under_a_bound_are_those_of_the_curve() -> None:
    truth, score = rows(seed=2)
    precision, recall, _ = precision_recall_curve(truth, score)
    told = chosen(PrecisionAtRecall(recall=0.7), truth, score)[1]
    assert told["reached"]["precision"] == pytest.approx(precision[:-1][recall[:-1] >= 0.7].max())
    assert told["reached"]["recall"] >= 0.7
    told = chosen(RecallAtPrecision(precision=0.6), truth, score)[1]
    assert told["reached"]["recall"] == pytest.approx(recall[:-1][precision[:-1] >= 0.6].max())


def test_counts_are_those_of_each_threshold_in_float32() -> None:
    truth = np.array([0, 1, 0, 1, 1])
    near = np.nextafter(np.float32(0.3), np.float32(1))
    score = np.array([0.3, near, 0.7, 0.7, 0.9], np.float32)
    counts = Counts.of(truth, score)
    for at, tp, fp in zip(counts.threshold, counts.tp, counts.fp, strict=True):
        said = score > np.float32(at)
        assert (tp, fp) == ((said & (truth == 1)).sum(), (said & (truth == 0)).sum())


def test_what_no_threshold_reaches_is_said() -> None:
    truth, score = np.array([1, 0, 1, 0]), np.array([0.5, 0.5, 0.2, 0.2], np.float32)
    with pytest.raises(DataInvalid, match=r"no threshold reaches a precision of 0.9 .* the highest is 0.5"):
        chosen(RecallAtPrecision(precision=0.9), truth, score)
    with pytest.raises(DataInvalid, match="all 4 validation rows are of one class"):
        chosen(FBeta(), np.ones(4, int), score)


def test_a_score_of_nought_or_one_leaves_a_threshold_that_can_be_set() -> None:
    truth, score = np.array([1, 1, 0, 1]), np.array([0.0, 1.0, 0.0, 1.0], np.float32)
    points: list[OperatingPoint] = [Cost(false_negative=100), Cost(false_positive=100), PrecisionAtRecall(recall=0.5)]
    assert all(0 < chosen(point, truth, score)[0] < 1 for point in points)


def test_isotonic_is_that_of_scikit_learn_on_rounded_scores() -> None:
    truth, score = rows(3000, 3)
    score = (score + np.random.default_rng(4).uniform(-0.009, 0.009, len(score))).astype(np.float32)
    found = fitted("isotonic", truth, score[:, None], ("no", "yes"))
    away = 1 / 6000
    other = IsotonicRegression(y_min=away, y_max=1 - away, out_of_bounds="clip")
    other.fit(np.round(score.astype(float), 3), truth)
    asked = np.linspace(0, 1, 501, dtype=np.float32)
    ours = np.asarray(found.applied(asked[:, None]))[:, 0]
    np.testing.assert_allclose(ours, other.predict(asked), atol=2e-5)
    exact = IsotonicRegression(out_of_bounds="clip").fit(score, truth)
    assert np.abs(ours - exact.predict(asked)).mean() < 0.004
    slope = np.abs(np.diff(ours) / np.diff(asked)).max()
    assert 1 <= slope <= found.steepness(ours).max()


def test_isotonic_of_many_classes_is_one_map_each_scaled_to_one() -> None:
    random = np.random.default_rng(5)
    values = random.dirichlet(np.ones(3), 2000).astype(np.float32)
    truth = np.array([random.choice(3, p=row / row.sum()) for row in values.astype(float) ** 2])
    found = fitted("isotonic", truth, values, ("a", "b", "c"))
    maps = [
        IsotonicRegression(y_min=1 / 4000, y_max=1 - 1 / 4000, out_of_bounds="clip")
        .fit(np.round(values[:, k].astype(float), 3), truth == k)
        .predict(values[:, k])
        for k in range(3)
    ]
    wanted = np.stack(maps, 1) / np.sum(maps, 0)[:, None]
    np.testing.assert_allclose(np.asarray(found.applied(values)), wanted, atol=1e-4)


def test_the_temperature_is_the_best_of_a_fine_grid() -> None:
    random = np.random.default_rng(6)
    logits = random.normal(0, 2, (1500, 4))
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    truth = np.array([random.choice(4, p=row) for row in softmax])
    sure = np.exp(2.5 * logits) / np.exp(2.5 * logits).sum(1, keepdims=True)
    found = fitted("temperature", truth, sure.astype(np.float32), list("abcd"))
    assert isinstance(found, Temperature)

    def loss(temperature: float) -> float:
        scaled = 2.5 * logits / temperature
        return -(scaled[range(1500), truth] - np.log(np.exp(scaled).sum(1))).mean()

    grid = np.linspace(1.5, 4, 2501)
    assert found.temperature == pytest.approx(grid[np.argmin([loss(t) for t in grid])], abs=2e-3)
    assert found.temperature == pytest.approx(2.5, rel=0.1)
    scaled = np.exp(2.5 * logits / found.temperature)
    ours = np.asarray(found.applied(sure.astype(np.float32)))
    np.testing.assert_allclose(ours, scaled / scaled.sum(1, keepdims=True), atol=1e-5)


def test_the_temperature_of_two_classes_divides_the_logit() -> None:
    logit = np.linspace(-6, 6, 41)
    sure = (1 / (1 + np.exp(-2 * logit))).astype(np.float32)[:, None]
    ours = np.asarray(Temperature(temperature=2.0).applied(sure))[:, 0]
    np.testing.assert_allclose(ours, 1 / (1 + np.exp(-logit)), atol=2e-3)
    np.testing.assert_allclose(ours[:30], (1 / (1 + np.exp(-logit)))[:30], atol=1e-5)


def test_too_few_rows_and_missing_classes_are_refused() -> None:
    truth, score = rows(60)
    with pytest.raises(DataInvalid, match="60 validation rows"):
        fitted("isotonic", truth, score[:, None], ("no", "yes"))
    with pytest.raises(DataInvalid, match="no validation row is of class yes"):
        fitted("temperature", np.zeros(60, int), score[:, None], ("no", "yes"))


def test_a_map_without_a_rise_answers_one_value() -> None:
    flat = Isotonic(x=((0.2,),), y=((0.4,),))
    np.testing.assert_allclose(np.asarray(flat.applied(np.array([[0.1], [0.9]], np.float32))), 0.4)


def many(n: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Three classes a row, one of them never there."""
    parts = [rows(n, seed) for seed in (1, 2)]
    truth = np.stack([*(part[0] for part in parts), np.zeros(n, np.int32)], axis=1)
    return truth.astype(np.uint8), np.stack([*(part[1] for part in parts), parts[0][1]], axis=1)


@pytest.mark.parametrize(
    "point", [Cost(false_negative=4), FBeta(beta=2), PrecisionAtRecall(recall=0.8)], ids=lambda point: point.kind
)
def test_each_of_many_classes_has_the_threshold_of_a_search_by_hand(point: OperatingPoint, caplog) -> None:
    truth, score = many()

    def worth(k: int, at: float) -> float:
        said, there = score[:, k] > np.float32(at), truth[:, k] == 1
        tp, fp, fn = (said & there).sum(), (said & ~there).sum(), (~said & there).sum()
        if point.kind == "cost":
            return -float(fp + 4 * fn)
        if point.kind == "f_beta":
            return 5 * tp / (5 * tp + 4 * fn + fp)
        return tp / (tp + fp) if tp / (tp + fn) >= 0.8 else 0.0

    found, told = chosen_by_class(point, truth, score, ["a", "b", "c"], 0.4)
    for k in range(2):
        assert worth(k, found[k]) == pytest.approx(max(worth(k, at) for at in np.linspace(0.001, 0.999, 999)))
    assert found[2] == 0.4 and "all have, c: 0.4 stays" in caplog.text
    assert [one["kept"] for one in told["classes"]] == [False, False, True] and told["rows"] == 500


def test_a_class_whose_precision_no_threshold_reaches_is_named() -> None:
    truth, score = many()
    score[:, 1] = 0.5
    with pytest.raises(DataInvalid, match=r"class 'b': no threshold reaches a precision of 0\.9"):
        chosen_by_class(RecallAtPrecision(precision=0.9), truth, score, ["a", "b", "c"], 0.5)
