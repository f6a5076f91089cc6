"""Random changes of images while a model trains: what may be done to a picture without changing what it shows.

::

    image -> flip -> shift -> turn -> zoom -> contrast -> erasing        of each image by itself, some stay as they are
    batch -> mixup or cutmix                                             of pairs of images, and of their labels

Layers of Keras do the first kind, inside of the model, and nothing outside of training; ``mixing.Mixing`` the second.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.config import Config

Flips = Literal["none", "horizontal", "vertical", "horizontal_and_vertical"]
ERASED = (0.02, 0.2)
"""Smallest and largest share of an image that is erased."""


class Augmentation(Config):
    """Random changes that leave the class of an image as it is; each image gets others in every epoch."""

    flip: Flips = "none"
    """Axes along which an image may be mirrored."""
    shift: float = Field(default=0.1, ge=0, lt=1)
    """Largest shift in each direction, as a share of the side."""
    rotation: float = Field(default=10.0, ge=0, le=180)
    """Largest turn in either direction, in degrees."""
    zoom: float = Field(default=0.1, ge=0, lt=1)
    """Largest change of the size, as a share of it."""
    contrast: float = Field(default=0.2, ge=0, lt=1)
    """Largest change of the contrast, as a share of it."""
    erasing: float = Field(default=0.0, ge=0, le=1)
    """Share of the changed images of which a rectangle is filled with noise (random erasing, Zhong et al. 2020): 2 to
    20 % of the area."""
    rate: float = Field(default=0.7, ge=0, le=1)
    """Share of images that are changed in an epoch, 0 to 1; the others stay as they are."""
    mixup: float = Field(default=0.0, ge=0, le=8)
    """Above 0, pairs of images and of their labels are averaged with a weight from Beta(mixup, mixup) (Zhang et al.
    2018); 0.2 is usual."""
    cutmix: float = Field(default=0.0, ge=0, le=8)
    """Above 0, a rectangle of an image is taken from another one, and its label as far as the area goes, which is drawn
    from Beta(cutmix, cutmix) (Yun et al. 2019); 1 is usual. With ``mixup`` too, each batch gets one of the two."""

    def layers(self, tag: str, names: LayerNames) -> list[Any]:
        """The layers of the first kind, for images [N, H, W, C] with values from 0 to 1; nothing outside of training.

        Args:
            tag: end of their names.
            names: hands out names.
        """
        from keras import layers

        chosen: list[Any] = []
        if self.flip != "none":
            chosen.append(layers.RandomFlip(self.flip, name=names(f"flip_{tag}")))
        if self.shift:
            chosen.append(layers.RandomTranslation(self.shift, self.shift, "nearest", name=names(f"shift_{tag}")))
        if self.rotation:
            chosen.append(layers.RandomRotation(self.rotation / 360, "nearest", name=names(f"rotation_{tag}")))
        if self.zoom:
            chosen.append(layers.RandomZoom(self.zoom, fill_mode="nearest", name=names(f"zoom_{tag}")))
        if self.contrast:
            chosen.append(layers.RandomContrast(self.contrast, value_range=(0, 1), name=names(f"contrast_{tag}")))
        if self.erasing:
            size = {"factor": (self.erasing, self.erasing), "scale": ERASED, "value_range": (0, 1)}
            chosen.append(layers.RandomErasing(**size, name=names(f"erasing_{tag}")))
        return chosen

    def changed(self, x: Any, tag: str, names: LayerNames) -> Any:
        """Images [N, H, W, C] of which some are changed in training, and none outside of it."""
        from kilnworks.components.modeling.random_apply import RandomApply

        after = x
        for layer in self.layers(tag, names):
            after = layer(after)
        return x if after is x else RandomApply(self.rate, name=names(f"augmented_{tag}"))((x, after))

    @property
    def mixes(self) -> bool:
        """Whether pairs of images are mixed."""
        return bool(self.mixup or self.cutmix)
