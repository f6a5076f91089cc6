"""What happens around epochs. Each callback with a memory can tell it and take it back (``Resumable``)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import keras
import tensorflow as tf

from components.learning.backup import Backup, Snapshot, Weights, assign, values
from components.learning.settings import EarlyStopping, ReduceOnPlateau
from schemas.context import Progress
from schemas.errors import TrainingDiverged, UnknownName
from schemas.files import write_text

Mode = Literal["min", "max"]


@runtime_checkable
class Resumable(Protocol):
    """A callback whose memory belongs in the backup."""

    key: str
    """Name of its state in the backup."""

    def state(self) -> dict[str, Any]:
        """Its memory; JSON-serializable."""
        ...

    def resume(self, state: Mapping[str, Any]) -> None:
        """Take the memory back, after ``on_train_begin``."""
        ...


class _Attributes:
    """``Resumable`` for a Keras callback whose memory is a few plain attributes."""

    key: str
    remembered: tuple[str, ...]

    def state(self) -> dict[str, Any]:
        """The remembered attributes."""
        return {name: _plain(getattr(self, name)) for name in self.remembered}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Set the remembered attributes."""
        for name in self.remembered:
            setattr(self, name, state[name])


class Stopping(_Attributes, keras.callbacks.EarlyStopping):
    """Early stopping that a killed run resumes with the patience it had left."""

    key = "early_stopping"
    remembered = ("wait", "best", "best_epoch", "stopped_epoch")

    def __init__(self, settings: EarlyStopping, monitor: str, mode: Mode) -> None:
        super().__init__(
            monitor=monitor,
            mode=mode,
            patience=settings.patience,
            min_delta=settings.min_delta,
            start_from_epoch=settings.start_from_epoch,
        )


class Plateau(_Attributes, keras.callbacks.ReduceLROnPlateau):
    """Reduction of the learning rate that a killed run resumes with the patience it had left."""

    key = "reduce_on_plateau"
    remembered = ("wait", "best", "cooldown_counter")

    def __init__(self, settings: ReduceOnPlateau, monitor: str, mode: Mode) -> None:
        super().__init__(
            monitor=monitor,
            mode=mode,
            factor=settings.factor,
            patience=settings.patience,
            min_delta=settings.min_delta,
            cooldown=settings.cooldown,
            min_lr=settings.min_learning_rate,
        )


class Checkpoints(_Attributes, keras.callbacks.ModelCheckpoint):
    """The model after each epoch, or after each better one, as ``epoch-0001.keras`` ..."""

    key = "checkpoints"
    remembered = ("best",)

    def __init__(self, directory: Path, which: Literal["best", "every"], monitor: str, mode: Mode) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        super().__init__(
            str(directory / "epoch-{epoch:04d}.keras"), monitor=monitor, mode=mode, save_best_only=which == "best"
        )


class Judge(keras.callbacks.Callback):
    """Validates after each epoch and keeps the weights of the best one.

    Adds ``val_*`` and ``learning_rate`` to the logs, so it comes first. With an average of the weights, that is what
    is validated and kept; training goes on with the weights themselves.
    """

    key = "judge"

    def __init__(
        self,
        variables: Sequence[Any],
        measure: Callable[[], dict[str, float]] | None,
        *,
        monitor: str,
        mode: Mode,
        averaged: bool,
    ) -> None:
        """``variables``: all of the model; ``measure``: numbers of the validation split, None without one."""
        super().__init__()
        self._variables, self._measure, self._averaged = variables, measure, averaged
        self._monitor, self._sign = monitor, 1.0 if mode == "min" else -1.0
        self.best: float | None = None
        self.best_epoch = 0
        self.best_weights: Weights = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure, judge, keep."""
        logs = {} if logs is None else logs
        raw = values(self._variables) if self._averaged else None
        if raw is not None:
            self.model.optimizer.finalize_variable_values(self.model.trainable_weights)
        if self._measure is not None:
            logs.update({f"val_{name}": value for name, value in self._measure().items()})
        logs["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self._keep(epoch, logs)
        if raw is not None:
            assign(self._variables, raw)

    def _keep(self, epoch: int, logs: Mapping[str, Any]) -> None:
        if self._monitor not in logs:
            raise UnknownName("number to monitor", self._monitor, logs)
        value = float(logs[self._monitor])
        if not math.isfinite(value):
            raise TrainingDiverged(
                f"{self._monitor} is {value} after epoch {epoch + 1}",
                "a finite number",
                "look for missing or infinite values, or a single class, in the validation split; "
                "or lower the learning rate",
                {"epoch": epoch + 1, "monitor": self._monitor},
            )
        if self.best is None or self._sign * value < self._sign * self.best:
            self.best, self.best_epoch, self.best_weights = value, epoch + 1, values(self._variables)

    def state(self) -> dict[str, Any]:
        """Best value and epoch; the weights are kept beside."""
        return {"best": self.best, "best_epoch": self.best_epoch}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Take best value and epoch back."""
        self.best, self.best_epoch = state["best"], state["best_epoch"]


class History(keras.callbacks.Callback):
    """``history.csv``: a line an epoch (from 1), rewritten at each, so that a failed run has one too."""

    key = "history"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self.rows: list[dict[str, Any]] = []

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Add a line."""
        self.rows.append({"epoch": epoch + 1, **{k: float(v) for k, v in (logs or {}).items()}})
        self.write()

    def write(self) -> None:
        """Write the file; a number that is not defined is left empty."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.rows[0]) if self.rows else ["epoch"], lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: "" if v != v else v for k, v in row.items()} for row in self.rows)  # noqa: PLR0124 (NaN)
        write_text(self._path, text.getvalue())

    def state(self) -> dict[str, Any]:
        """Every line."""
        return {"rows": self.rows}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Take the lines back."""
        self.rows = list(state["rows"])


class Report(keras.callbacks.Callback):
    """Tells the listener how far training has come, in epochs; knows the running epoch and call, both from 0."""

    def __init__(self, listener: Callable[[Progress], None], epochs: int, calls: int) -> None:
        """``calls``: how often an epoch calls TensorFlow."""
        super().__init__()
        self._listener, self._epochs, self._calls = listener, epochs, calls
        self.epoch, self.call, self._note = 0, 0, ""

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Remember the epoch."""
        self.epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Remember the call."""
        self.call = batch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Report the share of the epoch that is done."""
        loss = (logs or {}).get("loss")
        now = f"epoch {self.epoch + 1}/{self._epochs}" + ("" if loss is None else f" loss {float(loss):.4g}")
        done = self.epoch + min(1.0, (batch + 1) / self._calls)
        self._listener(Progress(done, self._epochs, now + self._note))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Keep the numbers of the validation for the notes of the next epoch."""
        self._note = "".join(f" {k} {float(v):.4g}" for k, v in (logs or {}).items() if k.startswith("val_"))
        self._listener(Progress(epoch + 1, self._epochs, f"epoch {epoch + 1}/{self._epochs}{self._note}"))


class Scalars(keras.callbacks.Callback):
    """The numbers of each epoch as TensorBoard reads them.

    Written with TensorFlow's own writer: the Keras callback needs the ``tensorboard`` package to write at all.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._writer = tf.summary.create_file_writer(str(directory))
        plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
        self._metadata = tf.compat.v1.SummaryMetadata(plugin_data=plugin, data_class="DATA_CLASS_SCALAR")

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Add a point to each curve, at the number of the epoch from 1."""
        with self._writer.as_default(step=epoch + 1):
            for name, value in (logs or {}).items():
                tf.summary.write(name, tf.constant(float(value)), metadata=self._metadata)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Finish the file."""
        self._writer.close()


class BackUp(keras.callbacks.Callback):
    """Saves a snapshot at the end of epochs, and puts one back at the start; comes last."""

    def __init__(
        self, backup: Backup, every: int, variables: Sequence[Any], others: Sequence[Any], found: Snapshot | None
    ) -> None:
        """``others``: the callbacks of the run; ``found``: the snapshot to resume from."""
        super().__init__()
        self._backup, self._every, self._variables, self._found = backup, every, variables, found
        self._judge = next(c for c in others if isinstance(c, Judge))
        self._resumable = [c for c in others if isinstance(c, Resumable)]

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Put the snapshot back."""
        if self._found is None:
            return
        assign(self._variables, self._found.model)
        assign(self.model.optimizer.variables, self._found.optimizer)
        self._judge.best_weights = self._found.best
        for callback in self._resumable:
            callback.resume(self._found.callbacks[callback.key])

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Save, where the epoch is due or training stops."""
        stops = bool(self.model.stop_training)
        if (epoch + 1) % self._every and not stops:
            return
        self._backup.save(
            Snapshot(
                epoch + 1,
                values(self._variables),
                values(self.model.optimizer.variables),
                self._judge.best_weights,
                {c.key: c.state() for c in self._resumable},
                stops,
            )
        )


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else float(value)
