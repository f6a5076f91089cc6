"""Losses, metrics and class weights against scikit-learn and formulas."""

import numpy as np
import pytest

from kilnworks.components.judging.metrics import auc
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.binary import Binary
from kilnworks.components.tasks.choose import choose
from kilnworks.components.tasks.labels import LabelStatistics
from kilnworks.components.tasks.multiclass import Multiclass
from kilnworks.components.tasks.regression import Regression
from kilnworks.components.tasks.settings import TaskSettings
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, DataInvalid, UnknownName
from tests.components.learning.training_examples import DIGITS, PRICES, TABLE

pytestmark = pytest.mark.slow

RANDOM = np.random.default_rng(3)


def made(contract: Contract, label: np.ndarray, **settings) -> Task:
    return choose(contract).fitted(contract, LabelStatistics.of(contract, [label]), TaskSettings(**settings))


def weights(setting, contract: Contract, label: np.ndarray) -> np.ndarray | None:
    seen = LabelStatistics.of(contract, [label])
    return choose(contract).of(contract).row_weights(TaskSettings(class_weight=setting), seen)


def test_binary_numbers_match_scikit_learn() -> None:
    from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

    label = RANDOM.integers(0, 2, 500).astype(np.int32)
    score = np.round(RANDOM.uniform(0.01, 0.99, 500), 2).astype(np.float32)
    task = made(TABLE, label)
    found = task.measure(task.target(label), score[:, None])
    assert found["loss"] == pytest.approx(log_loss(label, score), rel=1e-5)
    assert found["auc"] == pytest.approx(roc_auc_score(label, score), rel=1e-9)
    assert found["accuracy"] == pytest.approx(accuracy_score(label, score > 0.5))


def test_multiclass_numbers_match_scikit_learn() -> None:
    from sklearn.metrics import accuracy_score, log_loss

    label = np.arange(200, dtype=np.int32) % 10
    sums_to_one = RANDOM.dirichlet(np.ones(10), 200)
    output = sums_to_one.astype(np.float32)
    task = made(DIGITS, label)
    found = task.measure(task.target(label), output)
    assert found["loss"] == pytest.approx(log_loss(label, sums_to_one, labels=range(10)), rel=1e-4)
    assert found["accuracy"] == pytest.approx(accuracy_score(label, output.argmax(1)))


def test_label_smoothing_formula() -> None:
    label = np.arange(20, dtype=np.int32) % 10
    output = RANDOM.dirichlet(np.ones(10) * 5, 20).astype(np.float32)
    task = made(DIGITS, label, label_smoothing=0.2)
    target = np.full((20, 10), 0.02)
    target[np.arange(20), label] = 0.82
    assert task.measure(task.target(label), output)["loss"] == pytest.approx(
        -(target * np.log(output)).sum(1).mean(), rel=1e-5
    )


def test_binary_label_smoothing_formula() -> None:
    label = np.array([0, 1, 1], np.int32)
    score = np.array([[0.2], [0.7], [0.9]], np.float32)
    task = made(TABLE, label, label_smoothing=0.1)
    target = np.array([0.05, 0.95, 0.95])
    expected = -(target * np.log(score[:, 0]) + (1 - target) * np.log(1 - score[:, 0])).mean()
    assert task.measure(task.target(label), score)["loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["squared", "absolute", "huber"])
def test_regression_loss_is_in_standard_deviations(kind: str) -> None:
    label = np.array([100.0, 200.0, 600.0], np.float32)
    output = np.array([[150.0], [150.0], [100.0]], np.float32)
    task = made(PRICES, label, regression_loss=kind)
    error = np.abs(label - output[:, 0]) / label.std()
    expected = {
        "squared": error**2,
        "absolute": error,
        "huber": np.where(error <= 1, error**2 / 2, error - 0.5),
    }[kind].mean()
    found = task.measure(task.target(label), output)
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
    assert found["mae"] == pytest.approx(600 / 3)
    assert found["rmse"] == pytest.approx(np.sqrt((50**2 + 50**2 + 500**2) / 3))
    assert task.offset == pytest.approx(300)
    assert task.scale == pytest.approx(label.std())


def test_auc_of_one_class_is_not_defined() -> None:
    assert np.isnan(auc(np.ones(3), np.array([0.1, 0.2, 0.3])))
    assert auc(np.array([0, 1]), np.array([0.5, 0.5])) == 0.5


def test_balanced_weights_match_scikit_learn() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    label = np.array([0] * 70 + [1] * 30, np.int32)
    expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=label)
    np.testing.assert_allclose(weights("balanced", TABLE, label), expected, rtol=1e-6)
    assert weights("none", TABLE, label) is None
    np.testing.assert_allclose(weights({"yes": 3.0, "no": 1.0}, TABLE, label), [1.0, 3.0])


def test_wrong_class_weights_are_refused() -> None:
    with pytest.raises(ConfigError, match="one weight for each class: no, yes"):
        weights({"yes": 3.0}, TABLE, np.array([0, 1], np.int32))
    with pytest.raises(ConfigError, match="regression"):
        weights("balanced", PRICES, np.array([0.0, 1.0], np.float32))
    with pytest.raises(ConfigError, match="label_smoothing"):
        made(PRICES, np.array([0.0, 1.0], np.float32), label_smoothing=0.1)


def test_labels_that_teach_nothing_are_refused() -> None:
    with pytest.raises(DataInvalid, match="no training row has label left = no"):
        made(TABLE, np.ones(5, np.int32))
    with pytest.raises(DataInvalid, match="'price' is 3 in every training row"):
        made(PRICES, np.full(5, 3.0, np.float32))


@pytest.mark.parametrize("unit", [1e31, 1e-31])
def test_labels_whose_gradients_float32_rounds_to_nothing_are_refused(unit: float) -> None:
    values = np.array([1, 2, 3], np.float32)
    with pytest.raises(DataInvalid, match="standard deviation of"):
        made(PRICES, values * np.float32(unit))
    assert made(PRICES, values * np.float32(unit**0.9)).scale > 0


def test_what_can_be_monitored() -> None:
    assert Binary.direction("val_auc", True) == "max"
    assert Regression.direction("val_rmse", True) == "min"
    assert Multiclass.direction("loss", False) == "min"
    assert "val_auc" not in Multiclass.reported(True)
    with pytest.raises(ConfigError, match="no rows in split 'val'"):
        Binary.direction("val_loss", False)
    with pytest.raises(UnknownName, match="did you mean 'val_auc'"):
        Binary.direction("val_acu", True)


def test_a_contract_without_classes_is_a_regression() -> None:
    contract = Contract.model_validate({**PRICES.model_dump(), "name": "other"})
    assert made(contract, np.array([1.0, 2.0], np.float32), regression_loss="huber").output == "value"


def test_a_regression_of_logarithms_answers_in_the_unit_of_the_label() -> None:
    label = np.array([100.0, 200.0, 800.0], np.float32)
    task = made(PRICES, label, label_scale="log")
    assert task.offset == pytest.approx(np.log(label).mean(), rel=1e-6)
    assert task.scale == pytest.approx(np.log(label).std(), rel=1e-6)
    outputs = np.array([[-1.0], [0.5], [2.0]], np.float32)
    values = np.exp(outputs * np.log(label).std() + np.log(label).mean())
    np.testing.assert_allclose(np.asarray(task.finished(outputs)), values, rtol=1e-5)
    np.testing.assert_allclose(np.asarray(task.finishing("value")(outputs)), values, rtol=1e-5)
    found = task.measure(task.target(label), values)
    error = (np.log(label) - np.log(values[:, 0])) / np.log(label).std()
    assert found["loss"] == pytest.approx(np.square(error).mean(), rel=1e-4)
    assert found["rmse"] == pytest.approx(np.sqrt(np.square(values[:, 0] - label).mean()), rel=1e-4)
    with pytest.raises(ConfigError, match=r"label .price. of 0"):
        made(PRICES, np.array([0.0, 1.0, 2.0], np.float32), label_scale="log")


def test_the_linear_model_beside_a_regression_of_logarithms_is_one_of_logarithms() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(400, 2)).astype(np.float32)
    truth = np.exp(x @ np.array([1.0, -0.5]) + 3)
    task = made(PRICES, truth.astype(np.float32), label_scale="log")
    models = task.simple_models(x, truth)
    np.testing.assert_allclose(models["linear"](x)["score"], truth, rtol=0.1)
    np.testing.assert_allclose(models["constant"](x)["score"], truth.mean())
