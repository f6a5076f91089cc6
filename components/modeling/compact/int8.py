"""Weights as whole numbers of one byte with a scale by channel, made wide again where a layer reads them.

Symmetric, with zero at zero (Krishnamoorthi 2018, "Quantizing deep convolutional networks for efficient inference")::

    scale = max |w| of a channel / 127        q = round(w / scale), -127 to 127        w' = q * scale

What is not a kernel (biases, normalization) stays float32, and layers compute in float32: each weight moves by half a
scale at most. The Keras model of the artifact holds ``w'``; a SavedModel holds ``q`` and ``scale`` and multiplies them,
which gives the same bits, so the skew check compares both as closely as for any other model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kilnworks.components.modeling.compact.kernels import kernels
from kilnworks.schemas.artifacts import Model
from kilnworks.schemas.errors import StoreError

FILE = "int8.npz"
MOST = 127
"""Largest whole number; -128 is left out, so that both signs reach equally far."""


WORTH = 1024
"""Values of a variable from which on it is rounded: what reads a smaller one makes a graph larger than it saves."""


@dataclass(frozen=True)
class Whole:
    """A variable in whole numbers.

    Attributes:
        place: of the variable in ``model.variables``.
        values: int8, in the shape of the variable, -127 to 127.
        scale: float32, of as many axes, 1 long but for the channels.
    """

    place: int
    values: np.ndarray
    scale: np.ndarray

    @property
    def wide(self) -> np.ndarray:
        """As float32 again."""
        return self.values.astype(np.float32) * self.scale


def whole(weights: np.ndarray, place: int = 0, channels: int = 1) -> Whole:
    """The whole numbers nearest to weights.

    Args:
        weights: float32, two axes or more.
        place: see ``Whole``.
        channels: how many of the last axes are channels, each with a scale of its own.
    """
    summed = tuple(range(weights.ndim - channels))
    scale = (np.abs(weights).max(axis=summed, keepdims=True) / np.float32(MOST)).astype(np.float32)
    scale[scale == 0] = 1.0
    return Whole(place, np.clip(np.rint(weights / scale), -MOST, MOST).astype(np.int8), scale)


def wholes(model: Any, least: int = WORTH) -> list[Whole]:
    """Every kernel of a Keras model with ``least`` values or more in whole numbers; the model stays as it is.

    One with a single weight a channel is left out: its scales would take more than it does.
    """
    chosen = {id(variable) for variable in kernels(model, least)}
    deep = _depthwise(model)
    found = [
        whole(np.asarray(variable), place, 2 if id(variable) in deep else 1)
        for place, variable in enumerate(model.variables)
        if id(variable) in chosen
    ]
    return [one for one in found if one.scale.size < one.values.size]


def rounded(model: Any, found: Sequence[Whole]) -> None:
    """Give a Keras model the values that whole numbers stand for."""
    variables = model.variables
    for one in found:
        variables[one.place].assign(one.wide)


def write_wholes(folder: Path, found: Sequence[Whole]) -> None:
    """Write ``int8.npz`` beside a Keras model that was ``rounded``."""
    arrays = {f"{one.place}.values": one.values for one in found} | {f"{one.place}.scale": one.scale for one in found}
    np.savez(folder / FILE, allow_pickle=False, **arrays)


def as_stored(model: Model, trained: Any) -> Any:
    """How a SavedModel holds a trained model: ``trained`` itself, or with whole numbers where the artifact has them.

    Raises:
        StoreError: the whole numbers are not those of the Keras model.
    """
    if not (model.path / FILE).is_file():
        return trained
    with np.load(model.path / FILE) as arrays:
        places = sorted({int(name.partition(".")[0]) for name in arrays.files})
        found = [Whole(place, arrays[f"{place}.values"], arrays[f"{place}.scale"]) for place in places]
    variables = trained.variables
    for one in found:
        held = np.asarray(variables[one.place]) if one.place < len(variables) else np.zeros(0)
        if held.shape != one.values.shape or not np.array_equal(held, one.wide):
            raise StoreError(
                f"{FILE} of {model.path} does not hold the weights of its Keras model",
                "the whole numbers that the weights were rounded to",
                "run the step that compresses again",
            )
    return Int8Model(trained, found)


class Int8Model:
    """A Keras model whose kernels are int8 variables, called like the model itself, in inference."""

    def __init__(self, model: keras.Model, found: Sequence[Whole]) -> None:
        """``model``: already ``rounded``."""
        self.model = model
        self._values: dict[int, tuple[tf.Variable, tf.Variable]] = {}
        for one in found:
            variable = model.variables[one.place]
            narrow = tf.Variable(one.values, trainable=False, name=f"{variable.name}_int8")
            self._values[id(variable)] = (
                narrow,
                tf.Variable(one.scale, trainable=False, name=f"{variable.name}_scale"),
            )

    @property
    def stored(self) -> list[tf.Variable]:
        """What a SavedModel has to hold of it."""
        plain = [v.value for v in self.model.variables if id(v) not in self._values]
        return [*plain, *(part for pair in self._values.values() for part in pair)]

    def __call__(self, inputs: Any, training: bool = False) -> Any:
        """The outputs of the model, with TensorFlow, also inside a traced function."""
        given = (
            [self._read(v) for v in of] for of in (self.model.trainable_variables, self.model.non_trainable_variables)
        )
        outputs, _ = self.model.stateless_call(*given, inputs, training=training)
        return outputs

    def _read(self, variable: Any) -> Any:
        if id(variable) not in self._values:
            return variable.value
        narrow, scale = self._values[id(variable)]
        return tf.cast(narrow, tf.float32) * scale


def _depthwise(model: Any) -> set[int]:
    """Kernels [.., C, M] of convolutions channel by channel, where both of the last axes are channels."""
    from kilnworks.components.modeling.inside import inside

    kinds = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
    return {id(layer.kernel) for layer in inside(model) if isinstance(layer, kinds)}
