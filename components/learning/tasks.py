"""What a task asks of training: head, loss, metrics, and the weight of each class."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from components.learning.labels import LabelStatistics, classes
from components.learning.totals import Totals
from components.modeling.heads import Head, TaskKind
from schemas.contract import Contract
from schemas.errors import ConfigError, DataInvalid, UnknownName
from schemas.magnitudes import LARGEST_SPREAD
from schemas.words import listed, named

RegressionLoss = Literal["squared", "absolute", "huber"]

SMALLER_IS_BETTER = {"loss": True, "accuracy": False, "auc": False, "mae": True, "rmse": True}
"""Direction of every number that training reports."""

_TRAINING = {"binary": ("accuracy",), "multiclass": ("accuracy",), "regression": ("mae",)}
_VALIDATION = {"binary": ("accuracy", "auc"), "multiclass": ("accuracy",), "regression": ("mae", "rmse")}


def reported(kind: TaskKind, validation: bool) -> tuple[str, ...]:
    """Names of the numbers of an epoch, in order: ``loss``, ``accuracy``, ``val_loss``, ..."""
    train = ("loss", *_TRAINING[kind])
    return (*train, *(f"val_{name}" for name in ("loss", *_VALIDATION[kind]))) if validation else train


def direction(monitor: str, kind: TaskKind, validation: bool) -> Literal["min", "max"]:
    """Whether training wants the monitored number small or large.

    Raises:
        ConfigError: the number is of the validation split, and there is none.
        UnknownName: no such number.
    """
    if monitor in reported(kind, True) and not validation and monitor.startswith("val_"):
        raise ConfigError(
            f"monitor {monitor!r}, and the examples have no rows in split 'val'",
            "a validation split",
            "make one in the ingest step, or set monitor to loss",
        )
    if monitor not in reported(kind, validation):
        raise UnknownName(f"number of a {kind} task to monitor", monitor, reported(kind, validation))
    return "min" if SMALLER_IS_BETTER[monitor.removeprefix("val_")] else "max"


@dataclass(frozen=True)
class Task:
    """A task with what its training labels tell.

    Attributes:
        kind: of prediction.
        head: the output of the model.
        loss: a Keras loss; mean over the rows of a batch.
    """

    kind: TaskKind
    head: Head
    loss: Any

    def metrics(self) -> list[Any]:
        """New Keras metrics of the training rows, cheap ones; their variables belong to the strategy in scope."""
        import keras

        match self.kind:
            case "binary":
                return [keras.metrics.BinaryAccuracy(name="accuracy")]
            case "multiclass":
                return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
            case "regression":
                return [keras.metrics.MeanAbsoluteError(name="mae")]

    def target(self, label: np.ndarray) -> np.ndarray:
        """Labels as the loss wants them: binary and regression float32 [N, 1], multiclass int32 [N]."""
        return label if self.kind == "multiclass" else label.astype(np.float32)[:, None]

    def totals(self) -> Totals:
        """Empty sums of loss and metrics."""
        return Totals(self.kind, self.loss)

    def measure(self, target: np.ndarray, output: np.ndarray) -> dict[str, float]:
        """Loss (without penalties) and metrics of model outputs against targets; NaN where not defined."""
        totals = self.totals()
        totals.add(target, output)
        return totals.numbers()


def make_task(contract: Contract, label: LabelStatistics, smoothing: float, regression: RegressionLoss) -> Task:
    """The task of a contract, given what the encoded labels of the training split tell.

    Raises:
        ConfigError: label smoothing for a regression.
        DataInvalid: a class that no training row has, or a label that never varies, or too widely for float32.
    """
    import keras

    from components.learning.losses import SmoothedCrossentropy, StandardisedError

    kind = contract.task
    refuse_constant(contract, label)
    if kind == "regression":
        if smoothing:
            raise ConfigError(
                "label_smoothing for a regression", "label_smoothing 0 (it is for classes)", "leave label_smoothing out"
            )
        head = Head(task=kind, offset=label.mean, scale=math.sqrt(label.variance))
        return Task(kind, head, StandardisedError(regression, head.scale))
    if kind == "binary":
        return Task(kind, Head(task=kind), keras.losses.BinaryCrossentropy(label_smoothing=smoothing))
    count = len(classes(contract))
    loss = SmoothedCrossentropy(count, smoothing) if smoothing else keras.losses.SparseCategoricalCrossentropy()
    return Task(kind, Head(task=kind, classes=count), loss)


def refuse_constant(contract: Contract, label: LabelStatistics) -> None:
    """Raise ``DataInvalid`` where the training labels cannot teach what the contract promises."""
    assert contract.label is not None
    name = contract.label.name
    if contract.task == "regression":
        if label.low == label.high:
            raise DataInvalid(f"label {name!r} is {label.low:g} in every training row", "values that vary",
                              "check the source: there is nothing to learn")  # fmt: skip
        if not 1 / LARGEST_SPREAD <= math.sqrt(label.variance) <= LARGEST_SPREAD:
            raise DataInvalid(
                f"label {name!r} has a standard deviation of {math.sqrt(label.variance):.3g}",
                f"one from {1 / LARGEST_SPREAD:g} to {LARGEST_SPREAD:g}: float32 rounds the gradients of others to 0",
                "write the label in another unit, or as its logarithm",
            )
        return
    absent = [str(c) for c, count in zip(classes(contract), label.counts, strict=True) if not count]
    if absent:
        raise DataInvalid(
            f"no training row has label {named(name)} = {listed(absent, 12)}",
            f"rows of every class: {listed(map(str, classes(contract)), 12)}",
            "use a larger training split, or take the class out of label.classes of the contract",
        )


def class_weights(
    setting: Literal["none", "balanced"] | Mapping[str, float], contract: Contract, label: LabelStatistics
) -> np.ndarray | None:
    """The weight of each class, float32 [K], by class index; None where all count the same.

    ``balanced``: ``rows / (K * rows of the class)``, as scikit-learn defines it (King & Zeng 2001).

    Raises:
        ConfigError: weights for a regression, or not exactly one for each class.
    """
    if setting == "none":
        return None
    if contract.task == "regression":
        raise ConfigError(
            "class_weight for a regression", "class_weight 'none' (weights are for classes)", "leave class_weight out"
        )
    names = [str(c) for c in classes(contract)]
    if setting == "balanced":
        return (label.rows / (len(names) * label.counts)).astype(np.float32)
    if set(setting) != set(names):
        raise ConfigError(
            f"class_weight for {listed(sorted(setting))}",
            f"one weight for each class: {listed(names)}",
            "name every class of the contract once",
        )
    return np.array([setting[c] for c in names], np.float32)
