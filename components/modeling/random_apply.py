"""A layer that lets some images through as they are, however the others were augmented."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

REGISTERED = "Sometimes"
"""Its name in Keras files, as earlier releases wrote it."""


@keras.saving.register_keras_serializable(package="kilnworks", name=REGISTERED)
class RandomApply(keras.layers.Layer):
    """Of each pair (image, augmented image) the second with probability ``rate`` in training, else the first.

    Turning and zooming smooths an image; a network that sees nothing but smoothed ones is surprised by sharp ones.

    Args:
        rate: probability of the augmented image, 0 to 1.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, inputs: tuple[Any, Any], training: bool = False) -> Any:
        """Two batches [N, H, W, C] to one."""
        image, augmented = inputs
        if not training:
            return image
        drawn = keras.random.uniform((ops.shape(image)[0], 1, 1, 1), seed=self.seed_generator)
        return ops.where(drawn < self.rate, augmented, image)

    def in_stock_layers(self, inputs: tuple[Any, Any]) -> Any:
        """The image as it is: outside of training nothing happens."""
        return inputs[0]

    def compute_output_shape(self, input_shape: list[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        """That of the image."""
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "rate": self.rate}
