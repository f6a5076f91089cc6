"""Small images: residual blocks with batch normalization, behind augmentation that acts in training only.

::

    image -> augmentation -> stem -> blocks (halving the side, more channels each) -> mean over positions -> dropout
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.modeling.base import DROPOUTS, Initializer, Normalization, scope_name
from kilnworks.components.modeling.towers import Towers
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.search import Choice, Dimension


class Augmentation(Config):
    """Random changes that leave the class of an image as it is; each image gets others in every epoch."""

    flip: Literal["none", "horizontal", "vertical", "horizontal_and_vertical"] = "none"
    """Axes along which an image may be mirrored."""
    shift: float = Field(default=0.1, ge=0, lt=1)
    """Largest shift in each direction, as a share of the side."""
    rotation: float = Field(default=10.0, ge=0, le=180)
    """Largest turn in either direction, in degrees."""
    zoom: float = Field(default=0.1, ge=0, lt=1)
    """Largest change of the size, as a share of it."""
    contrast: float = Field(default=0.2, ge=0, lt=1)
    """Largest change of the contrast, as a share of it."""
    rate: float = Field(default=0.7, ge=0, le=1)
    """Share of images that are changed in an epoch, 0 to 1; the others stay as they are."""


class Vision(Towers):
    """A residual network of the size that small sets of small images can teach (He et al. 2016)."""

    kind: Literal["vision"] = "vision"
    initializer: Initializer = "he_normal"
    normalization: Normalization = "batch"
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of features dropped before the head while training, 0 to 1."""
    filters: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(32, 64, 128), min_length=1)
    """Channels of each block, in order; each block but the first halves the side."""
    augmentation: Augmentation = Augmentation()

    space: ClassVar[Mapping[str, Dimension]] = {
        "filters": Choice(values=((16, 32, 64), (32, 64, 128))),
        "dropout": DROPOUTS,
        "augmentation.rotation": Choice(values=(0.0, 10.0, 20.0)),
    }

    def trunk(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """Features of every image, and other features beside them, [N, F].

        Raises:
            ConfigError: no input is an image, or one is too small for this many blocks.
        """
        import keras

        joined = self.joined(encoded, inputs, names)
        return keras.layers.Dropout(self.dropout, name=names("dropout"))(joined) if self.dropout else joined

    def tower(self, image: EncodedTensor, x: Any, names: LayerNames) -> Any:
        """One image [N, H, W, C] as a vector [N, filters[-1]]."""
        import keras

        side, needed = min(image.shape[:2]), 2 ** (len(self.filters) - 1)
        if side < needed:
            raise ConfigError(
                f"image {image.name!r} is {image.shape[0]} x {image.shape[1]} pixels",
                f"at least {needed} for {len(self.filters)} blocks",
                "set fewer filters, or a larger size in the preprocessing",
            )
        tag = scope_name(image.name)
        x = self._augmented(x, tag, names)
        x = self._convolved(x, self.filters[0], 3, 1, f"{tag}_stem", names)
        for block, filters in enumerate(self.filters):
            x = self._block(x, filters, 1 if block == 0 else 2, f"{tag}_{block + 1}", names)
        return keras.layers.GlobalAveragePooling2D(name=names(f"vector_{tag}"))(x)

    def _augmented(self, x: Any, tag: str, names: LayerNames) -> Any:
        """Images of which some are changed in training, and none outside of it."""
        from kilnworks.components.modeling.sometimes import Sometimes

        changed = x
        for layer in self._augmenting(tag, names):
            changed = layer(changed)
        if changed is x:
            return x
        return Sometimes(self.augmentation.rate, name=names(f"augmented_{tag}"))((x, changed))

    def _augmenting(self, tag: str, names: LayerNames) -> list[Any]:
        """Layers that do nothing outside of training."""
        from keras import layers

        a, chosen = self.augmentation, []
        if a.flip != "none":
            chosen.append(layers.RandomFlip(a.flip, name=names(f"flip_{tag}")))
        if a.shift:
            chosen.append(layers.RandomTranslation(a.shift, a.shift, "nearest", name=names(f"shift_{tag}")))
        if a.rotation:
            chosen.append(layers.RandomRotation(a.rotation / 360, "nearest", name=names(f"rotation_{tag}")))
        if a.zoom:
            chosen.append(layers.RandomZoom(a.zoom, fill_mode="nearest", name=names(f"zoom_{tag}")))
        if a.contrast:
            chosen.append(layers.RandomContrast(a.contrast, value_range=(0, 1), name=names(f"contrast_{tag}")))
        return chosen

    def _block(self, x: Any, filters: int, stride: int, tag: str, names: LayerNames) -> Any:
        """Two convolutions and a way around them."""
        import keras

        y = self._convolved(x, filters, 3, stride, f"{tag}_1", names)
        y = self._convolved(y, filters, 3, 1, f"{tag}_2", names, activate=False)
        if stride > 1 or x.shape[-1] != filters:
            x = self._convolved(x, filters, 1, stride, f"{tag}_around", names, activate=False)
        x = keras.layers.Add(name=names(f"sum_{tag}"))([x, y])
        return keras.layers.Activation(self.activation, name=names(f"activation_{tag}"))(x)

    def _convolved(
        self, x: Any, filters: int, kernel: int, stride: int, tag: str, names: LayerNames, *, activate: bool = True
    ) -> Any:
        """Convolution, normalization and activation."""
        from keras import layers

        x = layers.Conv2D(
            filters,
            kernel,
            stride,
            padding="same",
            use_bias=self.normalization == "none",
            kernel_initializer=self.initializer,
            kernel_regularizer=self.regularizer(),
            name=names(f"conv2d_{tag}"),
        )(x)
        if self.normalization == "batch":
            x = layers.BatchNormalization(momentum=0.9, name=names(f"normalization_{tag}"))(x)
        elif self.normalization == "layer":
            x = layers.LayerNormalization(name=names(f"normalization_{tag}"))(x)
        return layers.Activation(self.activation, name=names(f"activation_{tag}"))(x) if activate else x
