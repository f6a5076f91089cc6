"""One training, from encoded rows to ``model.keras``.

::

    devices -> strategy, before TensorFlow makes its first tensor
    labels  -> task: head, loss, weights of the classes
    splits  -> feed (train), measure (val)
    seed    -> learner: the model, and the phases in which it is trained
    phases  -> epochs, from the backup or from the start (``training.Training``)
    weights of the best epoch -> model.keras, history.csv, content of training.json
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from shutil import copytree
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kilnworks.components.features.encoded import AS_SENT, TEXT
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.judging.metric import Direction
from kilnworks.components.learning.arrays import Arrays, Encoder
from kilnworks.components.learning.health.both_splits import compare_splits
from kilnworks.components.learning.input_pipeline import MemoryFeed
from kilnworks.components.learning.optimizers import OwnOptimizer
from kilnworks.components.learning.own import onednn
from kilnworks.components.learning.own.batches import own_batches
from kilnworks.components.learning.own.code import OwnCode
from kilnworks.components.learning.own.numbers import with_own
from kilnworks.components.learning.own.parts import own_callbacks
from kilnworks.components.learning.own.trial import try_one_batch
from kilnworks.components.learning.predict import forward, outputs, piece_rows
from kilnworks.components.learning.rounds.averaged import averaged
from kilnworks.components.learning.rounds.refit import Again, part_of, refit, refuse_refit
from kilnworks.components.learning.rounds.settled import refuse_settling, settled
from kilnworks.components.learning.rounds.weighed import Weighing
from kilnworks.components.learning.settings import FitSettings, check_placed
from kilnworks.components.learning.shown import TrainingColumns
from kilnworks.components.learning.splits import Measure, Splits, fits_in_memory, held_splits, streamed_splits
from kilnworks.components.learning.strategy import Placement, place, precision
from kilnworks.components.learning.training import Training
from kilnworks.components.learning.windows import WindowEncoder, encoder_of, window_splits, with_stretch
from kilnworks.components.modeling.base import Architecture
from kilnworks.components.modeling.custom import CustomModel
from kilnworks.components.modeling.kept import keep
from kilnworks.components.modeling.learner import Learner, Phase
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.choose import choose, write_task
from kilnworks.components.tasks.labels import LabelStatistics
from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.context import RunContext
from kilnworks.schemas.errors import ConfigError, DataInvalid

LOG = logging.getLogger(__name__)
SAMPLE_ROWS = 8
"""Rows on which a kept model is compared with the one that was read back."""


def fit(
    settings: FitSettings,
    architecture: Architecture,
    examples: Examples,
    transform: FeatureTransform,
    out: Path,
    context: RunContext,
    callbacks: Sequence[Any] = (),
    begun: Callable[[Learner], Learner] | None = None,
) -> dict[str, Any]:
    """Train; write ``model.keras``, ``task.json`` and ``history.csv``; return the content of ``training.json``.

    ``callbacks``: of Keras, besides those of the settings; called after each epoch has been validated and before it is
    backed up. One with ``key``, ``state`` and ``resume`` (``resumable.Resumable``) is in the backup.
    ``begun``: changes what trains before the first phase, on the replicas: other weights to begin with, other phases.

    Raises:
        ConfigError: settings that do not work with these data or on these devices.
        DataInvalid: labels from which nothing can be learned.
        TrainingDiverged: a loss is not finite.
    """
    began = time.perf_counter()
    if "train" not in examples.splits or not examples.rows("train"):
        raise DataInvalid("the training split has no rows", "at least two rows", "check the split of the ingest step")
    settings = _without_compiler_for_texts(settings, transform)
    batch = min(settings.batch, examples.rows("train"))
    images = any(f.dtype == "image" for f in transform.contract.features.values())
    placement = place(settings.devices, batch, images=images)
    check_placed(settings.model_copy(update={"batch": batch}), placement.replicas, placement.kind)
    chosen = choose(examples.contract, settings.task, architecture.task)
    refuse_settling(settings, chosen, examples)
    mode = _direction(settings, chosen, bool("val" in examples.splits and examples.rows("val")))
    encoder = encoder_of(transform, chosen, examples)
    task, splits = _splits(settings, architecture, examples, transform, encoder, batch, context.work / "row-groups")
    LOG.info("training on %d x %s: %s", placement.replicas, placement.kind, placement.why)
    LOG.info("%d rows are %s", splits.feed.rows, "streamed" if splits.streamed else "held in memory")
    seeing = architecture.shown(TrainingColumns(encoder, examples.files("train"), settings.seed, _held(splits)))
    learner = made(settings, seeing, transform, task, placement)
    if begun is not None:
        with placement.scope():
            learner = begun(learner)
    refuse_refit(settings, splits, learner)
    splits = splits.only(learner.chosen, settings.seed).fed(learner.feed, settings.seed)
    fed = architecture.fed(learner.model)
    unpack = splits.feed.unpack
    splits.feed.unpack = _composed(fed, unpack)
    training = Training(
        settings, task, placement, splits, learner, mode, [*own_callbacks(settings.callbacks), *callbacks],
        sent={t.name for t in transform.encoded if t.kind == AS_SENT}, began=began,
    )  # fmt: skip
    training.measured = lambda phase: _measured(settings, splits, learner, phase, fed)
    if _has_own(settings, architecture) and placement.strategy is None:
        training.tried = lambda trained: try_one_batch(trained, splits.feed, task)
    identity = _identity(settings, architecture, transform, splits)
    training.go(out, part_of(context, 0, settings.refit + 1) if settings.refit else context, identity)
    summary = training.summary()
    if fed is dict and not settings.data:
        _compare(out / "diagnosis.json", training, summary["best_epoch"])
    again = Again(
        training,
        lambda seed: made(settings.model_copy(update={"seed": seed}), seeing, transform, task, placement),
        lambda one: _composed(architecture.fed(one.model), unpack),
    )
    weighing = Weighing(
        architecture, task, learner.model, lambda members: _outputs(members, encoder, examples, "val"),
        lambda: encoder.labels(examples.files("val")),
    )  # fmt: skip
    model = judge = weighing.given(learner.model)
    if weighing.share is not None:
        summary["best"] |= training.best_now()
    if settings.refit:
        model = _refitted(settings, model, again, context, identity, summary, weighing)
    with precision(settings.precision):
        sample = transform.encode(next(encoder.frames(examples.files("train"), SAMPLE_ROWS)))
        keep(architecture, model, lambda: architecture.network(transform.encoded, task), sample, out)
    task, settling = _settled(settings, architecture, task, transform, encoder, examples, model, judge)
    write_task(task, out)
    told = learner.finished(out) if learner.finished else {}
    if settings.checkpoints != "none":
        copytree(context.work / "checkpoints", out / "checkpoints")
    return {
        "contract": examples.contract.model_dump(mode="json"),
        "task": task.kind,
        **summary,
        **weighing.told(),
        **architecture.remarks(model, transform, task),
        **settling,
        **told,
        "config": settings.model_dump(mode="json"),
    }


def _splits(
    settings: FitSettings,
    architecture: Architecture,
    examples: Examples,
    transform: FeatureTransform,
    encoder: Encoder,
    batch: int,
    scratch: Path,
) -> tuple[Task, Splits]:
    """What is learned from and validated on: windows of a series, rows, or batches of one's own."""
    if isinstance(encoder, WindowEncoder):
        task, splits = window_splits(settings, encoder, batch)
    else:
        task, splits = _read(settings, architecture, examples, encoder, batch, scratch)
    if settings.data:
        splits = own_batches(settings, settings.data, splits, examples, transform, batch)
    return task, splits


def _compare(path: Path, training: Training, epoch: int) -> None:
    """Hold the training split against the validation split, where rows are learned from as they are, by a target."""
    learner, splits = training.learner, training.splits
    own = learner.feed is not None or learner.chosen is not None or learner.measured is not None
    if training.settings.health == "none" or own or not training.task.targeted:
        return
    try:
        seen = splits.feed.rows * len(training.history.rows)
        compare_splits(path, training.task, learner.model, splits.feed, splits.validation, epoch, seen)
    except tf.errors.ResourceExhaustedError:
        LOG.warning("diagnosis: there is no memory to measure the training rows; the training goes on without")


def _settled(
    settings: FitSettings,
    architecture: Architecture,
    task: Task,
    transform: FeatureTransform,
    encoder: Encoder,
    examples: Examples,
    model: Any,
    judge: Any,
) -> tuple[Task, dict[str, Any]]:
    """The task with what the trained model's outputs decide, and what of it is told in ``training.json``.

    ``judge`` has not learned from the validation rows; it is ``model`` itself but for a refit.
    """

    def judged(split: str) -> Any:
        return _outputs(judge, encoder, examples, split)

    def outputs(split: str) -> Any:
        return judged(split) if split == "val" else _outputs(model, encoder, examples, split)

    task = architecture.calibrated(task, transform, outputs)
    if isinstance(encoder, WindowEncoder):
        task = with_stretch(task, encoder, judged)
    return settled(settings, task, judged, lambda split: encoder.labels(examples.files(split)))


def _refitted(
    settings: FitSettings,
    model: Any,
    again: Again,
    context: RunContext,
    identity: str,
    summary: dict[str, Any],
    weighing: Weighing,
) -> Any:
    """The mean of networks that learn from all rows, once the best epoch is known; ``model`` where no time is left."""
    left = None if settings.budget_minutes is None else 60 * settings.budget_minutes - again.chosen.spent
    models, summary["refit"] = refit(again, context, identity, left)
    with precision(settings.precision):
        return averaged([weighing.given(one) for one in models], again.chosen.task.output) if models else model


def _held(splits: Splits) -> Arrays | None:
    """The training rows as they travel, where they are in memory."""
    feed = splits.feed
    return feed.whole()[0] if type(feed) is MemoryFeed else None


def _outputs(model: Any, encoder: Encoder, examples: Examples, split: str) -> np.ndarray | None:
    """What the trained model gives for the rows of a split, [rows, K]; None where it has none."""
    if split not in examples.splits or not examples.rows(split):
        return None
    run, rows = forward(model, encoder.transform), piece_rows(encoder.transform)
    frames = encoder.frames(examples.files(split), rows)
    return np.concatenate([outputs(run, encoder.encode(frame)) for frame in frames])


def _without_compiler_for_texts(settings: FitSettings, transform: FeatureTransform) -> FitSettings:
    """Without XLA where the model takes texts, which that cannot read. Raises ``ConfigError`` where it is asked for."""
    texts = [t.name for t in transform.encoded if t.dtype == TEXT]
    if settings.jit_compile and texts:
        raise ConfigError(
            f"jit_compile, and the model takes the text {texts[0]!r}", "numbers, which XLA can compile",
            "leave jit_compile out",
        )  # fmt: skip
    return settings.model_copy(update={"jit_compile": False}) if texts else settings


def _read(
    settings: FitSettings, architecture: Architecture, examples: Examples, encoder: Encoder, batch: int, work: Path
) -> tuple[Task, Splits]:
    """What the labels tell, and both splits: in memory where they fit, else streamed."""
    files, held = examples.files("train"), fits_in_memory(settings, examples, encoder)
    label = encoder.labels(files) if held else None
    seen = LabelStatistics.of(examples.contract, encoder.label_chunks(files) if label is None else [label])
    task = architecture.adapted(encoder.task.fitted(examples.contract, seen, settings))
    weights = task.row_weights(settings, seen)
    if label is None:
        return task, streamed_splits(settings, examples, encoder, task, batch, work, weights=weights)
    return task, held_splits(settings, examples, encoder, task, label, batch, weights=weights)


def made(
    settings: FitSettings, architecture: Architecture, transform: FeatureTransform, task: Task, placement: Placement
) -> Learner:
    """What trains, made from the seed on the replicas.

    Raises:
        ConfigError: see ``refuse_overruns``.
    """
    keras.utils.set_random_seed(settings.seed)
    if settings.deterministic_gpu and placement.kind == "gpu":
        tf.config.experimental.enable_op_determinism()
    with precision(settings.precision), placement.scope():
        learner = architecture.learner(transform.encoded, task)
    if placement.kind != "gpu" and onednn.used():
        onednn.refuse_overruns(learner.model)
    return learner


def _identity(settings: FitSettings, architecture: Architecture, transform: FeatureTransform, splits: Splits) -> str:
    """Names a training, so that no other one's backup is taken up."""
    content = {
        "settings": settings.identity(),
        "architecture": architecture.identity(),
        "transform": transform.plan.model_dump(mode="json"),
        "rows": [splits.feed.rows, splits.validation.rows if splits.validation else 0],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _direction(settings: FitSettings, task: type[Task], validation: bool) -> Direction:
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
    settings: FitSettings, splits: Splits, learner: Learner, phase: Phase, fed: Callable[[Any], Any]
) -> Measure | None:
    """The numbers of the validation split: of the task, and of a user's own loss, metrics and ``test_step``."""
    validation = splits.validation
    if learner.measured is not None and phase.judged:
        return partial(learner.measured, validation)
    if validation is None:
        return None
    trained = phase.trained
    itself = fed is not dict  # the user's own model is what trains
    own_step = type(trained).test_step is not keras.Model.test_step
    if not phase.judged:
        return with_own(dict, trained, validation, fed, over=None) if own_step else None
    task = validation.measure(learner.model)
    if not (settings.loss or settings.metrics or itself or own_step):
        return task
    loss = bool(settings.loss) or itself
    return with_own(task, trained, validation, fed, over=None if own_step else {"loss"} if loss else set())
