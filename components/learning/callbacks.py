"""What happens around epochs. Each callback with a memory can tell it and take it back (``resumable.Resumable``)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras

from kilnworks.components.learning.backup import Backup, Snapshot, Weights
from kilnworks.components.learning.loop import losses, means_of
from kilnworks.components.learning.resumable import Attributes, resumable
from kilnworks.components.learning.settings import EarlyStopping, ReduceOnPlateau
from kilnworks.components.learning.state import State, assign, optimizers_of, values
from kilnworks.components.modeling.feeds.feed import Feed
from kilnworks.schemas.context import Progress
from kilnworks.schemas.errors import TrainingDiverged, UnknownName
from kilnworks.schemas.files import write_text
from kilnworks.schemas.words import figure

Mode = Literal["min", "max"]


class Stopping(Attributes, keras.callbacks.EarlyStopping):
    """Early stopping that a killed run resumes with the patience it had left."""

    key = "early_stopping"
    remembered = ("wait", "best", "best_epoch", "stopped_epoch")

    def __init__(self, settings: EarlyStopping, monitor: str, mode: Mode, first: int = 0) -> None:
        """``first``: number of the first epoch of the phase."""
        super().__init__(
            monitor=monitor,
            mode=mode,
            patience=settings.patience,
            min_delta=settings.min_delta,
            start_from_epoch=settings.start_from_epoch + first,
        )

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Look, unless the phase does not report the number."""
        if self.monitor in (logs or {}):
            super().on_epoch_end(epoch, logs)


class Plateau(Attributes, keras.callbacks.ReduceLROnPlateau):
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

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Look, unless the phase does not report the number."""
        if self.monitor in (logs or {}):
            super().on_epoch_end(epoch, logs)


class Checkpoints(Attributes, keras.callbacks.ModelCheckpoint):
    """The model that is to be saved after each epoch, or after each better one, as ``epoch-0001.keras`` ..."""

    key = "checkpoints"
    remembered = ("best",)

    def __init__(self, model: Any, directory: Path, which: Literal["best", "every"], monitor: str, mode: Mode) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        path = str(directory / "epoch-{epoch:04d}.keras")
        super().__init__(path, monitor=monitor, mode=mode, save_best_only=which == "best")
        self._saved = model

    def set_model(self, model: Any) -> None:
        """Save another model than the one around it that trains."""
        super().set_model(self._saved)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Save, unless the better one is wanted and the phase does not report the number."""
        if not self.save_best_only or self.monitor in (logs or {}):
            super().on_epoch_end(epoch, logs)


class Judge(keras.callbacks.Callback):
    """Validates after each epoch and keeps the weights of the best one of all phases.

    Adds ``val_*`` and ``learning_rate`` (``learning_rate_NAME`` of further optimizers) to the logs, so it comes first.
    With an average of the weights, that is what is validated and kept; training goes on with the weights themselves.
    """

    key = "judge"

    def __init__(self, variables: Sequence[Any], *, monitor: str, mode: Mode, latest: bool = False) -> None:
        """``variables``: all of the model that is saved. ``latest``: which of equally good epochs is the best one."""
        super().__init__()
        self._latest = latest
        self._variables, self._monitor, self._sign = variables, monitor, 1.0 if mode == "min" else -1.0
        self._measure: Callable[[], dict[str, float]] | None = None
        self._others: Sequence[Any] = ()
        self._said: dict[str, Any] = {}
        self._steps: dict[str, Any] = {}
        self._last = self._counts = True
        self.best: float | None = None
        self.best_epoch = 0
        self.best_weights: Weights = []

    def watch(
        self, measure: Callable[[], dict[str, float]] | None, others: Sequence[Any], last: bool, counts: bool = True
    ) -> None:
        """Begin a phase.

        Args:
            measure: numbers of the validation split; None without one.
            others: callbacks that are told when a validation begins and ends.
            last: whether it is the last phase, which must report what is monitored.
            counts: whether an epoch of it may be the best one.
        """
        self._measure, self._others, self._last, self._said = measure, others, last, {}
        self._counts = counts

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Remember what the steps said."""
        self._steps = dict(logs or {})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measure, judge, keep."""
        logs = {} if logs is None else logs
        unused = {m.name for m in means_of(self.model) if not bool(m.count > 0)}
        logs.update({name: value for name, value in self._steps.items() if name in unused})
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)  # of scaled losses
        raw = values(self._variables) if getattr(optimizer, "use_ema", False) else None
        if raw is not None:
            self.model.optimizer.finalize_variable_values(self.model.trainable_weights)
        if self._measure is not None:
            logs.update({f"val_{name}": value for name, value in self._measured(self._measure).items()})
        for name, optimizer in optimizers_of(self.model).items():
            rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
            logs["learning_rate" if name == "optimizer" else f"learning_rate_{name}"] = rate
        self._said = dict(logs)
        self._keep(epoch, logs)
        if raw is not None:
            assign(self._variables, raw)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Tell the callbacks that follow the numbers of the last epoch, the validation's among them, as Keras does."""
        if logs is not None:
            logs.update(self._said)

    def _measured(self, measure: Callable[[], dict[str, float]]) -> dict[str, float]:
        for callback in self._others:
            callback.on_test_begin({})
        found = measure()
        for callback in self._others:
            callback.on_test_end(dict(found))
        return found

    def _keep(self, epoch: int, logs: Mapping[str, Any]) -> None:
        if not self._counts:
            return
        if self._monitor not in logs:
            if self._last:
                raise UnknownName("number to monitor", self._monitor, tuple(logs))
            return
        value = float(logs[self._monitor])
        if not math.isfinite(value):
            raise TrainingDiverged(
                f"{self._monitor} is {value} after epoch {epoch + 1}",
                "a finite number",
                "look for missing or infinite values, or a single class, in the validation split; "
                "or lower the learning rate",
                {"epoch": epoch + 1, "monitor": self._monitor},
            )
        equal = self._latest and value == self.best
        if self.best is None or equal or self._sign * value < self._sign * self.best:
            self.best, self.best_epoch, self.best_weights = value, epoch + 1, values(self._variables)

    def state(self) -> dict[str, Any]:
        """Best value and epoch; the weights are kept beside."""
        return {"best": self.best, "best_epoch": self.best_epoch}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Take best value and epoch back."""
        self.best, self.best_epoch = state["best"], state["best_epoch"]


class Last(Judge):
    """Keeps the weights of the last epoch, whatever it says: of a training whose length is known."""

    def _keep(self, epoch: int, logs: Mapping[str, Any]) -> None:
        self.best_epoch, self.best_weights = epoch + 1, values(self._variables)


class History(keras.callbacks.Callback):
    """``history.csv``: a line an epoch (from 1), rewritten at each, so that a failed run has one too.

    Where there are several phases, ``phase`` names that of the epoch. A phase may report other numbers than another.
    """

    key = "history"

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self.phase: str | None = None
        self.rows: list[dict[str, Any]] = []

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Add a line."""
        phase = {} if self.phase is None else {"phase": self.phase}
        self.rows.append({"epoch": epoch + 1, **phase, **{k: float(v) for k, v in (logs or {}).items()}})
        self.write()

    def write(self) -> None:
        """Write the file; a number that is not defined or not reported is left empty."""
        text = io.StringIO()
        names = list(dict.fromkeys(name for row in self.rows for name in row)) or ["epoch"]
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: "" if v != v else v for k, v in row.items()} for row in self.rows)  # noqa: PLR0124 (NaN)
        write_text(self._path, text.getvalue())

    def state(self) -> dict[str, Any]:
        """Every line."""
        return {"rows": self.rows}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Take the lines back."""
        self.rows = list(state["rows"])


Ahead = Callable[[float, bool], tuple[float | None, float | None]]
"""Of epochs done, and whether they were all: what is done and what is likely to come, in one unit."""


class Report(keras.callbacks.Callback):
    """Tells the listener how far training has come, in epochs; knows the running epoch and step, both from 0."""

    def __init__(
        self,
        listener: Callable[[Progress], None],
        epochs: int,
        steps: int,
        unjudged: Callable[[], int] = lambda: 0,
        ahead: Ahead | None = None,
    ) -> None:
        """Whom to tell, and of what.

        Args:
            listener: of the progress.
            epochs: of all phases.
            steps: of an epoch.
            unjudged: how many epochs are done without what is monitored.
            ahead: what is done and what is likely to come after so many epochs, and whether these were all; by default
                ``epochs`` are done.
        """
        super().__init__()
        self._listener, self._epochs, self._steps, self._unjudged = listener, epochs, steps, unjudged
        self._ahead: Ahead = ahead or (lambda done, ended: (None, None))
        self.epoch, self.step, self._note = 0, 0, ""
        self.phase: str | None = None

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Remember the epoch."""
        self.epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Remember the step."""
        self.step = batch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Report the share of the epoch that is done; the whole of it is reported once it is validated."""
        if batch + 1 < self._steps:
            done = self.epoch + (batch + 1) / self._steps
            self._listener(Progress(done, self._epochs, self._now(logs or {}), {}, 0, *self._ahead(done, False)))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Report the epoch, and keep the numbers of its validation for the notes of the next one."""
        logs = logs or {}
        self._note = "".join(f" {k} {figure(float(v))}" for k, v in logs.items() if k.startswith("val_"))
        trained = {k: v for k, v in logs.items() if not k.startswith(("val_", "learning_rate"))}
        numbers = {name: float(value) for name, value in logs.items()}
        ahead, done = self._ahead(epoch + 1, False), epoch + 1
        self._listener(Progress(done, self._epochs, self._now(trained), numbers, self._unjudged(), *ahead))

    def on_early_end(self, monitor: str, best: int) -> None:
        """Report that no further epochs come; ``best``: the epoch whose weights are kept, from 1."""
        end = f"stopped after epoch {self.epoch + 1}: {monitor} was best in epoch {best}, whose weights are kept"
        self._listener(Progress(self._epochs, self._epochs, end, {}, 0, *self._ahead(self.epoch + 1, True)))

    def _now(self, numbers: Mapping[str, Any]) -> str:
        """Epoch, phase, losses of the epoch so far, and numbers of the latest validation."""
        begins = f"epoch {self.epoch + 1}/{self._epochs}" + (f" {self.phase}" if self.phase else "")
        return begins + "".join(f" {name} {figure(float(numbers[name]))}" for name in losses(numbers)[:3]) + self._note


class BackUp(keras.callbacks.Callback):
    """Saves a snapshot at the end of epochs, and puts one back at the start of a phase; comes last."""

    def __init__(
        self,
        backup: Backup,
        every: int,
        phase: tuple[int, int],
        kept: tuple[Callable[[], State], Feed],
        others: Sequence[Any],
        found: Snapshot | None,
    ) -> None:
        """What to save and when.

        Args:
            backup: the file.
            every: epochs between two snapshots.
            phase: its number, and the epochs done when it began.
            kept: makes the state, called when training begins; and what feeds the training.
            others: the callbacks of the phase.
            found: the snapshot to go on from.
        """
        super().__init__()
        self._backup, self._every, self._phase = backup, every, phase
        (self._make, self._feed), self._found = kept, found
        self._judge = next(c for c in others if isinstance(c, Judge))
        self._resumable = resumable(others)

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """Put the snapshot back."""
        self._state = self._make()
        if self._found is None:
            return
        self._state.restore(self._found.variables)
        self._feed.resume(self._found.feed)
        self._judge.best_weights = self._found.best
        for callback in self._resumable:
            if callback.key in self._found.callbacks:
                callback.resume(self._found.callbacks[callback.key])

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Save, where the epoch is due or the phase ends."""
        stops = bool(self.model.stop_training)
        if (epoch + 1) % self._every and not stops and epoch + 1 != self.params["epochs"]:
            return
        states = {c.key: c.state() for c in self._resumable}
        variables, best = self._state.values(), self._judge.best_weights
        self._backup.save(Snapshot(*self._phase, epoch + 1, variables, best, states, stops, self._feed.state()))
