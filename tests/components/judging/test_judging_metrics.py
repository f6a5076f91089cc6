"""Every metric equals scikit-learn's, on ordinary and on awkward data."""

import warnings

import numpy as np
import pytest
from sklearn import metrics as reference

from kilnworks.components.judging import metrics


def binary_case(seed: int, n: int, *, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.3).astype(np.int64)
    score = (1 / (1 + np.exp(-(rng.normal(size=n) + 1.5 * truth - 1)))).astype(np.float32)
    return truth, np.round(score, 1) if ties else score


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [7, 50, 3001])
def test_binary_metrics_equal_scikit_learn(n: int, ties: bool) -> None:
    truth, score = binary_case(n, n, ties=ties)
    predicted = (score > 0.5).astype(int)
    ours = {name: float(v) for name, v in metrics.binary(metrics.cells(truth, score)).items()}
    theirs = {
        "auc": reference.roc_auc_score(truth, score),
        "average_precision": reference.average_precision_score(truth, score),
        "accuracy": reference.accuracy_score(truth, predicted),
        "balanced_accuracy": reference.balanced_accuracy_score(truth, predicted),
        "precision": reference.precision_score(truth, predicted),
        "recall": reference.recall_score(truth, predicted),
        "f1": reference.f1_score(truth, predicted),
        "log_loss": reference.log_loss(truth, score),
        "brier": reference.brier_score_loss(truth, score),
    }
    assert ours == pytest.approx(theirs, rel=2e-6)


def test_log_loss_of_certain_and_wrong_is_finite_and_equals_scikit_learn() -> None:
    truth, score = np.array([0, 1, 1, 0]), np.array([1.0, 0.0, 1.0, 0.0], np.float32)
    ours = float(metrics.binary(metrics.cells(truth, score))["log_loss"])
    assert ours == pytest.approx(reference.log_loss(truth, score), rel=1e-5)
    assert 7 < ours < 9


def test_weights_with_a_leading_axis_give_the_metrics_of_repeated_rows() -> None:
    truth, score = binary_case(1, 40, ties=True)
    exact = metrics.cells(truth, score)
    rng = np.random.default_rng(5)
    weights = rng.integers(0, 4, (3, 40))
    drawn = [metrics.cells(np.repeat(truth, w), np.repeat(score, w)) for w in weights]
    every = metrics.Cells(
        exact.score,
        np.stack([[w[(score == s) & (truth == 1)].sum() for s in exact.score.astype(np.float32)] for w in weights])
        * 1.0,
        np.stack([[w[(score == s) & (truth == 0)].sum() for s in exact.score.astype(np.float32)] for w in weights])
        * 1.0,
        exact.positive_loss,
        exact.negative_loss,
    )
    together = metrics.binary(every)
    for i, one in enumerate(drawn):
        alone = metrics.binary(one)
        for name in alone:
            assert together[name][i] == pytest.approx(float(alone[name]), rel=1e-12), name


@pytest.mark.parametrize(("n", "classes"), [(60, 3), (2000, 10)])
def test_multiclass_metrics_equal_scikit_learn(n: int, classes: int) -> None:
    rng = np.random.default_rng(n)
    logits = rng.normal(size=(n, classes))
    truth = rng.integers(0, classes, n)
    logits[np.arange(n), truth] += 1.5
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    predicted = probability.argmax(axis=1)
    counts = metrics.confusion(truth, predicted, classes)
    assert (counts == reference.confusion_matrix(truth, predicted, labels=range(classes))).all()
    f1 = metrics.macro_f1(np.diag(counts) * 1.0, counts.sum(0) * 1.0, counts.sum(1) * 1.0)
    assert float(f1) == pytest.approx(reference.f1_score(truth, predicted, average="macro"))
    for k in (1, 2):
        top = (metrics.rank_of_truth(truth, probability) < k).mean()
        theirs = reference.top_k_accuracy_score(truth, probability, k=k, labels=range(classes))
        assert top == pytest.approx(theirs)
    own = [metrics.auc_influence(truth == k, probability[:, k])[0] for k in range(classes)]
    assert np.mean(own) == pytest.approx(reference.roc_auc_score(truth, probability, multi_class="ovr"))


def test_macro_f1_leaves_out_a_class_that_never_occurs_as_scikit_learn_does() -> None:
    truth, predicted = np.array([0, 0, 1, 1, 0]), np.array([0, 1, 1, 1, 0])
    counts = metrics.confusion(truth, predicted, 4)
    ours = metrics.macro_f1(np.diag(counts) * 1.0, counts.sum(0) * 1.0, counts.sum(1) * 1.0)
    assert float(ours) == pytest.approx(reference.f1_score(truth, predicted, average="macro"))


def test_equal_probabilities_are_no_way_to_a_perfect_top_k() -> None:
    truth = np.arange(5)
    assert metrics.rank_of_truth(truth, np.full((5, 5), 0.2)).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("n", [5, 1000])
def test_regression_metrics_equal_scikit_learn(n: int) -> None:
    rng = np.random.default_rng(n)
    truth = rng.normal(10, 3, n)
    predicted = (truth + rng.normal(size=n)).astype(np.float32)
    theirs = {
        "mae": reference.mean_absolute_error(truth, predicted),
        "rmse": reference.root_mean_squared_error(truth, predicted),
        "r2": reference.r2_score(truth, predicted),
        "median_ae": reference.median_absolute_error(truth, predicted),
        "mape": reference.mean_absolute_percentage_error(truth, predicted),
    }
    assert metrics.regression(truth, predicted) == pytest.approx(theirs)


def test_metrics_that_the_data_does_not_define_are_nan_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ones = metrics.binary(metrics.cells(np.ones(4, int), np.full(4, 0.2, np.float32)))
        flat = metrics.regression(np.zeros(3), np.ones(3))
    assert np.isnan([ones["auc"], ones["balanced_accuracy"], ones["precision"]]).all()
    assert ones["recall"] == 0
    assert np.isnan([flat["r2"], flat["mape"]]).all()
    assert flat["mae"] == 1


def test_placements_are_the_pairwise_definition_with_ties_counted_half() -> None:
    rng = np.random.default_rng(0)
    high, low = rng.integers(0, 6, 30) / 5, rng.integers(0, 5, 40) / 5
    pairs = (high[:, None] > low[None, :]) + 0.5 * (high[:, None] == low[None, :])
    of_high, of_low = metrics.auc_placements(high, low)
    np.testing.assert_allclose(of_high, pairs.mean(axis=1))
    np.testing.assert_allclose(of_low, pairs.mean(axis=0))
