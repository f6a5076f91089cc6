"""Callbacks of Keras and of its ecosystem do in a training what they do in ``keras.Model.fit``."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from kilnworks.schemas.errors import ConfigError, TrainingDiverged
from tests.components.learning.training_examples import context, customers, small

pytestmark = pytest.mark.slow

ROWS, BATCH, EPOCHS = 256, 32, 3
STEPS = ROWS // BATCH


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return customers(tmp_path_factory.mktemp("callbacks"), ROWS)


def fitted(data, root: Path, *callbacks, out: str = "out", **settings) -> tuple[dict, list[dict]]:
    """``training.json`` and the lines of ``history.csv`` of a training with these callbacks."""
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.learning.fit import fit

    given, transform = data
    config = small(**{"epochs": EPOCHS, "batch": BATCH, "steps_per_execution": 4, "early_stopping": None} | settings)
    (root / out).mkdir(parents=True)
    made = fit(
        config,
        config.model,
        given,
        FeatureTransform.load(transform),
        root / out,
        context(root / f"work-{out}"),
        callbacks,
    )
    return made, list(csv.DictReader((root / out / "history.csv").read_text().splitlines()))


def test_files_of_those_that_write(data, tmp_path: Path) -> None:
    """Checkpoints by step and by epoch, CSV, TensorBoard with histograms and a backup, side by side."""
    import keras
    import tensorflow as tf
    from tensorflow.core.util.event_pb2 import Event

    board = tmp_path / "board"
    (tmp_path / "backup").mkdir()
    (tmp_path / "backup/notes.txt").write_text("of the user")
    (tmp_path / "backup/latest.weights.h5").write_text("of an earlier run")
    made, history = fitted(
        data,
        tmp_path,
        keras.callbacks.ModelCheckpoint(
            str(tmp_path / "step-{epoch}-{batch}.weights.h5"), save_weights_only=True, save_freq=4
        ),
        keras.callbacks.ModelCheckpoint(
            str(tmp_path / "best.keras"), save_best_only=True, monitor="val_auc", mode="max"
        ),
        keras.callbacks.CSVLogger(str(tmp_path / "log.csv")),
        keras.callbacks.TensorBoard(str(board), histogram_freq=1),
        keras.callbacks.BackupAndRestore(str(tmp_path / "backup"), delete_checkpoint=False),
    )
    assert made["epochs_run"] == EPOCHS
    steps = sorted(p.name for p in tmp_path.glob("step-*"))
    assert steps == [f"step-{e}-{b}.weights.h5" for e in (1, 2, 3) for b in (4, 8)]
    assert keras.saving.load_model(tmp_path / "best.keras").count_params() == made["parameters"]
    logged = list(csv.DictReader((tmp_path / "log.csv").read_text().splitlines()))
    for row, line in zip(logged, history, strict=True):
        assert int(row["epoch"]) + 1 == int(line["epoch"])
        assert {k: float(v) for k, v in row.items() if k != "epoch"} == pytest.approx(
            {k: float(v) for k, v in line.items() if k != "epoch"}
        )
    [events] = (board / "train").glob("events.*")
    tags = {
        v.tag
        for r in tf.data.TFRecordDataset(str(events)).as_numpy_iterator()
        for v in Event.FromString(r).summary.value
    }
    assert any("kernel" in tag and "histogram" in tag for tag in tags)
    assert {"epoch_loss", "epoch_accuracy"} <= tags
    assert json.loads((tmp_path / "backup/training_metadata.json").read_text())["epoch"] == EPOCHS
    assert (tmp_path / "backup/notes.txt").read_text() == "of the user"


def test_calls_in_order_with_the_numbers_of_epochs_and_steps(data, tmp_path: Path) -> None:
    import keras

    calls = []

    class Told(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            calls.append(("epoch", epoch))

        def on_train_batch_end(self, batch, logs=None):
            calls.append(("step", batch, "loss" in logs))

        def on_test_begin(self, logs):
            calls.append(("test", *logs))

        def on_test_end(self, logs=None):
            calls.append(("tested", "auc" in logs))

        def on_epoch_end(self, epoch, logs=None):
            calls.append(("end", epoch, "val_loss" in logs))

    told = []
    some = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: told.append(1), on_train_end=told.append)
    _, rows = fitted(data, tmp_path, Told(), some, epochs=2)
    each = [("step", 3, True), ("step", 7, True), ("test",), ("tested", True)]
    assert calls == [("epoch", 0), *each, ("end", 0, True), ("epoch", 1), *each, ("end", 1, True)]
    assert told[0] == 1
    assert {n: float(v) for n, v in rows[-1].items() if n != "epoch"} == pytest.approx(told[1]), "as Keras ends"


def test_those_that_set_the_learning_rate(data, tmp_path: Path) -> None:
    import keras

    _, rows = fitted(data, tmp_path, keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.01 / (epoch + 1)))
    assert [float(r["learning_rate"]) for r in rows] == pytest.approx([0.01, 0.005, 0.01 / 3])
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.1, patience=1, min_delta=100.0)
    _, rows = fitted(data, tmp_path, plateau, out="plateau", epochs=4)
    assert [float(r["learning_rate"]) for r in rows] == pytest.approx([1e-3, 1e-3, 1e-4, 1e-5])
    with pytest.raises(ConfigError, match="LearningRateScheduler"):
        fitted(data, tmp_path, keras.callbacks.LearningRateScheduler(lambda e: 1.0), out="both", schedule={})


def test_those_that_end_a_training(data, tmp_path: Path) -> None:
    import keras

    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=1, min_delta=100.0)
    made, rows = fitted(data, tmp_path, stop, epochs=6)
    assert (made["epochs_run"], made["stopped_early"], len(rows)) == (2, True, 2)
    broken = {"optimizer": {"kind": "sgd", "learning_rate": 1e30}}
    with pytest.raises(TrainingDiverged, match="epoch 1"):
        fitted(data, tmp_path, keras.callbacks.TerminateOnNaN(), out="nan", **broken)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_averaged_weights_are_swapped_in_for_the_validation(data, tmp_path: Path, precision: str) -> None:
    """``SwapEMAWeights`` gives the numbers that the setting ``ema`` gives."""
    import keras

    averaged = {"optimizer": {"kind": "sgd", "learning_rate": 0.5, "ema": 0.9}, "precision": precision}
    _, with_setting = fitted(data, tmp_path, out="setting", **averaged)
    _, with_both = fitted(data, tmp_path, keras.callbacks.SwapEMAWeights(), out="both", **averaged)
    assert with_both == with_setting


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
def test_mlflow_autolog(data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Autolog finds ``fit`` and writes the parameters and the curve of every epoch."""
    import mlflow

    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_LOGGING", "false")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.create_experiment("autolog", artifact_location=str(tmp_path / "artifacts"))
    mlflow.set_experiment("autolog")
    mlflow.tensorflow.autolog(log_models=False, log_datasets=False, checkpoint=False)
    try:
        with mlflow.start_run() as run:
            _, rows = fitted(data, tmp_path)
    finally:
        mlflow.tensorflow.autolog(disable=True)
    client = mlflow.MlflowClient()
    points = client.get_metric_history(run.info.run_id, "val_loss")
    assert sorted(p.value for p in points) == pytest.approx(sorted(float(r["val_loss"]) for r in rows))
    assert client.get_run(run.info.run_id).data.params["epochs"] == str(EPOCHS)


def test_patience_of_keras_own_survives_a_kill(data, tmp_path: Path) -> None:
    """Early stopping and plateau of Keras, given by the user, count on after a kill."""
    import keras

    class CrashError(Exception):
        pass

    class Crash(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise CrashError

    def given() -> list:
        never = {"monitor": "val_loss", "min_delta": 100.0}
        return [
            keras.callbacks.ReduceLROnPlateau(patience=2, **never),
            keras.callbacks.EarlyStopping(patience=3, **never),
        ]

    _, straight = fitted(data, tmp_path / "straight", *given(), epochs=8)
    with pytest.raises(CrashError):
        fitted(data, tmp_path / "x", *given(), Crash(), epochs=8)
    (tmp_path / "x/out").rename(tmp_path / "x/first")
    made, rows = fitted(data, tmp_path / "x", *given(), epochs=8)
    assert made["resumed_after"] == 2
    assert rows == straight
    assert [float(r["learning_rate"]) for r in rows] == pytest.approx([1e-3, 1e-3, 1e-3, 1e-4])


def test_one_with_a_memory_is_in_the_backup(data, tmp_path: Path) -> None:
    """It goes on with what it knew; the weights of a training that is done do not move."""
    import keras

    class Counts(keras.callbacks.Callback):
        key = "counts"

        def __init__(self) -> None:
            super().__init__()
            self.epochs = 0

        def on_epoch_end(self, epoch, logs=None):
            self.epochs += 1

        def state(self):
            return {"epochs": self.epochs}

        def resume(self, state):
            self.epochs = state["epochs"]

    class CrashError(Exception):
        pass

    class Crash(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise CrashError

    (tmp_path / "x").mkdir()
    with pytest.raises(CrashError):
        fitted(data, tmp_path / "x", Counts(), Crash())
    (tmp_path / "x/out").rename(tmp_path / "x/first")
    counts = Counts()
    made, _ = fitted(data, tmp_path / "x", counts)
    assert made["resumed_after"] == 2
    assert counts.epochs == EPOCHS
    assert np.isfinite(made["best"]["val_loss"])
