"""The training step on small data with a known answer."""

import csv
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kilnworks.components.train import TrainConfig
from kilnworks.schemas.context import Progress
from kilnworks.schemas.errors import ConfigError, DataInvalid, TrainingDiverged
from kilnworks.schemas.files import write_json
from tests.components.learning.replica_runs import weights
from tests.components.learning.training_examples import (
    DIGITS,
    PRICES,
    TABLE,
    customers,
    digits,
    examples,
    fitted,
    prepared,
    prices,
    small,
    table,
    trained,
)

pytestmark = pytest.mark.slow


def best_auc(random_state: int = 2) -> float:
    """AUC of a logistic regression that is given the very terms that made the data."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    def matrix(frame: pl.DataFrame) -> np.ndarray:
        plans = frame["plan name"].to_dummies().to_numpy()
        return np.column_stack([frame["age"].fill_null(45).to_numpy() / 15, frame["visits"].to_numpy(), plans])

    rows, held = table(4000, 1), table(1000, random_state)
    fit = LogisticRegression(max_iter=500).fit(matrix(rows), rows["left"] == "yes")
    return float(roc_auc_score(held["left"] == "yes", fit.predict_proba(matrix(held))[:, 1]))


def test_a_table_is_learned_as_well_as_by_the_model_that_made_it(tmp_path: Path) -> None:
    given, transform = prepared(tmp_path, TABLE, {"train": table(4000, 1), "val": table(1000, 2)})
    seen: list = []
    made = trained(tmp_path, TrainConfig(), given, transform, progress=seen.append)
    said = made.training
    assert said["best"]["val_auc"] > best_auc() - 0.015
    assert (said["task"], said["strategy"], said["replicas"], said["batch"]) == ("binary", "single", 1, 128)
    assert said["rows"] == {"train": 4000, "val": 1000}
    assert made.contract == TABLE
    assert TrainConfig.model_validate(said["config"]) == TrainConfig()
    with (made.path / "history.csv").open() as f:
        history = list(csv.DictReader(f))
    assert [int(r["epoch"]) for r in history] == list(range(1, said["epochs_run"] + 1))
    losses = [float(r["val_loss"]) for r in history]
    assert said["best_epoch"] == 1 + int(np.argmin(losses))
    assert said["best"]["val_loss"] == min(losses)
    assert said["stopped_early"] and seen[-2].done == said["epochs_run"] < seen[-2].total == 30
    end = f"stopped after epoch {said['epochs_run']}: val_loss was best in epoch {said['best_epoch']}"
    worked = said["epochs_run"]
    assert seen[-1] == Progress(30, 30, f"{end}, whose weights are kept", worked=worked, left=0)
    assert [p.done for p in seen] == sorted(p.done for p in seen)


def test_the_saved_weights_are_those_of_the_best_epoch(tmp_path: Path) -> None:
    """Measured again on the validation split by an independent route."""
    import keras
    from sklearn.metrics import log_loss

    from kilnworks.components.features.transform import FeatureTransform

    given, transform = customers(tmp_path)
    config = small(epochs=12, optimizer={"kind": "sgd", "learning_rate": 3.0}, early_stopping=None)
    made = trained(tmp_path, config, given, transform)
    assert made.training["best_epoch"] < 12, "the learning rate is too low for this test"
    model = keras.saving.load_model(made.keras_path)
    assert getattr(model, "optimizer", None) is None
    frame = pl.read_parquet(given.files("val"))
    arrays = FeatureTransform.load(made.transform).encode(frame)
    found = np.asarray(model(arrays), np.float64)[:, 0]
    assert made.training["best"]["val_loss"] == pytest.approx(log_loss(frame["left"] == "yes", found), rel=1e-5)


def test_digits_with_a_cnn(tmp_path: Path) -> None:
    given, transform = prepared(tmp_path, DIGITS, digits())
    made = trained(tmp_path, TrainConfig.model_validate({"model": {"kind": "cnn"}}), given, transform)
    assert made.training["best"]["val_accuracy"] >= 0.97


def test_a_regression_in_hundred_thousands(tmp_path: Path) -> None:
    given, transform = prepared(tmp_path, PRICES, {"train": prices(2000, 1), "val": prices(500, 2)})
    config = TrainConfig.model_validate({"optimizer": {"kind": "adam", "learning_rate": 0.01}, "monitor": "val_rmse"})
    made = trained(tmp_path, config, given, transform)
    assert made.training["best"]["val_rmse"] < 7000, "the noise alone is 5000"


@pytest.mark.parametrize(
    "settings",
    [
        {
            "model": {"kind": "mlp", "units": [16], "dropout": 0.3, "normalization": "batch"},
            "optimizer": {"kind": "adam"},
        },
        {"model": {"kind": "mlp", "units": [16], "normalization": "layer"}, "optimizer": {"kind": "sgd", "ema": 0.9}},
    ],
)
def test_one_seed_makes_two_runs_bit_equal(tmp_path: Path, settings: dict) -> None:
    given, transform = customers(tmp_path)
    one, two = (trained(tmp_path, small(**settings), given, transform, name) for name in ("one", "two"))
    for a, b in zip(weights(one), weights(two), strict=True):
        np.testing.assert_array_equal(a, b)
    assert (one.path / "history.csv").read_bytes() == (two.path / "history.csv").read_bytes()
    other = trained(tmp_path, small(**settings, seed=1), given, transform, "three")
    assert any(not np.array_equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


@pytest.mark.parametrize("memory", [{}, {"memory_mb": 0.005, "buffer_mb": 0.01}], ids=["held", "streamed"])
def test_infinite_data_diverges_with_epoch_and_step(tmp_path: Path, memory: dict) -> None:
    given, transform = customers(tmp_path)
    plan = dict(transform.description)
    plan["features"]["age"]["mean"] = -3e38
    plan["features"]["age"]["variance"] = 1e-30
    write_json(transform.path / "transform.json", plan)
    with pytest.raises(TrainingDiverged, match=r"at step 1 of 8 in epoch 1(.|\n)*'numeric' holds NaN or infinite"):
        trained(tmp_path, small(**memory), given, transform)


def test_a_learning_rate_that_explodes_says_so(tmp_path: Path) -> None:
    given, transform = customers(tmp_path)
    config = small(optimizer={"kind": "sgd", "learning_rate": 1e30})
    with pytest.raises(
        TrainingDiverged, match=r"at step [2-4] of 8 in epoch 1(.|\n)*lower optimizer.learning_rate"
    ) as e:
        trained(tmp_path, config, given, transform)
    assert e.value.details["epoch"] == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"precision": "mixed_bfloat16"},
        {"precision": "mixed_float16", "optimizer": {"kind": "adam", "clip": {"limit": 1.0}}},
        {"jit_compile": True},
        {"steps_per_execution": 1, "schedule": {"warmup_epochs": 1}},
        {"optimizer": {"kind": "rmsprop", "accumulate": 2, "clip": {"by": "value", "limit": 1.0}}},
        {"class_weight": "balanced", "label_smoothing": 0.1, "optimizer": {"kind": "adamw", "ema": 0.5}},
        {"monitor": "val_auc", "reduce_on_plateau": {"patience": 1}},
        {"monitor": "loss", "devices": {"strategy": "single"}},
    ],
    ids=str,
)
def test_settings_that_work(tmp_path: Path, settings: dict) -> None:
    given, transform = customers(tmp_path, 256)
    made = trained(tmp_path, small(**settings), given, transform)
    assert made.training["epochs_run"] == 3
    assert all(w.dtype == np.float32 for w in weights(made) if w.dtype.kind == "f")


def test_checkpoints_and_tensorboard(tmp_path: Path) -> None:
    """Curves are read back as TensorBoard does; every epoch and every better one are kept."""
    import keras
    import tensorflow as tf
    from tensorflow.core.util.event_pb2 import Event

    given, transform = customers(tmp_path, 256)
    every = trained(tmp_path, small(checkpoints="every", tensorboard=True), given, transform)
    assert [p.name for p in sorted((every.path / "checkpoints").iterdir())] == [
        f"epoch-000{i}.keras" for i in (1, 2, 3)
    ]
    keras.saving.load_model(every.path / "checkpoints" / "epoch-0002.keras")
    with (every.path / "history.csv").open() as f:
        history = list(csv.DictReader(f))
    curves = {}
    for part, prefix in (("train", ""), ("validation", "val_")):
        [file] = (every.path / "tensorboard" / part).glob("events.*")
        for event in events(file, Event):
            for v in event.summary.value:
                if v.tag.startswith("epoch_"):
                    name = prefix + v.tag.removeprefix("epoch_")
                    curves[event.step + 1, name] = float(tf.make_ndarray(v.tensor))
    expected = {(int(r["epoch"]), k): float(v) for r in history for k, v in r.items() if k != "epoch"}
    assert curves == pytest.approx(expected, rel=1e-6)
    diverging = {"optimizer": {"kind": "sgd", "learning_rate": 3.0}, "epochs": 6}
    best = trained(tmp_path, small(checkpoints="best", early_stopping=None, **diverging), given, transform, "best")
    kept = sorted(p.name for p in (best.path / "checkpoints").iterdir())
    assert kept[-1] == f"epoch-{best.training['best_epoch']:04d}.keras"
    assert len(kept) < 6


def events(file: Path, event) -> list:
    """Records of an event file."""
    import tensorflow as tf

    return [event.FromString(r) for r in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()]


def test_without_a_validation_split(tmp_path: Path) -> None:
    given, transform = prepared(tmp_path, TABLE, {"train": table(200, 1)})
    with pytest.raises(ConfigError, match="set monitor to loss"):
        trained(tmp_path, small(), given, transform, "no")
    made = trained(tmp_path, small(monitor="loss"), given, transform)
    assert made.training["rows"]["val"] == 0
    assert "val_loss" not in made.training["best"]


def test_fewer_rows_than_a_batch_are_one_batch(tmp_path: Path) -> None:
    given, transform = customers(tmp_path, 20)
    made = trained(tmp_path, small(batch=64), given, transform)
    assert (made.training["batch"], made.training["steps_per_epoch"]) == (20, 1)


def test_splits_that_cannot_be_learned_from(tmp_path: Path) -> None:
    one = table(50, 1).with_columns(left=pl.lit("yes"))
    given = examples(tmp_path / "examples", TABLE, {"train": one, "val": table(50, 2)})
    with pytest.raises(DataInvalid, match="no training row has label left = no"):
        trained(tmp_path, small(), given, fitted(tmp_path / "transform", given), "one")
    empty = examples(tmp_path / "empty", TABLE, {"train": table(0, 1), "val": table(50, 2)})
    with pytest.raises(DataInvalid, match="the training split has no rows"):
        trained(tmp_path, small(), empty, fitted(tmp_path / "t2", given), "two")
    single = examples(tmp_path / "single", TABLE, {"train": table(50, 1), "val": one})
    with pytest.raises(TrainingDiverged, match="a single class, in the validation split"):
        trained(tmp_path, small(monitor="val_auc"), single, fitted(tmp_path / "t3", single), "three")


def test_the_transform_comes_along_by_hard_link(tmp_path: Path) -> None:
    given, transform = customers(tmp_path, 64)
    (transform.path / "manifest.json").write_text("{}")
    made = trained(tmp_path, small(epochs=1), given, transform)
    assert (made.transform.path / "transform.json").samefile(transform.path / "transform.json")
    assert [p.name for p in made.transform.path.iterdir()] == ["transform.json"]
