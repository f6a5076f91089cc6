"""A task, a layer and a kind of feature as a project has them."""

from typing import Any, ClassVar

import keras
from keras import ops

from kilnworks.components.features.encoded import NUMERIC, EncodedTensor, keras_name
from kilnworks.components.features.kinds.base import Kind, Layers, Plan, Settled
from kilnworks.components.tasks.regression import Regression
from tests.components.exporting.own_layers import Sine


class Doubled(Regression):
    """Answers in Keras operations alone."""

    kind: ClassVar[str] = "doubled"

    def answers(self, output: Any) -> dict[str, Any]:
        return {"score": ops.cast(output, "float32")[:, 0] * 2.0}

    def answer_layers(self, output: Any) -> dict[str, Any]:
        return self.answers(output)


class InTensorFlow(Regression):
    """Answers with a function that Keras tensors cannot take, and says nothing for Keras."""

    kind: ClassVar[str] = "in_tensorflow"

    def answers(self, output: Any) -> dict[str, Any]:
        import tensorflow as tf

        return {"score": tf.math.sinh(tf.cast(output, tf.float32))[:, 0]}

    def answer_layers(self, output: Any) -> dict[str, Any]:
        return self.answers(output)


class Wrong(Regression):
    """Answers anew, and leaves what it says for Keras as it was inherited."""

    kind: ClassVar[str] = "wrong"

    def answers(self, output: Any) -> dict[str, Any]:
        return {"score": ops.cast(output, "float32")[:, 0] + 1.0}


class SinePlan(Plan):
    def tensor(self, name, feature):
        return EncodedTensor(name=keras_name(name), shape=(1,), dtype="float32", kind=NUMERIC)

    def columns(self, name, feature, series, places):
        import numpy as np

        return np.sin(series.cast(float).fill_null(0.0).to_numpy().astype(np.float32))[:, None]

    def layers(self, feature, raw):
        present = ops.where(ops.isnan(raw), 0.0, raw)
        return Layers(tensor=ops.expand_dims(Sine(dtype="float32")(present), 1))


class OfSine(Kind):
    def observer(self, name, feature):
        return Settled(SinePlan())


def with_own_layer():
    """Two layers with a class of their own."""
    return keras.Sequential([Sine(), keras.layers.Dense(4, activation="relu"), Sine()])


def with_lambda():
    """A function that no file can hold."""
    return keras.Sequential([keras.layers.Lambda(lambda x: x * 2.0), keras.layers.Dense(4)])
