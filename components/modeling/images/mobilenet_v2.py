"""MobileNetV2 (Sandler et al. 2018) as torchvision lays it out, so that its weights give its features.

It differs from the one of ``keras.applications`` where a convolution halves the side: one pixel is padded on all four
sides there, and only below and to the right here in Keras; and in what is added to variances, 1e-5 and not 1e-3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.words import listed

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""Of each stage: expansion, channels, blocks, and by what its first block divides the side."""
FIRST, LAST, CLASSES = 32, 1280, 1000
EPSILON, MOMENTUM = 1e-5, 0.9


def mobilenet_v2(shape: Sequence[int], tensors: Mapping[str, np.ndarray], source: str = "the checkpoint") -> Any:
    """Images [N, H, W, 3], scaled as torchvision does, to the last map [N, ceil(H / 32), ceil(W / 32), 1280].

    Args:
        shape: height, width and 3.
        tensors: of torchvision's ``mobilenet_v2``, by its names; those of the classifier are not looked at.
        source: where they come from, for messages.

    Raises:
        ConfigError: a tensor is missing, or has another shape.
    """
    import keras

    image = keras.Input(tuple(shape), name="image")
    net = _Net(tensors, source)
    x = net.convolved(image, "features.0.0", "features.0.1", FIRST, 3, 2)
    number, channels = 1, FIRST
    for expansion, width, blocks, stride in STAGES:
        for block in range(blocks):
            x = net.block(x, number, channels, expansion, width, stride if block == 0 else 1)
            number, channels = number + 1, width
    x = net.convolved(x, f"features.{number}.0", f"features.{number}.1", LAST, 1, 1)
    model = keras.Model(image, x, name="mobilenet_v2")
    net.load(model)
    return model


class _Net:
    """Makes layers, and remembers which tensors belong to each."""

    def __init__(self, tensors: Mapping[str, np.ndarray], source: str) -> None:
        self._tensors, self._source = tensors, source
        self._of: dict[str, list[np.ndarray]] = {}

    def block(self, x: Any, number: int, channels: int, expansion: int, width: int, stride: int) -> Any:
        """An inverted residual: wider, one filter a channel, narrow again; and around it where the shape is kept."""
        import keras

        at, place = f"features.{number}.conv", 0
        y = x
        if expansion > 1:
            y = self.convolved(y, f"{at}.0.0", f"{at}.0.1", channels * expansion, 1, 1)
            place = 1
        y = self.convolved(y, f"{at}.{place}.0", f"{at}.{place}.1", channels * expansion, 3, stride, deep=True)
        y = self.convolved(y, f"{at}.{place + 1}", f"{at}.{place + 2}", width, 1, 1, activate=False)
        return keras.layers.Add(name=f"features_{number}_sum")([x, y]) if stride == 1 and channels == width else y

    def convolved(
        self, x: Any, conv: str, norm: str, width: int, kernel: int, stride: int, *, deep: bool = False,
        activate: bool = True,
    ) -> Any:  # fmt: skip
        """Convolution, normalization over the batch, and ReLU6."""
        from keras import layers

        name = conv.replace(".", "_")
        if kernel > 1:
            x = layers.ZeroPadding2D(kernel // 2, name=f"{name}_padding")(x)
        kind: dict[str, Any] = {"strides": stride, "use_bias": False, "name": name}
        weight = self._tensor(f"{conv}.weight", (width, 1 if deep else int(x.shape[-1]), kernel, kernel))
        if deep:
            x = layers.DepthwiseConv2D(kernel, **kind)(x)
            self._of[name] = [weight.transpose(2, 3, 0, 1)]
        else:
            x = layers.Conv2D(width, kernel, **kind)(x)
            self._of[name] = [weight.transpose(2, 3, 1, 0)]
        tag = f"{norm.replace('.', '_')}_normalization"
        x = layers.BatchNormalization(epsilon=EPSILON, momentum=MOMENTUM, name=tag)(x)
        parts = ("weight", "bias", "running_mean", "running_var")
        self._of[tag] = [self._tensor(f"{norm}.{part}", (width,)) for part in parts]
        return layers.ReLU(6.0, name=f"{name}_relu6")(x) if activate else x

    def load(self, model: Any) -> None:
        """Give each layer its tensors."""
        for name, values in self._of.items():
            model.get_layer(name).set_weights(values)

    def _tensor(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        if name not in self._tensors:
            raise ConfigError(
                f"{self._source} has no tensor {name!r}; it has {listed(self._tensors, 4)}",
                "the tensors of torchvision's mobilenet_v2",
                "give the checkpoint of that network, or another `base`",
            )
        found = self._tensors[name]
        if found.shape != shape:
            raise ConfigError(
                f"{self._source}: {name!r} of shape {list(found.shape)}",
                f"shape {list(shape)}, as torchvision's mobilenet_v2 of width 1 has it",
                "give the checkpoint of that network",
            )
        return found.astype(np.float32)
