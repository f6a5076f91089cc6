"""Small images: residual blocks with batch normalization, behind augmentation that acts in training only.

::

    image -> augmentation -> stem -> blocks (halving the side, more channels each) -> mean over positions -> dropout
                   |
                   +------> histograms of oriented gradients -> dense layer    with ``gradients``: the weighed mean
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from kilnworks.components.features.encoded import IMAGE, EncodedTensor
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.modeling.base import DROPOUTS, Initializer, Normalization, scope_name
from kilnworks.components.modeling.images.augmentation import Augmentation
from kilnworks.components.modeling.images.maps import CONVOLVED
from kilnworks.components.modeling.images.residual import Convolutions, batch_normalization
from kilnworks.components.modeling.tabular import OUTPUTS
from kilnworks.components.modeling.towers import Towers, mixing
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.search import Choice, Dimension

__all__ = ["Augmentation", "Vision"]

MEMBERS = "member_answers"
"""Layer with the answers of both models."""
CELLS = 8
"""Cells along the shorter side of an image, of the histograms."""
HIDDEN_INPUTS, HIDDEN_UNITS = 0.3, 0.5
"""Share of the histograms, and of the units behind them, that are dropped while training."""


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
    stem_stride: int = Field(default=1, ge=1, le=4)
    """Stride of the first convolution, whose kernel grows with it: 2 leaves a quarter of the work to the blocks, for
    images of about 48 pixels a side or more."""
    augmentation: Augmentation = Augmentation()
    """How images are changed while it trains."""
    gradients: int = Field(default=0, ge=0, le=4096)
    """Units of a second model, which reads histograms of oriented gradients (Dalal & Triggs 2005) of the same changed
    images and learns by a loss of its own; the answer is the mean of both, weighed by what the validation rows say. It
    helps where there are few images: 256 below some thousand. 0 for none."""

    @model_validator(mode="after")
    def _unmixed(self) -> Self:
        if self.gradients and self.augmentation.mixes:
            raise ValueError("gradients with mixup or cutmix: the models have losses of their own; leave one out")
        return self

    def transform(self, fitted: FeatureTransform) -> FeatureTransform:
        """The preprocessing that was fitted. Raises ``ConfigError`` for changes of pixels that are not from 0 to 1."""
        from kilnworks.components.modeling.images.unit import refuse_beyond_unit

        for name in ("contrast", "erasing"):
            if value := getattr(self.augmentation, name):
                refuse_beyond_unit(fitted, f"augmentation.{name} {value:g}", f"augmentation.{name} to 0")
        return fitted

    def network(self, encoded: Sequence[EncodedTensor], task: Task) -> Any:
        """See ``Architecture.network``; with ``gradients`` the answer is the weighed mean over both models."""
        if not self.gradients:
            return super().network(encoded, task)
        import keras

        self.refuse_unread(encoded)
        names = LayerNames({t.name for t in encoded})
        inputs = {t.name: keras.Input(t.shape, dtype=t.dtype, name=t.name) for t in encoded}
        changed = self._changed(encoded, inputs, names)
        parts = [self._features(encoded, changed, names), self._of_gradients(encoded, changed, names)]
        heads = [
            keras.layers.Dense(task.outputs, dtype="float32", name=names(head))(x)
            for head, x in zip((CONVOLVED, "gradients_head"), parts, strict=True)
        ]
        rows = [keras.layers.Reshape((1, task.outputs), name=names(f"member_{i}"))(x) for i, x in enumerate(heads, 1)]
        outputs = keras.layers.Concatenate(axis=1, dtype="float32", name=names(OUTPUTS))(rows)
        answers = task.finishing(names(MEMBERS))(outputs)
        pooled = keras.layers.EinsumDense(
            "nko,k->no",
            output_shape=(task.outputs,),
            kernel_initializer=keras.initializers.Constant(1 / len(rows)),
            trainable=False,
            dtype="float32",
            name=names(task.output),
        )
        return keras.Model(inputs, pooled(answers), name=self.kind)

    def weighed_parts(self, model: Any, task: Task) -> tuple[Any, Any] | None:
        """See ``Architecture.weighed_parts``."""
        if not self.gradients:
            return None
        import keras

        names = LayerNames({i.name for i in model.inputs})
        return keras.Model(model.input, model.get_layer(names(MEMBERS)).output), model.get_layer(names(task.output))

    def training(self, model: Any, task: Task) -> Any:
        """See ``Architecture.training``; with mixup or cutmix, what mixes images."""
        if not self.gradients:
            return mixing(self.augmentation, model) or super().training(model, task)
        from kilnworks.components.modeling.ensemble import MemberTraining

        outputs = model.get_layer(LayerNames({i.name for i in model.inputs})(OUTPUTS)).output
        return MemberTraining(model.input, outputs, name=model.name, task=task)

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
        return self._features(encoded, self._changed(encoded, inputs, names), names)

    def _changed(
        self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames
    ) -> dict[str, Any]:
        """The inputs, of which images are changed in training."""
        images = [t for t in encoded if t.kind == IMAGE]
        changed = {t.name: self.augmentation.changed(inputs[t.name], scope_name(t.name), names) for t in images}
        return {**inputs, **changed}

    def _features(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """What the blocks see, and other features beside them, [N, F]."""
        import keras

        joined = self.joined(encoded, inputs, names)
        return keras.layers.Dropout(self.dropout, name=names("dropout"))(joined) if self.dropout else joined

    def tower(self, image: EncodedTensor, x: Any, names: LayerNames) -> Any:
        """One image [N, H, W, C] as a vector [N, filters[-1]]."""
        import keras

        needed = max(self.stem_stride * 2 ** (len(self.filters) - 1), 4 if self.gradients else 1)
        side = min(image.shape[:2])
        if side < needed:
            raise ConfigError(
                f"image {image.name!r} is {image.shape[0]} x {image.shape[1]} pixels",
                f"at least {needed} for {len(self.filters)} blocks",
                "set fewer filters, a smaller stem_stride, or a larger size in the preprocessing",
            )
        tag = scope_name(image.name)
        look = Convolutions(self.activation, self.initializer, self.regularizer, names, self.normalization)
        x = look.convolved(x, self.filters[0], 2 * self.stem_stride + 1, self.stem_stride, f"{tag}_stem")
        for block, filters in enumerate(self.filters):
            x = look.block(x, filters, 1 if block == 0 else 2, f"{tag}_{block + 1}")
        return keras.layers.GlobalAveragePooling2D(name=names(f"vector_{tag}"))(x)

    def _of_gradients(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """Dense units [N, gradients] on the histograms of all images, and on other features beside them."""
        from keras import layers

        from kilnworks.components.modeling.images.gradients import OrientedGradients

        parts, others = [], [t for t in encoded if t.kind != IMAGE]
        for image in (t for t in encoded if t.kind == IMAGE):
            tag, cell = scope_name(image.name), max(2, min(image.shape[:2]) // CELLS)
            x = OrientedGradients(cell, dtype="float32", name=names(f"gradients_{tag}"))(inputs[image.name])
            x = batch_normalization(0.95, names(f"gradients_normalization_{tag}"))(x)
            parts.append(layers.Dropout(HIDDEN_INPUTS, name=names(f"gradients_dropout_{tag}"))(x))
        joined = self.beside(parts, others, inputs, names, "gradients_joined")
        hidden = layers.Dense(
            self.gradients,
            self.activation,
            kernel_initializer=self.initializer,
            kernel_regularizer=self.regularizer(),
            name=names("gradients_units"),
        )(joined)
        return layers.Dropout(HIDDEN_UNITS, name=names("gradients_units_dropout"))(hidden)
