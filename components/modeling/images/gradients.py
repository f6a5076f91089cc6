"""Histograms of oriented gradients (Dalal & Triggs 2005) inside of the graph: what edges there are, and where.

::

    image -> differences of neighbours -> by angle, strength -> mean over each cell -> blocks of 2 x 2 cells, normalized

Importing this module registers its layer, which ``keras.saving.load_model`` needs.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

CLIPPED = 0.2
"""Largest number of a normalized block, before it is normalized once more (L2-Hys, Lowe 2004)."""
EPSILON = 1e-5
"""Added, squared, to the sum of squares of a block."""


@keras.saving.register_keras_serializable(package="kilnworks")
class OrientedGradients(keras.layers.Layer):
    """Images [N, H, W, C] to [N, (H // cell - 1) * (W // cell - 1) * 4 * bins] numbers, 0 to 1; colours as their mean.

    Cells count their pixels without interpolation; what is left over below and right of the last whole cell is not
    seen. A block is two cells high and wide, blocks overlap by a cell; they come row by row, in each the four cells row
    by row.

    Args:
        cell: side of a cell in pixels.
        bins: of angles from 0 to 180 degrees.
    """

    def __init__(self, cell: int, bins: int = 9, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cell, self.bins = cell, bins

    def call(self, inputs: Any) -> Any:
        """See the class."""
        grey = ops.mean(inputs, axis=-1)
        down = ops.pad(grey[:, 2:] - grey[:, :-2], [[0, 0], [1, 1], [0, 0]])
        across = ops.pad(grey[:, :, 2:] - grey[:, :, :-2], [[0, 0], [0, 0], [1, 1]])
        squared = down * down + across * across
        strength = ops.where(squared > 0, ops.sqrt(ops.where(squared > 0, squared, 1.0)), 0.0)  # sqrt has no slope at 0
        angle = ops.arctan2(down, across) * (self.bins / math.pi)
        angle = ops.where(angle < 0, angle + self.bins, angle)
        angle = ops.where(angle >= self.bins, angle - self.bins, angle)
        parts = [ops.where((angle >= b) & (angle < b + 1), strength, 0.0) for b in range(self.bins)]
        cells = ops.average_pool(ops.stack(parts, axis=-1), self.cell, self.cell, padding="valid")
        corners = [cells[:, :-1, :-1], cells[:, :-1, 1:], cells[:, 1:, :-1], cells[:, 1:, 1:]]
        blocks = _unit(ops.minimum(_unit(ops.concatenate(corners, axis=-1)), CLIPPED))
        return ops.reshape(blocks, (-1, self._size(inputs.shape)))

    def in_stock_layers(self, inputs: Any) -> Any:
        """The operations themselves, for a model that needs no layer of this project."""
        return self.call(inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """[N, F]."""
        return (input_shape[0], self._size(input_shape))

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "cell": self.cell, "bins": self.bins}

    def _size(self, shape: Any) -> int:
        height, width = (int(shape[axis]) // self.cell - 1 for axis in (1, 2))
        return height * width * 4 * self.bins


def _unit(blocks: Any) -> Any:
    """Vectors of length 1, or of 0 where there is nothing."""
    return blocks / ops.sqrt(ops.sum(blocks * blocks, axis=-1, keepdims=True) + EPSILON**2)
