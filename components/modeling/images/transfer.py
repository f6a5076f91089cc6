"""Images through a network that learned to see from others: its layers as they are, then the last ones a little.

::

    image -> changes in training -> what the base takes -> base -> mean over positions -> dropout -> head
    phases:  head        the base is frozen
             fine_tune   the last blocks of it learn too, at a lower rate; batch normalization stays as it is
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, model_validator

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.features.kinds.image import BRIGHTEST, ImagePlan
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.modeling.base import DROPOUTS, scope_name
from kilnworks.components.modeling.images.augmentation import Augmentation
from kilnworks.components.modeling.images.bases import (
    BaseName,
    Scaling,
    last_map,
    load_base,
    read_own,
    refuse_weights,
    scaling_of,
)
from kilnworks.components.modeling.images.scalings import scaled
from kilnworks.components.modeling.learner import Learner, Phase
from kilnworks.components.modeling.towers import Towers, mixing
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.code import Bytes
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.search import Choice, Dimension

if TYPE_CHECKING:
    from kilnworks.schemas.artifacts import Model

BASE = "base"
"""How the layer that holds the base is called, before the name of the image."""


class Transfer(Towers):
    """Transfer learning (Yosinski et al. 2014): for photographs of which there are hundreds and not millions.

    Images [N, H, W, C] and whatever stands beside them in, the base's last map as a vector [N, F] for the head out. Use
    it where a network is at hand that learned from images of the same kind, from ImageNet for photographs.
    """

    kind: Literal["transfer"] = "transfer"
    base: BaseName = "mobilenet_v2"
    """The network: one of ``keras.applications``, or ``own``."""
    weights: Literal["imagenet"] | Bytes | None = None
    """``imagenet`` fetches what Keras publishes, where there is a network; else a file: ``.weights.h5`` that Keras
    wrote without the head, for ``mobilenet_v2`` also a ``.pth`` of torchvision, for ``own`` a ``.keras``. None only
    for ``own`` in the step ``finetune``, which hands a model in."""
    scaling: Scaling | None = None
    """What the base takes, of pixels from 0 to 1: those (``unit``), -1 to 1 (``signed``), by mean and spread of
    ImageNet (``torch``), blue, green, red without means (``caffe``), 0 to 255 (``pixels``). None: what is known of the
    base; ``unit`` for a ``.keras`` of one's own."""
    pooling: Literal["average", "max"] = "average"
    """How the last map becomes a vector."""
    units: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Width of each dense layer between vector and head, in order."""
    dropout: float = Field(default=0.2, ge=0, lt=1)
    """Share of features dropped before the head while training, 0 to 1."""
    augmentation: Augmentation = Augmentation()
    """How images are changed while it trains."""
    fine_tune: int = Field(default=0, ge=0)
    """Blocks of the base, from its end, that learn in a second phase; 0: the base stays as it is. A block is what the
    paper of the base calls so; of a network of one's own, each convolution."""
    fine_tune_epochs: int | None = Field(default=None, ge=1)
    """Epochs of the second phase; None for as many as the first has."""
    fine_tune_rate: float = Field(default=0.02, gt=0, le=1)
    """What the learning rate is multiplied by in the second phase."""

    space: ClassVar[Mapping[str, Dimension]] = {
        "units": Choice(values=((), (64,), (256,))),
        "dropout": DROPOUTS,
        "fine_tune": Choice(values=(0, 1, 2)),
    }

    _given: Path | None = PrivateAttr(default=None)
    _plan: ImagePlan | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _weights_fit(self) -> Self:
        if self.weights is None and self.base != "own":
            raise ValueError(f"weights of {self.base}: imagenet, or a file; a network that learned nothing is `vision`")
        if self.weights == "imagenet" and self.base == "own":
            raise ValueError("base own has no published weights: give a .keras file, or use the step finetune")
        return self

    def handed(self, model: Model) -> Self:
        """The same with the layers of a trained model as its base; what that takes is then encoded as there.

        Raises:
            ConfigError: ``base`` names another network, or that model takes anything but one image, or needs code.
        """
        from kilnworks.components.modeling.kept import CODE

        if self.base != "own" or self.weights is not None:
            raise ConfigError(
                f"finetune with base {self.base}" + (" and weights" if self.weights else ""),
                "base own and no weights: the step hands the model in",
                'set model to {"kind": "transfer", "base": "own"}, or use the step train',
            )
        plans = FeatureTransform.load(model.transform).plan.features.values()
        images = [plan for plan in plans if isinstance(plan, ImagePlan)]
        if len(images) != 1 or len(list(plans)) != 1 or (model.path / CODE).is_file():
            raise ConfigError(
                "a base that takes more than one image, or has layers of a user's own",
                "a model of one image, by an architecture such as cnn, vision or transfer",
                "choose another step as `base` of finetune",
            )
        seeing = self.model_copy()
        seeing._given, seeing._plan = model.keras_path, images[0]
        return seeing

    def transform(self, fitted: FeatureTransform) -> FeatureTransform:
        """Images from 0 to 1, whatever the preprocessing says; those of a base that is handed in as there.

        Raises:
            ConfigError: weights that cannot be had; said before anything is read.
        """
        if self._given is None:
            refuse_weights(self.base, self._file)
        plans = {
            name: self._image(plan, fitted.contract.features[name].max) if isinstance(plan, ImagePlan) else plan
            for name, plan in fitted.plan.features.items()
        }
        return FeatureTransform(fitted.plan.model_copy(update={"features": plans}))

    def trunk(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """Features of every image, and other features beside them, [N, F].

        Raises:
            ConfigError: no input is an image, one is too small or has not 1 or 3 channels, or weights do not fit.
            DataUnreadable: a file of weights is broken, or unsafe to read.
        """
        import keras

        joined = self.dense_layers(self.joined(encoded, inputs, names), self.units, names)
        if not self.dropout or self.units:
            return joined
        return keras.layers.Dropout(self.dropout, name=names("dropout"))(joined)

    def tower(self, image: EncodedTensor, x: Any, names: LayerNames) -> Any:
        """One image [N, H, W, C] as a vector [N, F]."""
        import keras

        tag = scope_name(image.name)
        base = self._base(image)
        x = self.augmentation.changed(x, tag, names)
        x = scaled(self._scaling, _channels(image, x, base, tag, names), tag, names)
        named = keras.Model(base.inputs, base.outputs[0], name=names(f"{BASE}_{tag}"))
        pool = {"average": keras.layers.GlobalAveragePooling2D, "max": keras.layers.GlobalMaxPooling2D}[self.pooling]
        return pool(name=names(f"vector_{tag}"))(named(x))

    def learner(self, encoded: Sequence[EncodedTensor], task: Task) -> Learner:
        """The head alone, then with the last blocks of the base."""
        from kilnworks.components.modeling.images.blocks import freeze, thaw

        model = self.network(encoded, task)
        bases = [layer for layer in model.layers if layer.name.startswith(f"{BASE}_") and hasattr(layer, "layers")]

        def frozen() -> None:
            for base in bases:
                freeze(base)

        def thawed() -> None:
            for base in bases:
                thaw(base, self.fine_tune)

        frozen()
        trained = self.training(model, task)
        head = Phase("head", trained, prepare=frozen)
        if not self.fine_tune:
            return Learner(model, (head,))
        later = Phase("fine_tune", trained, self.fine_tune_epochs, rate=self.fine_tune_rate, prepare=thawed)
        return Learner(model, (head, later))

    def training(self, model: Any, task: Task) -> Any:
        """See ``Architecture.training``; with mixup or cutmix, what mixes images."""
        return mixing(self.augmentation, model) or super().training(model, task)

    def remarks(self, model: Any, fitted: FeatureTransform, task: Task) -> dict[str, Any]:
        """Where the base is from, and how many parameters learn, as ``transfer``."""
        learn = sum(int(w.shape.num_elements() or 0) for w in model.trainable_variables)
        source = "finetune" if self._given else self.weights if isinstance(self.weights, str) else self._name
        return {"transfer": {"base": self.base, "weights": source, "learning": learn}}

    def _image(self, plan: ImagePlan, brightest: float | None) -> ImagePlan:
        if self._plan is not None:
            return plan.model_copy(update={"factor": self._plan.factor, "offset": self._plan.offset})
        return plan.model_copy(update={"factor": 1 / (brightest or BRIGHTEST), "offset": 0.0})

    @property
    def _file(self) -> Path | None:
        return self.weights.file if isinstance(self.weights, Bytes) else None

    @property
    def _name(self) -> str:
        return Path(self.weights.path).name if isinstance(self.weights, Bytes) else ""

    @property
    def _scaling(self) -> Scaling:
        if self._given is not None:
            return self.scaling or "unit"
        return self.scaling or scaling_of(self.base, self._file)

    def _base(self, image: EncodedTensor) -> Any:
        """A new model from what the base takes to its last map, frozen."""
        from kilnworks.components.modeling.images.blocks import freeze

        if self.base != "own":
            base = load_base(self.base, self._file, (image.shape[0], image.shape[1], 3))
        else:
            file = self._given or self._file
            if file is None:
                raise ConfigError(
                    "base own without weights",
                    "a .keras file, or a model that the step finetune hands in",
                    "set weights, or use the component finetune with base=Champion(pipeline, step)",
                )
            base = last_map(read_own(file), file.name)
        freeze(base)
        return base


def _channels(image: EncodedTensor, x: Any, base: Any, tag: str, names: LayerNames) -> Any:
    """The image in the shape that the base takes: a grey one three times where that takes colours."""
    import keras

    wanted, found = tuple(base.inputs[0].shape[1:]), image.shape
    if found[2] == 1 and wanted[2] == 3:
        x = keras.layers.Concatenate(name=names(f"grey_{tag}"))([x, x, x])
        found = (*found[:2], 3)
    if any(w is not None and w != f for w, f in zip(wanted, found, strict=True)):
        raise ConfigError(
            f"image {image.name!r} of {' x '.join(map(str, image.shape))}, and the base takes "
            f"{' x '.join('any' if w is None else str(w) for w in wanted)}",
            "images of the size and the channels of the base",
            f"set the size in the preprocessing: features.{image.name}.size",
        )
    return x
