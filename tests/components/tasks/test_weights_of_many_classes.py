"""Class weights where a row may have many classes: against formulas, scikit-learn, and a training."""

import csv

import numpy as np
import polars as pl
import pytest
from sklearn.utils.class_weight import compute_class_weight

from kilnworks.components.learning.predict import predict
from kilnworks.components.tasks.choose import choose
from kilnworks.components.tasks.labels import LabelStatistics
from kilnworks.components.tasks.multilabel import Multilabel
from kilnworks.components.tasks.settings import TaskSettings
from kilnworks.schemas.columns import NO_CLASS
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError
from tests.components.learning.training_examples import prepared, small, trained

pytestmark = pytest.mark.slow

GENRES = ("action", "comedy", "horror")
FILMS = Contract.model_validate(
    {
        "name": "films",
        "features": {"chases": {"dtype": "float"}, "jokes": {"dtype": "float"}},
        "label": {"name": "genres", "dtype": "string", "classes": GENRES, "many": True, "separator": "|"},
    }
)
SHARES = (0.6, 0.3, 0.05)
BY_CLASS = {"horror": 5.0, "action": 0.5, "comedy": 2.0}


def has(rows: int) -> np.ndarray:
    """Which classes each row has, uint8 [rows, 3]; each class at least once."""
    found = (np.random.default_rng(4).random((rows, 3)) < SHARES).astype(np.uint8)
    found[:3] = np.eye(3)
    return found


def fitted(label: np.ndarray, **settings) -> Multilabel:
    task = choose(FILMS).fitted(FILMS, LabelStatistics.of(FILMS, [label]), TaskSettings(**settings))
    assert isinstance(task, Multilabel)
    return task


def by_hand(label: np.ndarray, output: np.ndarray, weight: np.ndarray, smoothing: float = 0.0) -> float:
    """Mean over rows and classes of the weighted cross-entropy, pair by pair."""
    total = 0.0
    for row in range(len(label)):
        for k in range(label.shape[1]):
            target = label[row, k] * (1 - smoothing) + smoothing / 2
            p = float(output[row, k])
            total -= weight[row, k] * (target * np.log(p) + (1 - target) * np.log(1 - p))
    return total / label.size


def pair_weights(label: np.ndarray, setting) -> np.ndarray:
    """The weight of each pair [rows, K]: of a class, or as scikit-learn balances each class by itself."""
    if setting == "balanced":
        each = [compute_class_weight("balanced", classes=np.array([0, 1]), y=column) for column in label.T]
        return np.stack([weights[column] for weights, column in zip(each, label.T, strict=True)], axis=1)
    return np.where(label == 1, [setting[name] for name in GENRES], 1.0)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("setting", ["balanced", BY_CLASS])
def test_loss_is_that_of_a_loop_over_all_pairs(setting, smoothing) -> None:
    label = has(120)
    output = np.random.default_rng(5).uniform(0.02, 0.98, label.shape).astype(np.float32)
    task = fitted(label, class_weight=setting, label_smoothing=smoothing)
    found = float(task.loss()(task.target(label), output))
    assert found == pytest.approx(by_hand(label, output, pair_weights(label, setting), smoothing), rel=1e-5)
    equal = by_hand(label, output, np.ones(label.shape), smoothing)
    assert abs(found / equal - 1) > 0.02
    assert task.measure(task.target(label), output)["loss"] == pytest.approx(equal, rel=1e-5), "of the validation"


def test_without_weights_nothing_has_changed() -> None:
    import keras

    task = fitted(has(50))
    assert type(task.loss()) is keras.losses.BinaryCrossentropy and not task.loss_weighs
    assert task.row_weights(TaskSettings(), LabelStatistics.of(FILMS, [has(50)])) is None


def test_a_class_that_every_row_has_is_balanced_too() -> None:
    label = has(40)
    label[:, 0] = 1
    task = fitted(label, class_weight="balanced")
    assert task.present[0] == 0.5 and task.absent[0] == 1.0
    assert Multilabel.model_validate(task.model_dump(mode="json")) == task


def test_weights_of_other_classes_are_refused() -> None:
    with pytest.raises(ConfigError, match="one weight for each class: action, comedy, horror"):
        fitted(has(40), class_weight={"action": 2.0})


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """96 films to train on and as many to validate, the label as it is in examples."""
    label = has(96)
    texts = ["|".join(np.array(GENRES)[row == 1]) or NO_CLASS for row in label]
    random = np.random.default_rng(6)
    frame = pl.DataFrame({"chases": random.normal(size=96), "jokes": random.normal(size=96), "genres": texts})
    return prepared(tmp_path_factory.mktemp("films"), FILMS, {"train": frame, "val": frame}), label, frame


SINGLE = {"kind": "tabular", "members": 1, "dropout": 0.0, "units": [4]}
"""Its one member answers what the model answers."""
STILL = {"optimizer": {"kind": "sgd", "learning_rate": 1e-30}, "epochs": 1, "batch": 96, "early_stopping": None}
"""One step on all rows that moves nothing."""


@pytest.mark.parametrize(
    ("setting", "model"), [("balanced", {"kind": "mlp", "units": [4], "dropout": 0.0}), (BY_CLASS, SINGLE)]
)
def test_a_training_weighs_its_own_loss_and_not_that_of_the_validation(films, setting, model, tmp_path) -> None:
    """The loss of an epoch is that of the answers of the saved model."""
    data, label, frame = films
    made = trained(tmp_path, small(model=model, class_weight=setting, **STILL), *data)
    with (made.path / "history.csv").open() as file:
        (epoch,) = csv.DictReader(file)
    answers = predict(made, frame)["probabilities"]
    assert float(epoch["loss"]) == pytest.approx(by_hand(label, answers, pair_weights(label, setting)), rel=1e-4)
    assert float(epoch["val_loss"]) == pytest.approx(by_hand(label, answers, np.ones(label.shape)), rel=1e-4)


def test_a_loss_of_ones_own_would_leave_the_weights_out(films, tmp_path) -> None:
    data, _, _ = films
    with pytest.raises(ConfigError, match="class_weight for a multilabel, and a loss of one's own"):
        trained(tmp_path, small(class_weight="balanced", loss="keras.losses:BinaryFocalCrossentropy", **STILL), *data)
