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
from kilnworks.components.modeling.images.augmentation import Augmentation
from kilnworks.components.modeling.towers import Towers, mixing
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.search import Choice, Dimension

__all__ = ["Augmentation", "Vision"]


class Vision(Towers):
    """A residual network of the size that small sets of small images can teach (He et al. 2016).

    Images [N, H, W, C] and whatever stands beside them in, features [N, filters[-1]] out; images change while it
    trains. Use it for images of up to about a hundred pixels a side, where no network is at hand that saw others
    before.
    """

    kind: Literal["vision"] = "vision"
    initializer: Initializer = "he_normal"
    normalization: Normalization = "batch"
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of features dropped before the head while training, 0 to 1."""
    filters: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(32, 64, 128), min_length=1)
    """Channels of each block, in order; each block but the first halves the side."""
    augmentation: Augmentation = Augmentation()
    """How images are changed while it trains."""

    def training(self, model: Any, task: Task) -> Any:
        """See ``Architecture.training``; with mixup or cutmix, what mixes images."""
        return mixing(self.augmentation, model) or super().training(model, task)

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
        x = self.augmentation.changed(x, tag, names)
        x = self._convolved(x, self.filters[0], 3, 1, f"{tag}_stem", names)
        for block, filters in enumerate(self.filters):
            x = self._block(x, filters, 1 if block == 0 else 2, f"{tag}_{block + 1}", names)
        return keras.layers.GlobalAveragePooling2D(name=names(f"vector_{tag}"))(x)

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
