"""Layers whose kernel is divided by its largest singular value (spectral normalization: Miyato et al. 2018).

The value is followed by one step of power iteration in each training call, and what is divided by it is differentiable;
the kernel itself stays as the optimizer left it.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

SMALL = 1e-12


class SpectralConv2D(keras.layers.Conv2D):
    """A convolution of a kernel whose largest singular value, as a matrix [height * width * inputs, outputs], is 1."""

    def build(self, input_shape: Any) -> None:
        """The kernel, and the vector that follows it."""
        super().build(input_shape)
        self.right = self.add_weight(
            shape=(1, self.filters), initializer="random_normal", trainable=False, name="right"
        )

    def call(self, inputs: Any, training: bool = False) -> Any:
        """[N, H, W, C] to [N, H', W', filters]."""
        out = self.convolution_op(inputs, _divided(self, training))
        return ops.add(out, self.bias) if self.use_bias else out


class SpectralDense(keras.layers.Dense):
    """A dense layer of a kernel whose largest singular value is 1."""

    def build(self, input_shape: Any) -> None:
        """The kernel, and the vector that follows it."""
        super().build(input_shape)
        self.right = self.add_weight(shape=(1, self.units), initializer="random_normal", trainable=False, name="right")

    def call(self, inputs: Any, training: bool = False) -> Any:
        """[N, F] to [N, units]."""
        out = ops.matmul(inputs, _divided(self, training))
        return ops.add(out, self.bias) if self.use_bias else out


def _divided(layer: Any, training: bool) -> Any:
    """The kernel over its largest singular value, as a matrix [inputs, outputs]; ``right`` follows it in training."""
    flat = ops.reshape(layer.kernel, (-1, layer.kernel.shape[-1]))
    fixed = ops.stop_gradient(flat)
    left = _unit(ops.matmul(fixed, ops.transpose(ops.convert_to_tensor(layer.right))))
    right = _unit(ops.matmul(ops.transpose(left), fixed))
    if training:
        layer.right.assign(right)
    largest = ops.sum(ops.transpose(left) @ flat * right)
    return layer.kernel / ops.maximum(largest, SMALL)


def _unit(vector: Any) -> Any:
    return vector / ops.maximum(ops.sqrt(ops.sum(ops.square(vector))), SMALL)
