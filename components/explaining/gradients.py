"""Integrated gradients (Sundararajan, Taly & Yan 2017): how much each feature of a row moved the answer.

::

    attribution = (x - baseline) * mean gradient of the output on the straight way from the baseline to x
    sum of the attributions = output(x) - output(baseline)                              (completeness)

The baseline is the average encoded training row. Numbers move on the way; what is a number of a category or a word
moves behind the layer that takes it, as the vector that stands for it: from a vector of zeros for a word, else from the
average. The mean gradient is a sum over Gauss-Legendre points. Of a linear output it is exact: weight * (x - mean).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kilnworks.schemas.errors import ConfigError

NODES = 64
"""Points of the way at which the gradient is taken."""
PIECE = 256
"""Rows of the sample that go through the model at a time."""


class Moved(keras.layers.Layer):
    """Behind a layer that takes whole numbers or texts: on the way to what it gives, and seen by the tape in force."""

    def __init__(self, source: str, words: bool, **options: Any) -> None:
        super().__init__(**options)
        self.supports_masking = True
        self.source, self.words = source, words
        self.whole: Any = None
        self.seen: Any = None
        self.way: Any = None

    def call(self, x: Any) -> Any:
        """``x`` [n, ...] itself where nothing is asked; else the point of the way."""
        if self.way is None:
            return x
        self.whole = tf.convert_to_tensor(x)
        share, tape, baseline = self.way
        self.seen = baseline + share * (self.whole - baseline)
        tape.watch(self.seen)
        return self.seen


class Gradients:
    """Attributions of one model's output.

    Args:
        model: encoded tensors by name in, [n, K] out; its layers are shared, not changed.
        average: the average encoded row, float32 [*shape] by name; of embedded inputs it is not looked at.
        sample: some encoded rows, whose average vector is where categories begin.

    Raises:
        ConfigError: an input of whole numbers or texts goes into nothing that gives numbers.
    """

    def __init__(self, model: Any, average: Mapping[str, np.ndarray], sample: Mapping[str, np.ndarray]) -> None:
        self._moved: list[Moved] = []
        self._sources = {tensor.name: tensor.name for tensor in model.inputs if not tensor.dtype.startswith("float")}
        self._floats = [tensor.name for tensor in model.inputs if tensor.dtype.startswith("float")]
        self._model = keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=self._called)
        covered = {*self._floats, *(one.source for one in self._moved)}
        others = [tensor.name for tensor in model.inputs if tensor.name not in covered]
        if others:
            raise ConfigError(
                f"input {others[0]!r} of the model holds no numbers and goes into no layer that gives some",
                "an embedding, or another layer of that kind, behind it",
                "take another architecture, or leave explanations out",
            )
        self._base = {name: tf.constant(average[name], tf.float32) for name in self._floats}
        self._starts = self._vectors(sample)

    def _called(self, layer: Any, *args: Any, **kwargs: Any) -> Any:
        out = layer(*args, **kwargs)
        given = args[0] if args else None
        if not (isinstance(given, keras.KerasTensor) and isinstance(out, keras.KerasTensor)):
            return out
        source = self._sources.get(given.name)
        if source and _passes(layer, given, out):
            self._sources[out.name] = source
        if source is None or not out.dtype.startswith("float"):
            return out
        words = isinstance(layer, keras.layers.Embedding) and len(out.shape) > 2
        self._moved.append(Moved(source, words, name=f"{layer.name}_moved"))
        return self._moved[-1](out)

    def _vectors(self, sample: Mapping[str, np.ndarray]) -> list[Any]:
        """Where each begins: zeros for words, else the average, [1, ...]."""
        rows = len(next(iter(sample.values())))
        sums: list[Any] = [0.0] * len(self._moved)
        for start in range(0, rows if self._moved else 0, PIECE):
            with tf.GradientTape() as tape:
                for one in self._moved:
                    one.way = (1.0, tape, 0.0)
                piece = {name: tf.constant(values[start : start + PIECE]) for name, values in sample.items()}
                self._model(piece, training=False)
            found = [tf.reduce_sum(one.whole, axis=0, keepdims=True) for one in self._moved]
            sums = [total + one for total, one in zip(sums, found, strict=True)]
            self._rest()
        return [
            tf.zeros(total.shape[-1:]) if one.words else total / rows
            for one, total in zip(self._moved, sums, strict=True)
        ]

    def _rest(self) -> None:
        for one in self._moved:
            one.way = one.whole = one.seen = None

    def explained(self, encoded: Mapping[str, Any], output: Any = None) -> tuple[dict[str, Any], Any, Any]:
        """With TensorFlow, also inside a traced function.

        Args:
            encoded: tensors by name, [n, *shape].
            output: which of the K outputs is explained, int [n]; by default the highest one, of one output that.

        Returns:
            Attributions by tensor name: [n, *shape] of numbers, [n, T] of words, [n] of others that do not move
            themselves; the output [n] of the rows, and that of the baseline [n].
        """
        values = self._model(encoded, training=False)
        (values,) = values.values() if isinstance(values, Mapping) else (values,)
        chosen = tf.argmax(values, axis=1, output_type=tf.int32) if output is None else tf.cast(output, tf.int32)
        nodes, weights = np.polynomial.legendre.leggauss(NODES)
        shares = tf.constant((nodes + 1) / 2, tf.float32)
        parts = tf.constant(weights / 2, tf.float32)
        base, found = self._walked(encoded, 0.0, chosen)
        empty = [tf.zeros_like(tensor) for tensor in found]

        def body(i: Any, *sums: Any) -> Any:
            _, slopes = self._walked(encoded, shares[i], chosen)
            return (i + 1, *(total + parts[i] * one for total, one in zip(sums, slopes, strict=True)))

        # one point after the other: several at once would need the memory of as many batches
        _, *sums = tf.while_loop(lambda i, *_: i < NODES, body, [tf.constant(0), *empty], parallel_iterations=1)
        places = len(self._floats)
        credited = dict(zip(self._floats, sums[:places], strict=True))
        for layer, one in zip(self._moved, sums[places:], strict=True):
            summed = tf.reduce_sum(one, axis=-1 if layer.words else list(range(1, len(one.shape))))
            credited[layer.source] = credited[layer.source] + summed if layer.source in credited else summed
        return credited, tf.gather(values, chosen, batch_dims=1), base

    def chosen(self, encoded: Mapping[str, Any], classes: int) -> Any:
        """The place of the class that is explained, int32 [n]: of one output the second of two classes."""
        values = self._model(encoded, training=False)
        (values,) = values.values() if isinstance(values, Mapping) else (values,)
        best = tf.argmax(values, axis=1, output_type=tf.int32)
        return best + 1 if values.shape[1] == 1 and classes == 2 else best

    def _walked(self, encoded: Mapping[str, Any], share: Any, chosen: Any) -> tuple[Any, list[Any]]:
        """The chosen output [n] at a point of the way, and (x - baseline) * gradient of all that moves."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            given = dict(encoded)
            for name in self._floats:
                base = self._base[name][tf.newaxis]
                given[name] = base + share * (tf.cast(encoded[name], tf.float32) - base)
                tape.watch(given[name])
            for one, start in zip(self._moved, self._starts, strict=True):
                one.way = (share, tape, start)
            values = self._model(given, training=False)
            (values,) = values.values() if isinstance(values, Mapping) else (values,)
            said = tf.gather(tf.cast(values, tf.float32), chosen, batch_dims=1)
        moving = [given[name] for name in self._floats] + [one.seen for one in self._moved]
        whole = [tf.cast(encoded[name], tf.float32) - self._base[name][tf.newaxis] for name in self._floats]
        whole += [one.whole - start for one, start in zip(self._moved, self._starts, strict=True)]
        slopes = tape.gradient(said, moving, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        self._rest()
        return said, [tf.convert_to_tensor(slope) * size for slope, size in zip(slopes, whole, strict=True)]


def _passes(layer: Any, given: Any, out: Any) -> bool:
    """Whether a layer of whole numbers gives what it takes, as noise does that hides words in training only."""
    if not isinstance(layer, keras.layers.Layer) or (out.dtype, out.shape) != (given.dtype, given.shape):
        return False
    if not given.dtype.startswith("int") or None in given.shape[1:]:
        return False
    some = tf.fill((1, *given.shape[1:]), tf.constant(1, given.dtype))
    return bool(tf.reduce_all(layer(some) == some))
