"""Objects in images: residual blocks, a pyramid of their maps, and one of four heads on it.

::

    image -> stem (stride 2) -> blocks (4, 8, 16, ...) -> pyramid: each map, plus the coarser one doubled
          -> at every position and usual shape of a box: how far the box is from there, and what it is
             (head ``points``: at every position of the finest map alone, and one shape)
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from kilnworks.components.features.encoded import EncodedTensor
from kilnworks.components.modeling.base import Initializer
from kilnworks.components.modeling.detection.anchors import STRIDES, anchors_of, levels_of, points_of
from kilnworks.components.modeling.detection.base import Detecting
from kilnworks.components.modeling.images.residual import Convolutions
from kilnworks.components.tasks.detection.heads import Head
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.search import Choice, Dimension

PRIOR = 0.01
"""Probability of a class before anything was learned (Lin et al. 2017)."""
UNSURE = -math.log((1 - PRIOR) / PRIOR)
"""The same as a logit, where those of classes (``points``, ``retina``) or of objectness (``yolo``) begin; of ``ssd``
hard negatives see to it."""


class Detector(Detecting):
    """A backbone with a pyramid (Lin et al. 2017), and a head of RetinaNet (the same), SSD (Liu et al. 2016), YOLO
    (Redmon & Farhadi 2018) or CenterNet (Zhou et al. 2019).

    One image [N, H, W, C] in; boxes, anchors and logits [N, A, 8 + C] out, of which served answers are made. Use it
    where boxes say what is where. Anchors have the usual shapes of the training boxes.
    """

    kind: Literal["detector"] = "detector"
    initializer: Initializer = "he_normal"
    head: Head = "retina"
    """How classes are learned: ``retina``, focal loss (Lin et al. 2017); ``ssd``, softmax with hard negatives (Liu et
    al. 2016); ``yolo``, objectness and classes (Redmon & Farhadi 2018); ``points``, the middles of boxes (Zhou et al.
    2019), for many things of like sizes and few images."""
    filters: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(32, 64, 128, 128), min_length=2, max_length=5)
    """Channels of the stem, at half the side, and of each block, which halves it again: 4, 8, 16 ... pixels apart."""
    pyramid: int = Field(default=64, ge=1)
    """Channels of each map of the pyramid."""
    depth: int = Field(default=2, ge=0, le=6)
    """Convolutions of the head before its last one."""

    space: ClassVar[Mapping[str, Dimension]] = {
        "pyramid": Choice(values=(32, 64, 96)),
        "head": Choice(values=("points", "retina", "ssd", "yolo")),
        "crop": Choice(values=(0.2, 0.4, 0.7)),
    }

    @property
    def learned_by(self) -> Head:
        """See ``Detecting``."""
        return self.head

    def trunk(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """The finest map of the backbone as a vector: for whoever reads features; ``network`` does not need it."""
        import keras

        maps = self._backbone(inputs[encoded[0].name], STRIDES[0], names)
        return keras.layers.GlobalAveragePooling2D(name=names("vector"))(maps[STRIDES[0]])

    def said(self, image: EncodedTensor, x: Any, task: Any, names: LayerNames) -> Any:
        """See ``Detecting.said``."""
        from keras import layers

        from kilnworks.components.modeling.detection.layers import Boxes

        size = (image.shape[0], image.shape[1])
        levels = levels_of(task.shapes, size)
        maps = self._pyramid(self._backbone(x, max(levels), names), min(levels), names)
        levels = points_of(levels) if self.head == "points" else levels
        towers = [self._tower(part, names) for part in ("class", "box")]
        says: dict[str, list[Any]] = {"class": [], "box": []}
        for stride, shapes in levels.items():
            for part, tower, width in zip(says, towers, (task.logits, 4), strict=True):
                y = maps[stride]
                for layer in tower:
                    y = layer(y)
                says[part].append(self._last(y, part, stride, len(shapes), width, names))
        joined = {
            part: layers.Concatenate(axis=1, dtype="float32", name=names(f"all_{part}"))(found)
            if len(found) > 1
            else found[0]
            for part, found in says.items()
        }
        if self.head == "yolo":
            shift = [UNSURE] + [0.0] * (task.logits - 1)
            joined["class"] = layers.Rescaling(1.0, shift, dtype="float32", name=names("unsure"))(joined["class"])
        boxes = Boxes(anchors_of(levels, size), dtype="float32", name=names("boxes"))(joined["box"])
        return layers.Concatenate(axis=-1, name=names("said"), dtype="float32")([boxes, joined["class"]])

    def _last(self, x: Any, part: str, stride: int, shapes: int, width: int, names: LayerNames) -> Any:
        """Of a map what is said of the anchors on it, [N, positions * shapes, width]; float32 at any precision."""
        import keras
        from keras import layers

        unsure = part == "class" and self.head in ("points", "retina")
        y = layers.Conv2D(
            shapes * width,
            3,
            padding="same",
            kernel_initializer="random_normal" if part == "class" else "glorot_uniform",
            bias_initializer=keras.initializers.Constant(UNSURE) if unsure else "zeros",
            dtype="float32",
            name=names(f"{part}_{stride}"),
        )(x)
        return layers.Reshape((-1, width), dtype="float32", name=names(f"rows_{part}_{stride}"))(y)

    def _backbone(self, x: Any, coarsest: int, names: LayerNames) -> dict[int, Any]:
        """Maps by stride, at least up to the coarsest one that is needed."""
        look = self._convolutions(names)
        x = look.convolved(x, self.filters[0], 3, 2, "stem")
        maps, stride, channels = {}, 2, list(self.filters[1:])
        while channels or stride < coarsest:
            width = channels.pop(0) if channels else self.filters[-1]
            stride *= 2
            x = look.block(x, width, 2, str(stride))
            maps[stride] = x
        return maps

    def _pyramid(self, maps: Mapping[int, Any], finest: int, names: LayerNames) -> dict[int, Any]:
        """Each map of ``pyramid`` channels, with what the coarser ones saw."""
        from keras import layers

        found: dict[int, Any] = {}
        above: Any = None
        for stride in sorted((s for s in maps if s >= finest), reverse=True):
            side = layers.Conv2D(
                self.pyramid, 1, kernel_regularizer=self.regularizer(), name=names(f"lateral_{stride}")
            )(maps[stride])
            if above is not None:
                grown = layers.UpSampling2D(name=names(f"grown_{stride}"))(above)
                high, wide = (grown.shape[i] - side.shape[i] for i in (1, 2))
                if high or wide:
                    grown = layers.Cropping2D(((0, high), (0, wide)), name=names(f"cut_{stride}"))(grown)
                side = layers.Add(name=names(f"joined_{stride}"))([side, grown])
            above = side
            found[stride] = self._convolutions(names).convolved(side, self.pyramid, 3, 1, f"smooth_{stride}")
        return found

    def _tower(self, part: str, names: LayerNames) -> list[Any]:
        """Layers that all maps share."""
        from keras import layers

        found: list[Any] = []
        for i in range(1, self.depth + 1):
            found.append(
                layers.Conv2D(
                    self.pyramid,
                    3,
                    padding="same",
                    activation=self.activation,
                    kernel_initializer=self.initializer,
                    kernel_regularizer=self.regularizer(),
                    name=names(f"{part}_tower_{i}"),
                )
            )
        return found

    def _convolutions(self, names: LayerNames) -> Convolutions:
        return Convolutions(self.activation, self.initializer, self.regularizer, names)
