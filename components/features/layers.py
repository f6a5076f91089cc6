"""Keras layers of our own, where Keras has none."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable(package="kilnworks")
class QuantileScaling(keras.layers.Layer):
    """A number to the share of training values below it, 0 to 1: piecewise linear between knots, flat outside.

    Args:
        knots: ascending values, at least two.
        shares: the cumulative share at each knot.
    """

    def __init__(self, knots: Sequence[float], shares: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.knots, self.shares = list(knots), list(shares)

    def call(self, inputs: Any) -> Any:
        """``[n]`` float32 to ``[n]`` float32; NaN in gives an unspecified number."""
        knots, shares = np.array(self.knots, np.float32), np.array(self.shares, np.float32)
        inside = ops.clip(inputs, float(knots[0]), float(knots[-1]))
        right = ops.clip(ops.searchsorted(knots, inside, side="right"), 1, len(knots) - 1)
        left = right - 1
        low, start = ops.take(knots, left), ops.take(shares, left)
        way = (inside - low) / (ops.take(knots, right) - low)
        return start + way * (ops.take(shares, right) - start)

    def in_stock_layers(self, inputs: Any) -> Any:
        """The operations themselves, for a model that needs no layer of this project."""
        return self.call(inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Unchanged."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "knots": self.knots, "shares": self.shares}


def resizing(size: tuple[int, int]) -> keras.layers.Layer:
    """The layer that brings float32 images to ``size`` (height, width); both paths use it.

    Pixels must be float32 already: eager Keras rounds the result of integer ones, a graph does not.
    """
    return keras.layers.Resizing(*size, interpolation="bilinear", dtype="float32")
