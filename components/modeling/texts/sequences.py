"""Layers for numbers of words: what is padding, where a word stands, and pooling that does not see the padding.

Importing this module registers its layers, which ``keras.saving.load_model`` needs.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

UNKNOWN, FIRST = 1, 3
"""The number of an unknown word, and the first of a known one, see ``kilnworks.components.features.text.tokens``."""
NOTHING = -1e9
"""In place of padding where the largest is looked for."""


class _Plain(keras.layers.Layer):
    """A layer without weights, whose operations are those of Keras."""

    def in_stock_layers(self, inputs: Any) -> Any:
        """The operations themselves, for a model that needs no layer of this project."""
        return self.call(inputs)


@keras.saving.register_keras_serializable(package="kilnworks")
class Words(_Plain):
    """Which places hold a word: numbers [N, T] to [N, 1, T] bool, as attention takes it."""

    def call(self, inputs: Any) -> Any:
        """Look for padding."""
        return ops.expand_dims(ops.not_equal(inputs, 0), 1)

    def compute_output_spec(self, inputs: Any) -> Any:
        """[N, 1, T] bool."""
        return keras.KerasTensor((inputs.shape[0], 1, inputs.shape[1]), "bool")


@keras.saving.register_keras_serializable(package="kilnworks")
class Places(_Plain):
    """Numbers [N, T] to the place of each, 0 to T - 1, [N, T] int32."""

    def call(self, inputs: Any) -> Any:
        """Count."""
        return ops.zeros_like(inputs) + ops.arange(inputs.shape[1], dtype="int32")

    def compute_output_spec(self, inputs: Any) -> Any:
        """[N, T] int32."""
        return keras.KerasTensor(inputs.shape, "int32")


@keras.saving.register_keras_serializable(package="kilnworks")
class BlankPadding(_Plain):
    """(features [N, T, F], numbers [N, T]) to the features, 0 where no word is: nothing for a convolution to see."""

    def call(self, inputs: Any) -> Any:
        """Blank."""
        features, numbers = inputs
        return ops.where(ops.expand_dims(ops.not_equal(numbers, 0), -1), features, ops.zeros_like(features))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """That of the features."""
        return tuple(input_shape[0])


@keras.saving.register_keras_serializable(package="kilnworks")
class PoolWords(_Plain):
    """(features [N, T, F], numbers [N, T]) to [N, F]: the mean, or the largest, over the words alone.

    Args:
        by: ``mean`` or ``max``.
    """

    def __init__(self, by: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.by = by

    def call(self, inputs: Any) -> Any:
        """Pool; a text has one number at least, its start."""
        features, numbers = inputs
        there = ops.expand_dims(ops.not_equal(numbers, 0), -1)
        if self.by == "max":
            return ops.max(ops.where(there, features, ops.cast(NOTHING, features.dtype)), axis=1)
        kept = ops.where(there, features, ops.zeros_like(features))
        return ops.sum(kept, axis=1) / ops.maximum(ops.sum(ops.cast(there, features.dtype), axis=1), 1)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """[N, F]."""
        return (input_shape[0][0], input_shape[0][2])

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "by": self.by}


@keras.saving.register_keras_serializable(package="kilnworks")
class WordNoise(keras.layers.Layer):
    """Augmentation, in training only: words become unknown, and neighbours change places.

    Args:
        drop: share of the words that become unknown, 0 to 1 (word dropout: Iyyer et al. 2015).
        swap: share of the words that change places with the next one, 0 to 1 (Wei & Zou 2019).
    """

    def __init__(self, drop: float = 0.0, swap: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "int32"})
        self.drop, self.swap = drop, swap
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Numbers [N, T] to numbers; start and padding stay where they are."""
        if not training:
            return inputs
        numbers = inputs
        word = ops.logical_and(numbers != 0, ops.arange(numbers.shape[1]) > 0)
        if self.swap:
            drawn = keras.random.uniform(ops.shape(numbers), seed=self.seed_generator, dtype="float32") < self.swap
            first = ops.logical_and(ops.logical_and(drawn, word), ops.roll(word, -1, axis=1))
            first = ops.logical_and(first, ops.logical_not(ops.roll(first, 1, axis=1)))
            second = ops.roll(first, 1, axis=1)
            before, after = (ops.roll(numbers, step, axis=1) for step in (1, -1))
            numbers = ops.where(second, before, ops.where(first, after, numbers))
        if self.drop:
            drawn = keras.random.uniform(ops.shape(numbers), seed=self.seed_generator, dtype="float32") < self.drop
            numbers = ops.where(ops.logical_and(drawn, word), UNKNOWN, numbers)
        return numbers

    def in_stock_layers(self, inputs: Any) -> Any:
        """The numbers as they are: outside of training nothing happens."""
        return inputs

    def compute_output_spec(self, inputs: Any, training: bool = False) -> Any:
        """[N, T] int32."""
        return keras.KerasTensor(inputs.shape, "int32")

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "drop": self.drop, "swap": self.swap}


@keras.saving.register_keras_serializable(package="kilnworks")
class SynonymNoise(keras.layers.Layer):
    """Augmentation, in training only: words are replaced by others of the same meaning (Wei & Zou 2019).

    Its one weight, ``table`` int32 [rows, most], holds the numbers that may stand for each, from the left, then 0.

    Args:
        share: of the words that have a synonym, 0 to 1.
        rows: numbers that there are.
        most: synonyms of a word, at most.
    """

    def __init__(self, share: float, rows: int, most: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "int32"})
        self.share, self.rows, self.most = share, rows, most
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape: Any) -> None:
        """Make the table, empty."""
        shape = (self.rows, self.most)
        self.table = self.add_weight(name="table", shape=shape, dtype="int32", initializer="zeros", trainable=False)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Numbers [N, T] to numbers."""
        if not training:
            return inputs
        choices = ops.take(self.table, inputs, axis=0)
        count = ops.sum(ops.cast(choices > 0, "int32"), axis=-1)
        drawn = [keras.random.uniform(ops.shape(inputs), seed=self.seed_generator, dtype="float32") for _ in range(2)]
        place = ops.minimum(ops.cast(drawn[1] * ops.cast(count, "float32"), "int32"), ops.maximum(count - 1, 0))
        other = ops.squeeze(ops.take_along_axis(choices, ops.expand_dims(place, -1), axis=-1), -1)
        return ops.where(ops.logical_and(drawn[0] < self.share, count > 0), other, inputs)

    def in_stock_layers(self, inputs: Any) -> Any:
        """The numbers as they are: outside of training nothing happens."""
        return inputs

    def compute_output_spec(self, inputs: Any, training: bool = False) -> Any:
        """[N, T] int32."""
        return keras.KerasTensor(inputs.shape, "int32")

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "share": self.share, "rows": self.rows, "most": self.most}
