"""The layer that changes sequences in training. Importing this module registers it, as ``load_model`` needs."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops


def resampled(values: Any, places: Any) -> Any:
    """Values between steps: [N, T, C] at the places [N, T], 0 to T - 1, in a straight line from step to step.

    Where the nearer step is none (0 in all channels), so is what comes out; beside it the other one is taken alone.
    """
    steps = values.shape[1]
    before = ops.clip(ops.cast(ops.floor(places), "int32"), 0, steps - 1)
    after = ops.minimum(before + 1, steps - 1)
    share = ops.expand_dims(places - ops.cast(before, places.dtype), -1)
    first, second = (ops.take_along_axis(values, ops.expand_dims(at, -1), axis=1) for at in (before, after))
    there = [ops.any(ops.not_equal(part, 0), axis=-1, keepdims=True) for part in (first, second)]
    between = (1 - share) * first + share * second
    nearer = ops.where(share < 0.5, first, second)
    return ops.where(ops.logical_and(*there), between, nearer)


def lengths(values: Any) -> Any:
    """Steps up to the last that is one, at least 1, float32 [N]."""
    there = ops.any(ops.not_equal(values, 0), axis=-1)
    number = ops.arange(1, values.shape[1] + 1, dtype="int32")
    return ops.maximum(ops.cast(ops.max(ops.where(there, number, 0), axis=1), "float32"), 1.0)


def warped(progress: Any, strength: Any, turn: Any) -> Any:
    """Time that runs unevenly: progress [N, T], 0 to 1, to progress; both ends stay where they are.

    ``p + strength * (sin(2 pi p + turn) - sin(turn)) / (2 pi)``, of which the speed is ``1 + strength * cos(...)``.

    Args:
        progress: [N, T].
        strength: [N, 1], above -1 and below 1, or time would run backwards.
        turn: [N, 1], where the fast and the slow parts lie.
    """
    full = 2 * math.pi
    return progress + strength * (ops.sin(full * progress + turn) - ops.sin(turn)) / full


@keras.saving.register_keras_serializable(package="kilnworks")
class SequenceNoise(keras.layers.Layer):
    """Changes of sequences [N, T, C] in training, and none outside of it; steps that are none stay none.

    Args:
        jitter: see ``SequenceAugmentation``, as are the others.
        scaling: see there.
        warp: see there.
        slice: see there.
        rate: see there.
    """

    def __init__(
        self,
        jitter: float = 0.0,
        scaling: float = 0.0,
        warp: float = 0.0,
        slice: float = 1.0,
        rate: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.jitter, self.scaling, self.warp, self.slice, self.rate = jitter, scaling, warp, slice, rate
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Change."""
        if not training:
            return inputs
        x = self._in_time(inputs) if self.warp or self.slice < 1 else inputs
        there = ops.any(ops.not_equal(x, 0), axis=-1, keepdims=True)
        rows = ops.shape(x)[0]
        if self.scaling:
            x = x * (1 + self.scaling * keras.random.normal((rows, 1, x.shape[2]), seed=self.seed_generator))
        if self.jitter:
            x = x + self.jitter * keras.random.normal(ops.shape(x), seed=self.seed_generator)
        x = ops.where(there, x, ops.zeros_like(x))
        return ops.where(self._drawn((rows, 1, 1)) < self.rate, x, inputs)

    def _in_time(self, values: Any) -> Any:
        """Values at other places of the same sequence."""
        rows, steps = ops.shape(values)[0], values.shape[1]
        last = ops.expand_dims(lengths(values) - 1, -1)
        number = ops.expand_dims(ops.arange(steps, dtype="float32"), 0)
        progress = ops.minimum(number / ops.maximum(last, 1.0), 1.0)
        if self.warp:
            strength, turn = self._drawn((rows, 1), -self.warp, self.warp), self._drawn((rows, 1), 0.0, 2 * math.pi)
            progress = warped(progress, strength, turn)
        if self.slice < 1:
            part = self._drawn((rows, 1), self.slice, 1.0)
            progress = self._drawn((rows, 1)) * (1 - part) + part * progress
        return resampled(values, ops.where(number <= last, progress * last, number))

    def _drawn(self, shape: Any, low: float = 0.0, high: float = 1.0) -> Any:
        return keras.random.uniform(shape, low, high, seed=self.seed_generator)

    def in_stock_layers(self, inputs: Any) -> Any:
        """The sequences as they are: outside of training nothing happens."""
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Unchanged."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        own = {name: getattr(self, name) for name in ("jitter", "scaling", "warp", "slice", "rate")}
        return {**super().get_config(), **own}
