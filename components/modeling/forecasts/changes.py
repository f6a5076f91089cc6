"""Training on changed windows: history and what comes next by the same factor, noise on the history alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kilnworks.components.modeling.ensemble import MemberTraining
from kilnworks.components.modeling.forecasts.settings import SeriesAugmentation


def deviation(history: Any) -> Any:
    """Standard deviation of each window [N, T] over the values that are there, [N, 1]; 0 where none is."""
    there = ops.isfinite(history)
    values = ops.where(there, history, ops.zeros_like(history))
    count = ops.maximum(ops.sum(ops.cast(there, history.dtype), axis=1, keepdims=True), 1)
    mean = ops.sum(values, axis=1, keepdims=True) / count
    apart = ops.where(there, history - mean, ops.zeros_like(history))
    return ops.sqrt(ops.sum(ops.square(apart), axis=1, keepdims=True) / count)


class Changing:
    """What trains on changed windows; it wraps the layers of a model while that is trained, and is not saved itself.

    No ``keras.Model`` itself: Keras changes the bases of a model when it is made, and two of its classes that
    are the bases of a third then call one another in an order that hangs on which was made first.
    """

    def __init__(self, *args: Any, past: str = "", changes: SeriesAugmentation | None = None, **kwargs: Any) -> None:
        """``past``: name of the input that is the label's past."""
        super().__init__(*args, **kwargs)
        self.past, self.changes = past, changes or SeriesAugmentation()
        self.random = keras.random.SeedGenerator()

    def train_step(self, data: Any) -> Mapping[str, Any]:
        """One step on a batch that is changed."""
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        x, y = self.changed(dict(x), y)
        found: Mapping[str, Any] = super().train_step((x, y) if weight is None else (x, y, weight))  # type: ignore[misc]
        return found

    def changed(self, x: dict[str, Any], y: Any) -> tuple[dict[str, Any], Any]:
        """Inputs by name and what comes next, [N, horizon], changed together; missing values stay missing."""
        history = ops.cast(x[self.past], "float32")
        rows = ops.shape(history)[0]
        some = ops.cast(keras.random.uniform((rows, 1), seed=self.random) < self.changes.rate, "float32")
        if self.changes.jitter:
            noise = keras.random.normal(ops.shape(history), seed=self.random)
            history = history + some * self.changes.jitter * deviation(history) * noise
        if self.changes.scaling:
            factor = ops.exp(some * self.changes.scaling * keras.random.normal((rows, 1), seed=self.random))
            history, y = history * factor, ops.cast(y, "float32") * factor
        return {**x, self.past: history}, y


class ChangedSeries(Changing, keras.Model):
    """Trains one network on changed windows."""


class ChangedMembers(Changing, MemberTraining):
    """The same for several members, each with a loss of its own."""
