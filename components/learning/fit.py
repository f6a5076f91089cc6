"""One training, from encoded rows to ``model.keras``.

::

    devices -> strategy, before TensorFlow makes its first tensor
    labels  -> task: head, loss, weights of the classes
    splits  -> feed (train), measure (val)
    seed    -> model and optimizer
    backup  -> where to go on
    fit     -> epochs of blocks of steps; after each: judge, plateau, stopping, history, backup
    weights of the best epoch -> model.keras, history.csv, content of training.json
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import keras
import tensorflow as tf

from components.features.transform import FeatureTransform
from components.learning import callbacks as cb
from components.learning.ahead import Ahead
from components.learning.arrays import Encoder
from components.learning.backup import Backup, Snapshot, assign
from components.learning.loop import (
    LossNotFinite,
    TrainFunction,
    block_function,
    parts,
    run_epochs,
)
from components.learning.optimizers import OwnOptimizer
from components.learning.own import compile_model, own_callbacks
from components.learning.own_batches import own_batches
from components.learning.own_code import OwnCode
from components.learning.own_numbers import with_own
from components.learning.settings import FitSettings, check_placed
from components.learning.splits import Measure, Splits, fits_in_memory, held_splits, streamed_splits
from components.learning.strategy import Placement, place, precision
from components.learning.trial import try_one_batch
from components.modeling.base import Architecture
from components.modeling.custom import CustomModel
from components.modeling.kept import keep
from components.tasks.base import Task
from components.tasks.choose import choose, write_task
from components.tasks.labels import LabelStatistics
from schemas.artifacts import Examples
from schemas.context import RunContext
from schemas.errors import ConfigError, DataInvalid, TrainingDiverged

LOG = logging.getLogger(__name__)
VALUES_PER_EXECUTION = 2**22
"""Encoded values that one call on one device handles: enough steps to hide Python, few enough to report progress."""
LONGEST_EXECUTION = 256
"""Steps of one call at most."""
SAMPLE_ROWS = 8
"""Rows on which a kept model is compared with the one that was read back."""


def fit(
    settings: FitSettings,
    architecture: Architecture,
    examples: Examples,
    transform: FeatureTransform,
    out: Path,
    context: RunContext,
) -> dict[str, Any]:
    """Train; write ``model.keras``, ``task.json`` and ``history.csv``; return the content of ``training.json``.

    Raises:
        ConfigError: settings that do not work with these data or on these devices.
        DataInvalid: labels from which nothing can be learned.
        TrainingDiverged: a loss is not finite.
    """
    if "train" not in examples.splits or not examples.rows("train"):
        raise DataInvalid("the training split has no rows", "at least two rows", "check the split of the ingest step")
    batch = min(settings.batch, examples.rows("train"))
    placement = place(settings.devices, batch, images=any(t.kind == "image" for t in transform.encoded))
    check_placed(settings.model_copy(update={"batch": batch}), placement.replicas, placement.kind)
    chosen = choose(examples.contract, settings.task, architecture.task)
    mode = _direction(settings, chosen, bool("val" in examples.splits and examples.rows("val")))
    encoder = Encoder(transform, chosen)
    task, splits = _read(settings, examples, encoder, batch, context.work / "row-groups")
    if settings.data:
        splits = own_batches(settings, settings.data, splits, examples, transform, batch)
    LOG.info("training on %d x %s: %s", placement.replicas, placement.kind, placement.why)
    LOG.info("%d rows are %s", splits.feed.rows, "streamed" if splits.streamed else "held in memory")
    model, trained = build(settings, architecture, transform, task, placement, splits.feed.steps)
    fed = architecture.fed(model)
    splits.feed.unpack = _composed(fed, splits.feed.unpack)
    if _has_own(settings, architecture) and placement.strategy is None:
        try_one_batch(trained, splits.feed, task)
    run = _Run(settings, placement, splits, model, trained, mode)
    run.measured = _measured(settings, splits, model, trained, fed, placement)
    run.go(out, context, _identity(settings, architecture, transform, splits))
    with precision(settings.precision):
        sample = transform.encode(next(encoder.frames(examples.files("train"), SAMPLE_ROWS)))
        keep(architecture, model, lambda: architecture.network(transform.encoded, task), sample, out)
    write_task(task, out)
    if settings.checkpoints != "none":
        copytree(context.work / "checkpoints", out / "checkpoints")
    return {
        "contract": examples.contract.model_dump(mode="json"),
        "task": task.kind,
        **run.summary(),
        "config": settings.model_dump(mode="json"),
    }


def _read(settings: FitSettings, examples: Examples, encoder: Encoder, batch: int, work: Path) -> tuple[Task, Splits]:
    """What the labels tell, and both splits: in memory where they fit, else streamed."""
    files, held = examples.files("train"), fits_in_memory(settings, examples, encoder)
    label = encoder.labels(files) if held else None
    seen = LabelStatistics.of(examples.contract, encoder.label_chunks(files) if label is None else [label])
    task = encoder.task.fitted(examples.contract, seen, settings)
    weights = task.row_weights(settings, seen)
    if label is None:
        return task, streamed_splits(settings, examples, encoder, task, batch, work, weights=weights)
    return task, held_splits(settings, examples, encoder, task, label, batch, weights=weights)


def build(
    settings: FitSettings,
    architecture: Architecture,
    transform: FeatureTransform,
    task: Task,
    placement: Placement,
    steps: int,
) -> tuple[Any, Any]:
    """The model, and what trains its layers, compiled; only the first is saved."""
    keras.utils.set_random_seed(settings.seed)
    if settings.deterministic_gpu and placement.kind == "gpu":
        tf.config.experimental.enable_op_determinism()
    rate: Any = settings.optimizer.learning_rate
    if settings.schedule:
        rate = settings.schedule.build(rate, steps, settings.epochs)
    with precision(settings.precision), placement.scope():
        model = architecture.network(transform.encoded, task)
        trained = architecture.training(model, task)
        compile_model(settings, trained, task, rate, jit=_jit(settings, placement))
        trained.optimizer.build(trained.trainable_variables)
    return model, trained


def _jit(settings: FitSettings, placement: Placement) -> bool:
    if settings.jit_compile is not None:
        return settings.jit_compile
    return placement.kind == "gpu" and placement.replicas == 1 and not settings.deterministic_gpu


def steps_per_execution(model: Any, batch: int) -> int:
    """Steps of one call, 1 to ``LONGEST_EXECUTION``, by the rows of a ``batch`` on one device."""
    values = batch * sum(math.prod(i.shape[1:]) for i in model.inputs)
    return max(1, min(LONGEST_EXECUTION, VALUES_PER_EXECUTION // values))


def _identity(settings: FitSettings, architecture: Architecture, transform: FeatureTransform, splits: Splits) -> str:
    """Names a training, so that no other one's backup is taken up."""
    content = {
        "settings": settings.identity(),
        "architecture": architecture.identity(),
        "transform": transform.plan.model_dump(mode="json"),
        "rows": [splits.feed.rows, splits.validation.rows if splits.validation else 0],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _direction(settings: FitSettings, task: type[Task], validation: bool) -> cb.Mode:
    """Whether the monitored number should become small or large; one of a user's own is said by ``monitor_mode``."""
    if settings.monitor_mode != "auto":
        return settings.monitor_mode
    own = isinstance(settings, OwnCode) and (settings.metrics or settings.callbacks)
    if settings.monitor not in task.reported(True) and own:
        raise ConfigError(
            f"monitor {settings.monitor!r} is no number of a {task.kind} task",
            f"one of {', '.join(task.reported(validation))}; or monitor_mode, min or max, for a number of one's own",
            "set monitor_mode",
        )
    return task.direction(settings.monitor, validation)


def _has_own(settings: FitSettings, architecture: Architecture) -> bool:
    """Whether any code of a user's own takes part in a training step."""
    own = settings.loss or settings.metrics or settings.data
    return bool(own) or isinstance(architecture, CustomModel) or isinstance(settings.optimizer, OwnOptimizer)


def _composed(fed: Callable[[dict[str, Any]], Any], unpack: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda tensors: fed(unpack(tensors))


def _measured(
    settings: FitSettings, splits: Splits, model: Any, trained: Any, fed: Callable[[Any], Any], placement: Placement
) -> Measure | None:
    """The numbers of the validation split, with those of a user's own loss and metrics on one device."""
    validation = splits.validation
    if validation is None:
        return None
    task = validation.measure(model)
    itself = fed is not dict  # the user's own model is what trains
    if placement.strategy is not None or not (settings.loss or settings.metrics or itself):
        return task
    return with_own(task, trained, validation, fed, loss=bool(settings.loss) or itself)


class _Run:
    """The epochs, from a snapshot or from the start."""

    def __init__(
        self,
        settings: FitSettings,
        placement: Placement,
        splits: Splits,
        model: Any,
        trained: Any,
        mode: cb.Mode,
    ) -> None:
        self._settings, self._placement, self._splits = settings, placement, splits
        self._model, self._trained, self._mode = model, trained, mode
        wanted = settings.steps_per_execution or steps_per_execution(model, splits.feed.batch // placement.replicas)
        self._block = min(wanted, splits.feed.longest_block)
        self._calls = math.ceil(splits.feed.steps / self._block)
        self._first, self._seconds = 0, 0.0
        self.measured: Measure | None = None

    def go(self, out: Path, context: RunContext, identity: str) -> None:
        """Run the epochs that are left; the model ends with the weights of the best one."""
        settings, backup = self._settings, Backup(context.work, identity)
        found = backup.load() if settings.backup_epochs else None
        self._judge = self._make_judge()
        self._history = cb.History(out / "history.csv")
        self._report = cb.Report(context.progress, settings.epochs, self._calls)
        chosen = self._callbacks(out, context)
        if settings.backup_epochs:
            chosen.append(cb.BackUp(backup, settings.backup_epochs, self._model.variables, chosen, found))
        start = time.perf_counter()
        self._fit(chosen, found)
        self._seconds = time.perf_counter() - start
        self._history.write()
        assign(self._model.variables, self._judge.best_weights)

    def _make_judge(self) -> cb.Judge:
        validation = self._splits.validation
        return cb.Judge(
            self._model.variables,
            self.measured or (validation.measure(self._model) if validation else None),
            monitor=self._settings.monitor,
            mode=self._mode,
            averaged=self._settings.optimizer.ema is not None,
        )

    def _callbacks(self, out: Path, context: RunContext) -> list[Any]:
        """In the order in which they act at the end of an epoch."""
        s = self._settings
        chosen: list[Any] = [self._judge]
        if s.reduce_on_plateau:
            chosen.append(cb.Plateau(s.reduce_on_plateau, s.monitor, self._mode))
        if s.early_stopping:
            chosen.append(cb.Stopping(s.early_stopping, s.monitor, self._mode))
        chosen += own_callbacks(s.callbacks)
        chosen += [self._history, self._report]
        if s.checkpoints != "none":
            chosen.append(cb.Checkpoints(context.work / "checkpoints", s.checkpoints, s.monitor, self._mode))
        if s.tensorboard:
            chosen.append(cb.Scalars(out / "tensorboard"))
        return chosen

    def _fit(self, chosen: list[Any], found: Snapshot | None) -> None:
        self._first = found.epoch if found else 0
        epochs = range(self._first, self._first if found and found.finished else self._settings.epochs)
        train, items = self._train_function(epochs)
        try:
            with Ahead(items) as ready:
                run_epochs(self._trained, train, ready, chosen, epochs, self._calls)
        except LossNotFinite as error:
            raise self._diverged(error) from None

    def _train_function(self, epochs: range) -> tuple[TrainFunction, Iterator[Any]]:
        """What trains, and what it is to be given in these epochs."""
        feed, strategy = self._splits.feed, self._placement.strategy
        train = block_function(self._trained, feed, strategy, jit=_jit(self._settings, self._placement))
        return train, parts(feed.blocks(epochs, self._block), strategy)

    def _diverged(self, error: LossNotFinite) -> TrainingDiverged:
        epoch, step = self._report.epoch + 1, self._report.call * self._block + error.step + 1
        broken = self._splits.feed.not_finite()
        hint = (
            f"the encoded input {', '.join(map(repr, broken))} holds NaN or infinite numbers: check the data"
            if broken
            else "lower optimizer.learning_rate, set optimizer.clip, or start with a warm-up"
        )
        name = "the loss" if error.name == "loss" else error.name
        return TrainingDiverged(
            f"{name} is {error.loss} at step {step} of {self._splits.feed.steps} in epoch {epoch}",
            "a finite loss at every step",
            hint,
            {"epoch": epoch, "step": step, "not_finite": broken},
        )

    def summary(self) -> dict[str, Any]:
        """What happened, for ``training.json``. Numbers of the best epoch that are not defined are left out."""
        rows, feed, done = self._history.rows, self._splits.feed, len(self._history.rows) - self._first
        best, validation = rows[self._judge.best_epoch - 1], self._splits.validation
        return {
            "seed": self._settings.seed,
            "strategy": self._placement.name,
            "replicas": self._placement.replicas,
            "device": self._placement.kind,
            "placement": self._placement.why,
            "precision": self._settings.precision,
            "batch": feed.batch,
            "steps_per_epoch": feed.steps,
            "steps_per_execution": self._block,
            "jit_compile": _jit(self._settings, self._placement),
            "streamed": self._splits.streamed,
            "rows": {"train": feed.rows, "val": validation.split_rows if validation else 0},
            "rows_validated": validation.rows if validation else 0,
            "parameters": int(self._model.count_params()),
            "epochs_run": len(rows),
            "resumed_after": self._first,
            "stopped_early": len(rows) < self._settings.epochs,
            "monitor": self._settings.monitor,
            "best_epoch": self._judge.best_epoch,
            "best": {k: v for k, v in best.items() if k != "epoch" and math.isfinite(v)},
            "seconds": round(self._seconds, 3),
            "examples_per_second": round(done * feed.steps * feed.batch / self._seconds, 1) if done else 0.0,
        }
