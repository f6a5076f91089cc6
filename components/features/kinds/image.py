"""Images: resized where the settings say so, then scaled; bytes until they reach the training step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from kilnworks.components.features.encoded import IMAGE, EncodedTensor, keras_name
from kilnworks.components.features.kinds.base import Layers, Observer, Plan, Settled
from kilnworks.components.features.kinds.built_in import BuiltIn, Encoding
from kilnworks.components.features.raw import raw_array
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Feature

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

BRIGHTEST = 255.0
"""Largest pixel of an image whose contract names none."""
RESIZE_ROWS = 1024
RESIZE_BYTES = 32 * 2**20
"""Float32 pixels that are resized at once, before or after, unless a single image has more."""


class ImageSettings(Config):
    """What can be set of one image."""

    size: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None
    """For images: height and width in pixels to resize to (bilinear); as they come by default."""


class AllImages(Config):
    """What can be set of all images at once."""

    image_scale: Literal["unit", "signed", "none"] = "unit"
    """Pixels from 0 to the contract's ``max`` (255 where it names none) become 0..1 (``unit``), -1..1 (``signed``) or
    stay (``none``)."""


class ImagePlan(Plan):
    """Pixels: resized (bilinear) where ``size`` says so, then ``pixel * factor + offset``."""

    kind: Literal["image"] = "image"
    size: tuple[int, int] | None = None
    factor: float
    offset: float

    def tensor(self, name: str, feature: Feature) -> EncodedTensor:
        """[H, W, C]."""
        height, width = self.size or feature.shape[:2]
        shape = (height, width, feature.shape[2])
        return EncodedTensor(name=keras_name(name), shape=shape, dtype="float32", kind=IMAGE)

    def columns(self, name: str, feature: Feature, series: pl.Series, places: np.ndarray) -> np.ndarray:
        """See ``Plan``."""
        import numpy as np

        raw = raw_array(name, feature, series)
        if self.size is not None:
            raw = _resized(raw, self.size)
        out: np.ndarray = raw.astype(np.float32) * np.float32(self.factor)
        out += np.float32(self.offset)
        return out

    def layers(self, feature: Feature, raw: Any) -> Layers:
        """See ``Plan``."""
        from keras import layers, ops

        from kilnworks.components.features.layers import resizing

        if self.size is not None:
            raw = resizing(self.size)(ops.cast(raw, "float32"))
        return Layers(tensor=layers.Rescaling(self.factor, self.offset, dtype="float32")(raw))

    @property
    def packs(self) -> bool:
        """Bytes, unless they are resized: the pixels in between are no whole numbers."""
        return self.size is None

    def unpack(self, raw: Any) -> Any:
        """The same two float32 operations as in ``columns``, so the same numbers."""
        import tensorflow as tf

        return tf.cast(raw, tf.float32) * self.factor + self.offset


class Image(BuiltIn):
    """Pixels."""

    takes: ClassVar[str] = "an image"
    own_settings = ImageSettings

    size: tuple[int, int] | None = None
    """See ``ImageSettings``."""
    scale: Literal["unit", "signed", "none"] = "unit"
    """See ``AllImages.image_scale``."""

    @classmethod
    def encodings(cls, feature: Feature) -> frozenset[str]:
        """What no setting says."""
        return frozenset({"auto"} if feature.dtype == "image" else ())

    @classmethod
    def of(cls, feature: Feature, encode: Encoding, own: ImageSettings, every: AllImages) -> Self:
        """Size by the feature, scale for all."""
        return cls(size=own.size, scale=every.image_scale)

    def observer(self, name: str, feature: Feature) -> Observer:
        """Learns nothing: the contract says how bright a pixel can be."""
        brightest = feature.max or BRIGHTEST
        factor, offset = {"unit": (1 / brightest, 0.0), "signed": (2 / brightest, -1.0), "none": (1.0, 0.0)}[self.scale]
        size = None if self.size in (None, feature.shape[:2]) else self.size
        return Settled(ImagePlan(size=size, factor=factor, offset=offset))


def _resized(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The Keras layer itself, in batches: its interpolation has no equal in NumPy."""
    import numpy as np

    from kilnworks.components.features.layers import resizing

    layer = resizing(size)
    out = np.empty((len(images), *size, images.shape[-1]), np.float32)
    widest = 4 * max(math.prod(images.shape[1:]), math.prod(out.shape[1:]))
    step = max(1, min(RESIZE_ROWS, RESIZE_BYTES // widest))
    for start in range(0, len(images), step):
        out[start : start + step] = layer(images[start : start + step].astype(np.float32))
    return out
