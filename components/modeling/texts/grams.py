"""The layer of skip-gram: how well the words of a text foretell one another, its vector, and the words nearest to that.

Importing this module registers its layers, which ``keras.saving.load_model`` needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from kilnworks.schemas.errors import ConfigError

BANK = 1 << 16
"""Numbers of words drawn beforehand as their noise wants it, from which negatives are taken."""
TOLD = 3
"""Columns in front of the vector: loss, loss of frequency alone, weight of the pairs."""


class Tables(NamedTuple):
    """What is known of a word, each from numbers [...] to values, and the likeness of vectors [N, D] to all words."""

    vectors: Callable[[Any], Any]
    contexts: Callable[[Any], Any]
    bias: Callable[[Any], Any]
    keep: Callable[[Any], Any]
    noise: Callable[[Any], Any]
    alike: Callable[[Any], Any]


@keras.saving.register_keras_serializable(package="kilnworks")
class SkipGrams(keras.layers.Layer):
    """Numbers of words [N, T] to [N, 3 + D + 2 K]: loss, loss of frequency alone, weight; vector; words, likeness.

    A pair of words ``d`` places apart weighs as often as word2vec would draw it: ``(window + 1 - d) / window`` for its
    random window, times the share of each of the two that subsampling keeps (Mikolov et al. 2013). The loss is the sum
    over pairs of ``-log s(v.c + b)`` and, for each of the negatives, ``-log s(-(v.n + b))``. ``bias`` b is what
    frequency alone tells of a word, so that the vectors are left with what words tell of one another. All three numbers
    are divided by the weight that a text has in the mean. In training negatives are random, else always the same.

    The vector is the mean of the words' vectors, weighted as they are kept; the K nearest words are by cosine, without
    the word itself where the text holds but one. Weights that are set and never trained: ``bias``, ``keep``, ``noise``,
    ``usual``.

    Args:
        size: different numbers.
        dimensions: D.
        window: how many places apart a pair may be.
        negatives: drawn for each word.
        nearest: K.
    """

    def __init__(self, size: int, dimensions: int, window: int, negatives: int, nearest: int, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.size, self.dimensions, self.window, self.negatives, self.nearest = (
            size, dimensions, window, negatives, nearest
        )  # fmt: skip
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape: Any) -> None:
        """Make the weights: a new model tells as much as frequency does."""
        size, spread = self.size, 0.5 / self.dimensions
        small = keras.initializers.RandomUniform(-spread, spread)
        wide = (size, self.dimensions)
        self.vectors = self.add_weight(name="vectors", shape=wide, initializer=small)
        self.contexts = self.add_weight(name="contexts", shape=wide, initializer="zeros")
        self.bias = self.add_weight(name="bias", shape=(size, 1), initializer="zeros", trainable=False)
        self.keep = self.add_weight(name="keep", shape=(size, 1), initializer="ones", trainable=False)
        self.noise = self.add_weight(name="noise", shape=(BANK, 1), initializer="zeros", trainable=False)
        self.usual = self.add_weight(name="usual", shape=(1,), initializer="ones", trainable=False)

    def _tables(self) -> Tables:
        def of(table: Any) -> Callable[[Any], Any]:
            return lambda numbers: ops.take(table, numbers, axis=0)

        return Tables(
            of(self.vectors), of(self.contexts), of(self.bias), of(self.keep), of(self.noise),
            lambda vector: ops.matmul(vector, ops.transpose(_unit(self.vectors))),
        )  # fmt: skip

    def call(self, inputs: Any) -> Any:
        """Everything, with the same negatives every time."""
        return self._all(inputs, self._tables(), lambda told: told / self.usual)

    def pairs(self, inputs: Any, training: bool = False) -> Any:
        """Loss, loss of frequency alone and weight alone, [N, 3]."""
        return self._pairs(inputs, self._tables(), training) / self.usual

    def _all(self, numbers: Any, tables: Tables, scaled: Callable[[Any], Any]) -> Any:
        told = scaled(self._pairs(numbers, tables, False))
        share = tables.keep(numbers)
        vector = ops.sum(tables.vectors(numbers) * share, axis=1) / ops.maximum(ops.sum(share, axis=1), 1e-9)
        words, likeness = self._nearest(numbers, share[..., 0], vector, tables)
        return ops.concatenate([told, vector, ops.cast(words, "float32"), likeness], axis=1)

    def _nearest(self, numbers: Any, share: Any, vector: Any, tables: Tables) -> tuple[Any, Any]:
        """Numbers and cosines of the nearest words, [N, K] each, 0 for a text without a known word."""
        known = share > 0
        low = ops.min(ops.where(known, numbers, self.size), axis=1, keepdims=True)
        high = ops.max(ops.where(known, numbers, 0), axis=1, keepdims=True)
        every = ops.expand_dims(ops.arange(self.size, dtype="int32"), 0)
        all_kept = tables.keep(every)[..., 0] > 0
        itself = ops.logical_and(ops.equal(low, high), ops.equal(every, high))
        cosine = ops.where(ops.logical_and(all_kept, ops.logical_not(itself)), tables.alike(_unit(vector)), -2.0)
        likeness, words = ops.top_k(cosine, self.nearest)
        there = ops.logical_and(high > 0, likeness > -2.0)
        return ops.where(there, ops.cast(words, "int32"), 0), ops.where(there, likeness, 0.0)

    def _pairs(self, numbers: Any, tables: Tables, training: bool) -> Any:
        """The three sums of each text, [N, 3]."""
        share = tables.keep(numbers)[..., 0]
        vectors, contexts, bias = tables.vectors(numbers), tables.contexts(numbers), tables.bias(numbers)[..., 0]
        loss = base = weight = ops.zeros_like(share)
        places = numbers.shape[1]
        for apart in range(1, min(self.window, places - 1) + 1):
            near, far = slice(None, places - apart), slice(apart, None)
            weighs = (self.window + 1 - apart) / self.window * share[:, near] * share[:, far]
            for one, other in ((near, far), (far, near)):
                right = ops.sum(vectors[:, one] * contexts[:, other], axis=-1) + bias[:, other]
                pad = [[0, 0], [0, apart] if one is near else [apart, 0]]
                loss = loss + ops.pad(weighs * ops.softplus(-right), pad)
                base = base + ops.pad(weighs * ops.softplus(-bias[:, other]), pad)
                weight = weight + ops.pad(weighs, pad)
        for drawn in self._drawn(numbers, training):
            others = ops.cast(tables.noise(drawn)[..., 0], "int32")
            level = tables.bias(others)[..., 0]
            wrong = ops.sum(vectors * tables.contexts(others), axis=-1) + level
            loss, base = loss + weight * ops.softplus(wrong), base + weight * ops.softplus(level)
        return ops.stack([ops.sum(each, axis=1) for each in (loss, base, weight)], axis=1)

    def _drawn(self, numbers: Any, training: bool) -> list[Any]:
        """For each negative, places of the bank [N, T]."""
        if training:
            shape = ops.shape(numbers)
            return [
                keras.random.randint(shape, 0, BANK, seed=self.seed_generator, dtype="int32")
                for _ in range(self.negatives)
            ]
        places = ops.expand_dims(ops.arange(numbers.shape[1], dtype="int32"), 0)
        return [ops.mod(numbers * 7919 + places * 104_729 + k * 15_485_863, BANK) for k in range(self.negatives)]

    def in_stock_layers(self, inputs: Any) -> Any:
        """The same by layers of Keras, with the values of the weights."""

        def held(name: str, table: Any) -> Callable[[Any], Any]:
            """A layer that looks a fixed table up."""
            layer = keras.layers.Embedding(*table.shape, name=f"{self.name}_{name}")
            layer.build(None)
            layer.set_weights([ops.convert_to_numpy(table)])
            return layer

        unit = ops.convert_to_numpy(_unit(self.vectors)).T
        alike = keras.layers.Dense(self.size, use_bias=False, name=f"{self.name}_alike")
        alike.build((None, self.dimensions))
        alike.set_weights([unit])
        named = {name: held(name, getattr(self, name)) for name in Tables._fields[:-1]}
        usual = float(ops.convert_to_numpy(self.usual)[0])
        return self._all(inputs, Tables(**named, alike=alike), lambda told: told / usual)

    def compute_output_spec(self, inputs: Any) -> Any:
        """[N, 3 + D + 2 K] float32."""
        return keras.KerasTensor((inputs.shape[0], TOLD + self.dimensions + 2 * self.nearest), "float32")

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        own = ("size", "dimensions", "window", "negatives", "nearest")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


class Pairs(keras.Model):
    """What is trained: the pairs alone, with random negatives; nothing is looked up among all words."""

    def __init__(self, grams: SkipGrams, feature: str) -> None:
        """``feature``: name of the encoded text."""
        super().__init__(name="pairs")
        self.grams, self._feature = grams, feature

    def call(self, inputs: Any, training: bool = False) -> Any:
        """[N, 3]."""
        return self.grams.pairs(inputs[self._feature], training)


def _unit(vectors: Any) -> Any:
    return vectors / ops.maximum(ops.sqrt(ops.sum(ops.square(vectors), axis=-1, keepdims=True)), 1e-9)


def grams_of(model: Any) -> SkipGrams:
    """The layer of a model of skip-gram. Raises ``ConfigError`` for another model."""
    for layer in model.layers:
        if isinstance(layer, SkipGrams):
            return layer
    raise ConfigError(f"model {model.name} has no vectors of words", "a model of skipgram", "name a run of one")
