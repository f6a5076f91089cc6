"""Losses that Keras does not have ready."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras


class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy of class indices [N] against probabilities [N, K], with label smoothing (Szegedy et al. 2016).

    The target of the true class is ``1 - smoothing + smoothing / K``, of each other ``smoothing / K``.
    """

    def __init__(self, classes: int, smoothing: float) -> None:
        super().__init__(name="smoothed_crossentropy")
        self.classes, self.smoothing = classes, smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of each row, [N], in nats."""
        targets = keras.ops.one_hot(keras.ops.cast(keras.ops.reshape(y_true, (-1,)), "int32"), self.classes)
        return keras.losses.categorical_crossentropy(targets, y_pred, label_smoothing=self.smoothing)


class WeightedCrossentropy(keras.losses.Loss):
    """Binary cross-entropy of [N, K], where each pair of a row and a class has a weight; mean over the K classes.

    Args:
        absent: weight of a pair whose row does not have the class, by class [K].
        present: weight of one whose row has it, by class [K].
        smoothing: how far the targets are from 0 and 1: half of it. The weight is that of the true label.
    """

    def __init__(self, absent: Sequence[float], present: Sequence[float], smoothing: float) -> None:
        super().__init__(name="weighted_crossentropy")
        self.absent, self.present, self.smoothing = tuple(absent), tuple(present), smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of each row, [N], in nats times a weight."""
        has = keras.ops.cast(y_true, y_pred.dtype)
        absent, present = (keras.ops.convert_to_tensor(w, y_pred.dtype) for w in (self.absent, self.present))
        targets = has * (1 - self.smoothing) + 0.5 * self.smoothing
        each = keras.ops.binary_crossentropy(targets, y_pred)
        return keras.ops.mean((has * present + (1 - has) * absent) * each, axis=-1)


class StandardisedError(keras.losses.Loss):
    """Error of values [N, 1] in standard deviations of the training labels, whatever their unit.

    Args:
        kind: what is made of an error.
        scale: a standard deviation, with ``log`` of the logarithms.
        log: whether the error is that of the logarithm; values and labels are then above 0.
    """

    def __init__(self, kind: Literal["squared", "absolute", "huber"], scale: float, log: bool = False) -> None:
        super().__init__(name=f"{kind}_error")
        self.kind, self.scale, self.log = kind, scale, log

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of each row, [N]. Huber's bends at one standard deviation."""
        truth = keras.ops.cast(y_true, y_pred.dtype)
        if self.log:
            truth, y_pred = (keras.ops.log(keras.ops.maximum(y, keras.config.epsilon() ** 4)) for y in (truth, y_pred))
        difference = (truth - y_pred) / self.scale
        size = keras.ops.abs(difference)
        match self.kind:
            case "squared":
                each = keras.ops.square(difference)
            case "absolute":
                each = size
            case "huber":
                each = keras.ops.where(size <= 1, keras.ops.square(difference) / 2, size - 0.5)
        return keras.ops.mean(each, axis=-1)


SMALL_ERROR = 1e-2
"""Squared error, in squared spreads, below which a smaller one is hardly better."""


def log_error(y_true: Any, y_pred: Any) -> Any:
    """Logarithm of each row's mean squared error, [N], of the squared errors of its columns, [N, D].

    The gradient of a row is divided by its error, so that rows that stay far off hardly count (the likelihood of a
    heavy-tailed distribution, as in Huber's and Cauchy's estimators). Targets are not looked at.
    """
    return keras.ops.log(keras.ops.mean(y_pred, axis=-1) + SMALL_ERROR)


class Pinball(keras.losses.Loss):
    """Pinball loss (Koenker & Bassett 1978) of values [N, H] against their quantiles [N, H, Q], over ``scale``.

    Args:
        shares: of each quantile, the share of values below it, [Q].
        scale: a usual deviation, in the unit of the values.
    """

    def __init__(self, shares: Sequence[float], scale: float) -> None:
        super().__init__(name="pinball")
        self.shares, self.scale = tuple(shares), scale

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss of each row, [N]."""
        shares = keras.ops.convert_to_tensor(self.shares, y_pred.dtype)
        apart = (keras.ops.expand_dims(keras.ops.cast(y_true, y_pred.dtype), -1) - y_pred) / self.scale
        return keras.ops.mean(keras.ops.maximum(shares * apart, (shares - 1) * apart), axis=(-2, -1))


def first_column(y_true: Any, y_pred: Any) -> Any:
    """What a model says of each row itself, in the first of its columns [N, K]; targets are not looked at."""
    return y_pred[:, 0]
