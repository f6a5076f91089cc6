"""Convolutions with what normalizes them, and residual blocks of them (He et al. 2016)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kilnworks.components.modeling.base import Initializer, Normalization
from kilnworks.components.tasks.layer_names import LayerNames


@dataclass(frozen=True)
class Convolutions:
    """How all convolutions of one network look.

    Attributes:
        activation: behind each, by its name in Keras.
        initializer: of the kernels.
        regularizer: makes one for each kernel.
        names: of the layers: ``conv2d_TAG``, ``normalization_TAG``, ``activation_TAG`` and ``sum_TAG``.
        normalization: between convolution and activation; ``none`` gives the convolution a bias in its place.
    """

    activation: str
    initializer: Initializer
    regularizer: Callable[[], Any]
    names: LayerNames
    normalization: Normalization = "batch"

    def convolved(self, x: Any, filters: int, kernel: int, stride: int, tag: str, *, activate: bool = True) -> Any:
        """Convolution, normalization and activation: [N, H, W, C] -> [N, H / stride, W / stride, filters]."""
        from keras import layers

        x = layers.Conv2D(
            filters,
            kernel,
            stride,
            padding="same",
            use_bias=self.normalization == "none",
            kernel_initializer=self.initializer,
            kernel_regularizer=self.regularizer(),
            name=self.names(f"conv2d_{tag}"),
        )(x)
        if self.normalization == "batch":
            x = batch_normalization(0.9, self.names(f"normalization_{tag}"))(x)
        elif self.normalization == "layer":
            x = layers.LayerNormalization(name=self.names(f"normalization_{tag}"))(x)
        return layers.Activation(self.activation, name=self.names(f"activation_{tag}"))(x) if activate else x

    def block(self, x: Any, filters: int, stride: int, tag: str) -> Any:
        """Two convolutions, the first with the stride, and a way around them."""
        from keras import layers

        y = self.convolved(x, filters, 3, stride, f"{tag}_1")
        y = self.convolved(y, filters, 3, 1, f"{tag}_2", activate=False)
        if stride > 1:  # the numbers of a convolution with strides, whose gradient is unsafe (learning/own/onednn.py)
            x = layers.MaxPooling2D(1, stride, name=self.names(f"every_{tag}"))(x)
        if stride > 1 or x.shape[-1] != filters:
            x = self.convolved(x, filters, 1, 1, f"{tag}_around", activate=False)
        x = layers.Add(name=self.names(f"sum_{tag}"))([x, y])
        return layers.Activation(self.activation, name=self.names(f"activation_{tag}"))(x)


def batch_normalization(momentum: float, name: str) -> Any:
    """A layer that normalizes by the whole batch, also where replicas see a part of it each (decision 33)."""
    import keras
    import tensorflow as tf

    several = tf.distribute.get_strategy().num_replicas_in_sync > 1
    return keras.layers.BatchNormalization(momentum=momentum, synchronized=several, name=name)
