"""Pictures into a few numbers and back: convolutions that halve the side, and transposed ones that double it.

Stacked convolutional autoencoders: Masci, Meier, Ciresan & Schmidhuber 2011.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras

from kilnworks.components.tasks.layer_names import LayerNames

Activated = Callable[..., Any]
"""``Architecture.activated``: layer class, index and names to the layer with its activation behind it."""


def sides(shape: Sequence[int], halvings: int) -> list[tuple[int, int]]:
    """Height and width before each halving, and after the last one, [halvings + 1]; odd sides are rounded up."""
    found = [(shape[0], shape[1])]
    for _ in range(halvings):
        found.append(((found[-1][0] + 1) // 2, (found[-1][1] + 1) // 2))
    return found


def read(
    x: Any, shape: Sequence[int], filters: Sequence[int], kernel: int, tag: str, activated: Activated, names: LayerNames
) -> Any:
    """Pixels [N, H * W * C] as a vector [N, h * w * filters[-1]]."""
    x = keras.layers.Reshape(tuple(shape), name=names(f"picture_{tag}"))(x)
    for i, channels in enumerate(filters, 1):
        options = {"filters": channels, "kernel_size": kernel, "strides": 2, "padding": "same"}
        x = activated(x, keras.layers.Conv2D, f"{tag}_{i}", names, **options)
    return keras.layers.Flatten(name=names(f"read_{tag}"))(x)


def drawn(
    x: Any, shape: Sequence[int], filters: Sequence[int], kernel: int, tag: str, activated: Activated, names: LayerNames
) -> Any:
    """A vector [N, F] as pixels [N, H * W * C]: what ``read`` does, backwards."""
    height = sides(shape, len(filters))
    (h, w), channels = height[-1], filters[-1]
    x = activated(x, keras.layers.Dense, f"up_{tag}", names, units=h * w * channels)
    x = keras.layers.Reshape((h, w, channels), name=names(f"small_{tag}"))(x)
    for i, width in enumerate([*reversed(filters[:-1]), filters[0]], 1):
        options = {"filters": width, "kernel_size": kernel, "strides": 2, "padding": "same"}
        x = activated(x, keras.layers.Conv2DTranspose, f"{tag}_{i}", names, **options)
        h, w = height[-1 - i]
        if x.shape[1:3] != (h, w):
            crop = ((0, x.shape[1] - h), (0, x.shape[2] - w))
            x = keras.layers.Cropping2D(crop, name=names(f"cropped_{tag}_{i}"))(x)
    x = keras.layers.Conv2D(shape[2], kernel, padding="same", dtype="float32", name=names(f"pixels_{tag}"))(x)
    return keras.layers.Flatten(dtype="float32", name=names(f"drawn_{tag}"))(x)
