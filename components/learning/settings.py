"""How a model is fitted, whatever its architecture; combinations that go wrong are refused here, with the reason.

The reasons were found on TensorFlow 2.21 with Keras 3.15. Imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Self

from pydantic import Field, model_validator

from kilnworks.components.learning.optimizers import Adam, AnyOptimizer, Schedule
from kilnworks.components.learning.own.code import OwnCode
from kilnworks.components.learning.strategy import Devices, Precision
from kilnworks.components.tasks.settings import TaskSettings
from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import ConfigError


class EarlyStopping(Config):
    """Stop when the monitored number no longer gets better."""

    patience: int = Field(default=5, ge=1)
    """Epochs without a better value before training stops."""
    min_delta: float = Field(default=0.0, ge=0)
    """Smallest change that counts as better, in the unit of the monitored number."""
    start_from_epoch: int = Field(default=0, ge=0)
    """Epochs at the start that are not judged."""


class ReduceOnPlateau(Config):
    """Lower the learning rate when the monitored number no longer gets better."""

    factor: float = Field(default=0.5, gt=0, lt=1)
    """What the learning rate is multiplied by."""
    patience: int = Field(default=2, ge=1)
    """Epochs without a better value before it is lowered."""
    min_delta: float = Field(default=1e-4, ge=0)
    """Smallest change that counts as better, in the unit of the monitored number."""
    cooldown: int = Field(default=0, ge=0)
    """Epochs after a reduction in which none is counted."""
    min_learning_rate: float = Field(default=0.0, ge=0)
    """Where the learning rate is lowered no further."""


class FitSettings(TaskSettings, OwnCode):
    """Everything about fitting but the architecture."""

    epochs: int = Field(default=30, ge=1)
    """Passes over the training split, at most."""
    batch: int = Field(default=128, ge=1)
    """Rows of a step, over all replicas; a split with fewer rows is one batch. The rows of an epoch that do not fill
    a batch are left out, other ones in each epoch."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Decides initial weights, order of rows and dropout; two runs on the CPU are bit-equal."""
    budget_minutes: float | None = Field(default=None, gt=0)
    """Minutes that the training may take, reading its rows included: it ends after the last epoch that fits, with the
    best weights so far; one epoch is always trained, of each phase before the one that is judged as well, which have
    half of it. Where ``refit`` is set, half of it is for finding the best epoch. What is found without epochs, as
    clusters are, takes as long as it takes."""
    refit: int = Field(default=0, ge=0, le=32)
    """Networks that are trained once more, on training and validation rows together, for as many epochs as were best;
    the model answers with the mean of their answers. 0: the weights of the best epoch are kept."""
    optimizer: AnyOptimizer = Adam()
    schedule: Schedule | None = None
    """Course of the learning rate; constant where left out."""
    early_stopping: EarlyStopping | None = EarlyStopping()
    reduce_on_plateau: ReduceOnPlateau | None = None
    monitor: str = "val_loss"
    """The number that decides the best epoch, whose weights are kept, and that early stopping and plateau watch:
    ``loss``, ``val_loss``, or another of the task, such as ``val_accuracy``, ``val_auc`` or ``val_rmse``; or any that
    the model's own ``train_step`` or ``test_step`` reports (``g_loss``, ``val_distance``), with ``monitor_mode``."""
    devices: Devices = Devices()
    precision: Precision = "float32"
    """What layers compute in; weights, the last layer and the loss stay float32."""
    steps_per_execution: int | None = Field(default=None, ge=1, le=4096)
    """Steps of one call into TensorFlow; by default as many as make about 4 million encoded values on a device, at most
    256."""
    jit_compile: bool | None = None
    """Whether XLA compiles the step; by default on a single GPU only."""
    deterministic_gpu: bool = False
    """Whether two runs on a GPU are bit-equal as well, at the cost of speed."""
    memory_mb: float = Field(default=4096, gt=0)
    """MiB for the data of a training. Encoded splits up to this size together are held in memory, images as bytes;
    larger ones are streamed from the shards in every epoch, within this size or 64 MiB if that is more. What
    TensorFlow, the model and its layers take comes on top."""
    buffer_mb: float | None = Field(default=None, gt=0)
    """When streaming: MiB of raw rows that are mixed at a time, twice as much while they are read; by default a quarter
    of ``memory_mb``, 16 to 256."""
    validation_rows: int = Field(default=1_000_000, ge=1)
    """When streaming: about how many validation rows are measured after each epoch at most; the same ones each time,
    from all parts of the split. Splits in memory are measured whole."""
    backup_epochs: int = Field(default=1, ge=0)
    """Epochs between backups, from which a killed run resumes; 0 for none."""
    checkpoints: Literal["none", "best", "every"] = "none"
    """Which epochs are kept as ``checkpoints/epoch-0001.keras`` besides the best one in ``model.keras``."""
    health: Literal["auto", "every", "none"] = "auto"
    """When gradients, updates and activations of the layers are looked at on one batch, to warn of faults with their
    remedies: after the first epoch and as long as that takes 3 % of the training at most; after every epoch; never."""
    tensorboard: bool = False
    """Whether to write the numbers of each epoch and histograms of the weights to ``tensorboard/`` as well."""

    @model_validator(mode="after")
    def _combination_works(self) -> Self:
        known = self.devices.known_replicas
        kind: Literal["gpu", "cpu"] = "cpu" if self.devices.kind == "cpu" else "gpu"
        for problem in problems(self, known or 1, kind):
            raise ValueError(problem)
        return self


def check_placed(settings: FitSettings, replicas: int, kind: Literal["gpu", "cpu"]) -> None:
    """``problems`` once more, now that the devices are known. Raises ``ConfigError`` with the first."""
    for problem in problems(settings, replicas, kind):
        raise ConfigError(
            f"{problem} (training found {replicas} x {kind})",
            "settings that work on these devices",
            "change these settings of the training, or its `devices`",
        )


def problems(settings: FitSettings, replicas: int, kind: Literal["gpu", "cpu"]) -> Iterator[str]:
    """Why these settings crash or go wrong on that many replicas, one reason at a time."""
    optimizer = settings.optimizer
    if settings.schedule and settings.reduce_on_plateau:
        yield (
            "schedule and reduce_on_plateau exclude each other: the learning rate of a schedule cannot be set; "
            "leave one out"
        )
    if settings.schedule and settings.schedule.warmup_epochs >= settings.epochs:
        yield f"warmup_epochs {settings.schedule.warmup_epochs:g} leaves nothing of {settings.epochs} epochs"
    if settings.refit and settings.reduce_on_plateau:
        yield (
            "refit and reduce_on_plateau exclude each other: on all rows there is no validation that could tell a "
            "plateau; leave one out, or use a schedule"
        )
    if settings.deterministic_gpu and settings.jit_compile:
        yield "deterministic_gpu and jit_compile exclude each other: XLA has operations that are not deterministic"
    if replicas == 1:
        return
    yield from _problems_of_several(settings, replicas, kind)
    if optimizer.accumulate > 1:
        yield (
            f"accumulate {optimizer.accumulate} needs one replica: Keras cannot merge accumulators of {replicas}; "
            "use a larger batch"
        )


def _problems_of_several(settings: FitSettings, replicas: int, kind: Literal["gpu", "cpu"]) -> Iterator[str]:
    if settings.precision == "mixed_float16":
        yield (
            f"mixed_float16 needs one replica: loss scaling looks for overflow on the first of {replicas} only, and "
            "infinite gradients of another one reach the weights; use mixed_bfloat16"
        )
    if settings.batch % replicas:
        near = max(1, round(settings.batch / replicas)) * replicas
        yield (
            f"batch {settings.batch} is not divisible by {replicas} replicas, and uneven parts change the gradient; "
            f"use {near}"
        )
    if settings.jit_compile and kind == "cpu":
        yield (
            f"jit_compile needs one replica on CPUs: XLA cannot reach the variables of {replicas} logical processors; "
            "leave it out"
        )
