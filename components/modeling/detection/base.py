"""What every detector has: changes of training images that move boxes, and how answered boxes are chosen."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from kilnworks.components.features.encoded import IMAGE, EncodedTensor
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.modeling.base import Architecture, scope_name
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.detection.heads import Head
from kilnworks.components.tasks.detection.task import Detection
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.errors import ConfigError

SMALLEST = 32
"""Side of the smallest image, in pixels."""


class Detecting(Architecture):
    """One image [N, H, W, C] in; boxes, anchors and logits [N, A, 8 + C] out. Derive, and write ``said``."""

    task: ClassVar[type[Task] | None] = Detection
    takes: ClassVar[frozenset[str] | None] = frozenset({IMAGE})

    flip: Literal["none", "horizontal", "both"] = "horizontal"
    """How images are mirrored while it trains: ``both`` where up and down mean nothing, with quarter turns of square
    ones; ``none`` for letters."""
    crop: float = Field(default=0.4, ge=0, le=1.5)
    """How far images are enlarged or reduced while it trains, as a logarithm, each with a part that is drawn; 0 for
    not at all."""
    colour: float = Field(default=0.0, ge=0, le=1)
    """How far contrast and brightness are changed while it trains, as a logarithm, and a third of that each colour by
    itself: for photographs in another light, of images from 0 to 1 (``image_scale`` unit). 0 for not at all."""
    most: int = Field(default=100, ge=1, le=1000)
    """Boxes that are answered at most."""
    overlap: float = Field(default=0.5, gt=0, lt=1)
    """Intersection over union above which the less sure of two boxes of one class is left out."""
    least_score: float = Field(default=0.05, ge=0, lt=1)
    """The score above which a box is answered."""

    @property
    def learned_by(self) -> Head:
        """How classes are learned."""
        return "retina"

    def transform(self, fitted: FeatureTransform) -> FeatureTransform:
        """The preprocessing that was fitted. Raises ``ConfigError`` for colours of images that are not from 0 to 1."""
        from kilnworks.components.modeling.images.unit import refuse_beyond_unit

        if self.colour:
            refuse_beyond_unit(fitted, f"colour {self.colour:g}", "colour to 0")
        return fitted

    def adapted(self, task: Task) -> Task:
        """See ``Architecture.adapted``: which head it is, and how boxes are chosen."""
        tell: Callable[..., Task] | None = getattr(task, "found_by", None)
        return tell(self.learned_by, self.most, self.overlap, self.least_score) if tell else task

    def training(self, model: Any, task: Task) -> Any:
        """See ``Architecture.training``; what changes images with their boxes."""
        from kilnworks.components.modeling.detection.changes import Moving

        (image,) = model.inputs
        return Moving(
            model.input,
            model.output,
            name=model.name,
            image=image.name,
            flip=self.flip,
            crop=self.crop,
            colour=self.colour,
        )

    def network(self, encoded: Sequence[EncodedTensor], task: Task) -> Any:
        """See ``Architecture.network``.

        Raises:
            ConfigError: not one image alone, or one that is too small.
        """
        import keras

        self.refuse_unread(encoded)
        _refuse(encoded)
        names = LayerNames({t.name for t in encoded})
        inputs = {t.name: keras.Input(t.shape, dtype=t.dtype, name=t.name) for t in encoded}
        said = self.said(encoded[0], inputs[encoded[0].name], task, names)
        return keras.Model(inputs, task.head(said, names), name=scope_name(self.kind or type(self).__name__))

    @abstractmethod
    def said(self, image: EncodedTensor, x: Any, task: Any, names: LayerNames) -> Any:
        """What is said of each anchor, [N, A, 8 + C]: box and anchor in shares (``layers.Boxes``), then logits."""


def _refuse(encoded: Sequence[EncodedTensor]) -> None:
    if len(encoded) != 1:
        raise ConfigError(
            f"model detector for {', '.join(t.name for t in encoded)}", "one image alone", "ignore the other features"
        )
    if min(encoded[0].shape[:2]) < SMALLEST:
        raise ConfigError(
            f"image {encoded[0].name!r} is {encoded[0].shape[0]} x {encoded[0].shape[1]} pixels",
            f"at least {SMALLEST} x {SMALLEST}",
            "set a larger size in the preprocessing",
        )
