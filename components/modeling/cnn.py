"""Convolutional network: blocks of convolutions and pooling for each image, then dense layers over everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.modeling.base import DROPOUTS, PENALTIES, scope_name
from kilnworks.components.modeling.towers import Towers
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.search import Choice, Dimension

FLATTEN_UP_TO = 64
"""``pooling="auto"`` keeps up to this many positions of the last feature map, and averages larger ones."""


class Cnn(Towers):
    """Blocks of ``convolutions`` x (convolution, normalization, activation) and max pooling for each image.

    Images [N, H, W, C] and whatever stands beside them in, features [N, units[-1]] out (LeCun, Bottou, Bengio & Haffner
    1998). Use it for small images of which there are thousands, where training has to be quick.
    """

    kind: Literal["cnn"] = "cnn"
    filters: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(32, 64), min_length=1)
    """Channels of each block, in order."""
    kernel: int = Field(default=3, ge=1, le=15)
    """Side of the square kernels, in pixels."""
    convolutions: int = Field(default=1, ge=1, le=8)
    """Convolutions in each block."""
    pool: int = Field(default=2, ge=1, le=8)
    """Side of the max pooling after each block, in pixels; 1 for none."""
    pooling: Literal["auto", "flatten", "average", "max"] = "auto"
    """How the last feature map becomes a vector; ``auto``: ``flatten`` up to 8x8 positions, else ``average``."""
    units: tuple[Annotated[int, Field(ge=1)], ...] = (64,)
    """Width of each dense layer, in order."""

    space: ClassVar[Mapping[str, Dimension]] = {
        "filters": Choice(values=((16, 32), (32, 64), (32, 64, 128))),
        "dropout": DROPOUTS,
        "l2": PENALTIES,
    }

    def trunk(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """The last dense layer [N, units[-1]].

        Raises:
            ConfigError: no input is an image, or one is too small for this many poolings.
        """
        return self.dense_layers(self.joined(encoded, inputs, names), self.units, names)

    def tower(self, image: EncodedTensor, x: Any, names: LayerNames) -> Any:
        """One image [N, H, W, C] as a vector [N, F]."""
        import keras

        self._refuse_small(image)
        tag = scope_name(image.name)
        for block, filters in enumerate(self.filters, 1):
            for convolution in range(1, self.convolutions + 1):
                options = {"filters": filters, "kernel_size": self.kernel, "padding": "same"}
                x = self.activated(x, keras.layers.Conv2D, f"{tag}_{block}_{convolution}", names, **options)
            if self.pool > 1:
                x = keras.layers.MaxPooling2D(self.pool, name=names(f"pool_{tag}_{block}"))(x)
        vector = {
            "flatten": keras.layers.Flatten,
            "average": keras.layers.GlobalAveragePooling2D,
            "max": keras.layers.GlobalMaxPooling2D,
        }
        return vector[self._pooling(x.shape[1] * x.shape[2])](name=names(f"vector_{tag}"))(x)

    def _pooling(self, positions: int) -> Literal["flatten", "average", "max"]:
        if self.pooling == "auto":
            return "flatten" if positions <= FLATTEN_UP_TO else "average"
        return self.pooling

    def _refuse_small(self, image: EncodedTensor) -> None:
        side, needed = min(image.shape[:2]), self.pool ** len(self.filters)
        if side < needed:
            raise ConfigError(
                f"image {image.name!r} is {image.shape[0]} x {image.shape[1]} pixels",
                f"at least {needed} for {len(self.filters)} poolings by {self.pool}",
                "set fewer filters, a smaller pool, or a larger size in the preprocessing",
            )
