"""The layer of a detector that Keras does not have."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

LARGEST = 4.0
"""How far the logarithm of a size may go from that of its anchor."""


@keras.saving.register_keras_serializable("kilnworks")
class Boxes(keras.layers.Layer):
    """Boxes from how far they are from their anchors, and the anchors beside them: [N, A, 4] -> [N, A, 8].

    Centres move by a share of the anchor's sides, sizes by their logarithm (Girshick et al. 2014).
    """

    def __init__(self, anchors: Any, **kwargs: Any) -> None:
        """``anchors`` [A, 4], top, left, bottom, right in shares."""
        super().__init__(**kwargs)
        self.anchors = np.asarray(anchors, np.float32)

    def call(self, offsets: Any) -> Any:
        """See the class."""
        moved = ops.cast(offsets, "float32")
        size = self.anchors[:, 2:] - self.anchors[:, :2]
        centre = (self.anchors[:, 2:] + self.anchors[:, :2]) / 2
        half = ops.exp(ops.clip(moved[..., 2:], -LARGEST, LARGEST)) * (size / 2)
        middle = moved[..., :2] * size + centre
        fixed = ops.zeros_like(moved) + self.anchors
        return ops.concatenate([middle - half, middle + half, fixed], axis=-1)

    def in_stock_layers(self, inputs: Any) -> Any:
        """The operations themselves, for a model that needs no layer of this project."""
        return self.call(inputs)

    def get_config(self) -> dict[str, Any]:
        """As plain values."""
        return {**super().get_config(), "anchors": self.anchors.tolist()}
