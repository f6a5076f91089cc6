"""The two networks of a GAN: one that makes images out of noise, one that tells them from real ones.

::

    generator   seed [, class] -> dense -> small map -> doubled, doubled, ... -> image, -1 to 1
    critic      image -> convolutions, halved, halved, ... -> score [+ what the class has to do with it]

Radford, Metz & Chintala 2016. The class comes beside the seed, and in the critic by projection (Miyato & Koyama 2018).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import keras

from kilnworks.components.modeling.generative.spectral import SpectralConv2D, SpectralDense

SMALLEST, MOST_DOUBLINGS, WIDEST = 4, 5, 512
"""Side of the first map at least, doublings at most, and channels of a layer at most."""
LEAK, DEVIATION = 0.2, 0.02
"""Of the critic's activation, and of the first weights (Radford et al. 2016)."""

CriticNormalization = Literal["spectral", "layer", "none"]


@dataclass(frozen=True)
class Frame:
    """How an image comes of a small map.

    Attributes:
        shape: of the image, [H, W, C].
        doublings: from the first map to the image.
    """

    shape: tuple[int, int, int]
    doublings: int

    @classmethod
    def of(cls, shape: tuple[int, int, int]) -> Frame:
        """As often as leaves a first map of at least ``SMALLEST`` pixels."""
        side = min(shape[:2])
        return cls(shape, max(0, min(MOST_DOUBLINGS, int(math.log2(side / SMALLEST)))) if side > SMALLEST else 0)

    @property
    def first(self) -> tuple[int, int]:
        """Height and width of the first map."""
        height, width = (-(-side // 2**self.doublings) for side in self.shape[:2])
        return height, width

    @property
    def beyond(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """What doubled maps have more than the image: above and below, left and right."""
        more = [2**self.doublings * first - side for first, side in zip(self.first, self.shape[:2], strict=True)]
        return (more[0] // 2, more[0] - more[0] // 2), (more[1] // 2, more[1] - more[1] // 2)

    def channels(self, filters: int, level: int) -> int:
        """Of the map that is still to be doubled ``level`` times."""
        return min(WIDEST, filters * 2**level)


def generator(noise: int, classes: int, frame: Frame, filters: int, normalized: Callable[[str], Any]) -> Any:
    """A Keras model from ``[seed [N, noise]]``, with classes ``[seed, one-hot [N, K]]``, to images, -1 to 1.

    ``normalized`` makes a layer between a convolution and its activation, or None, by its name.
    """
    seed = keras.Input((noise,), name="seed")
    given = [seed] + ([keras.Input((classes,), name="one_hot")] if classes else [])
    x = keras.layers.Concatenate(name="wish")(given) if classes else seed
    height, width = frame.first
    wide = frame.channels(filters, frame.doublings)
    x = keras.layers.Dense(height * width * wide, name="first", **_start())(x)
    x = keras.layers.Reshape((height, width, wide), name="map")(x)
    x = _finished(x, "map", normalized)
    for level in reversed(range(frame.doublings)):
        x = keras.layers.Conv2DTranspose(
            frame.channels(filters, level), 4, strides=2, padding="same", name=f"doubled_{level}", **_start()
        )(x)
        x = _finished(x, f"doubled_{level}", normalized)
    x = keras.layers.Conv2D(frame.shape[2], 3, padding="same", name="pixels", **_start())(x)
    if any(any(side) for side in frame.beyond):
        x = keras.layers.Cropping2D(frame.beyond, name="cropped")(x)
    image = keras.layers.Activation("tanh", dtype="float32", name="image")(x)
    return keras.Model(given, image, name="generator")


def critic(classes: int, frame: Frame, filters: int, normalization: CriticNormalization, dropout: float) -> Any:
    """A Keras model from ``[image]``, with classes ``[image, one-hot [N, K]]``, to scores [N, 1], float32."""
    convolution, dense = (
        (SpectralConv2D, SpectralDense) if normalization == "spectral" else (keras.layers.Conv2D, keras.layers.Dense)
    )
    image = keras.Input(frame.shape, name="image")
    given = [image] + ([keras.Input((classes,), name="one_hot")] if classes else [])
    x = keras.layers.ZeroPadding2D(frame.beyond, name="padded")(image) if any(map(any, frame.beyond)) else image
    for level in range(frame.doublings + 1):
        strides = {"kernel_size": 4, "strides": 2} if level else {"kernel_size": 3}
        x = convolution(
            frame.channels(filters, level), padding="same", name=f"halved_{level}", **strides, **_start(normalization)
        )(x)
        if normalization == "layer" and level:
            x = keras.layers.LayerNormalization(axis=[1, 2, 3], name=f"halved_{level}_normalization")(x)
        x = keras.layers.LeakyReLU(LEAK, name=f"halved_{level}_activation")(x)
        if dropout:
            x = keras.layers.Dropout(dropout, name=f"halved_{level}_dropout")(x)
    x = keras.layers.Flatten(name="flat")(x)
    score = dense(1, name="score", **_start(normalization))(x)
    if classes:
        meant = dense(x.shape[-1], use_bias=False, name="class", **_start(normalization))(given[1])
        score = score + keras.ops.sum(meant * x, axis=-1, keepdims=True)
    return keras.Model(given, keras.layers.Activation("linear", dtype="float32", name="told")(score), name="critic")


def _start(normalization: CriticNormalization = "none") -> dict[str, Any]:
    """How kernels begin: their size is of no account where it is divided away."""
    if normalization == "spectral":
        return {"kernel_initializer": "glorot_uniform"}
    return {"kernel_initializer": keras.initializers.RandomNormal(stddev=DEVIATION)}


def _finished(x: Any, name: str, normalized: Callable[[str], Any]) -> Any:
    layer = normalized(f"{name}_normalization")
    return keras.layers.ReLU(name=f"{name}_activation")(layer(x) if layer is not None else x)
