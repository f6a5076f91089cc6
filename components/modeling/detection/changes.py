"""Changes of training images, with their boxes: mirror images, quarter turns, crops from half to all of a side and
beyond; and other colours, which move none.

Boxes are in shares of the sides. A box whose middle leaves the image is left out; one that is cut is cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

TINT = 1 / 3
"""How far each colour is changed by itself, as a share of how far all are."""


def flipped(images: Any, boxes: Any, which: Any) -> tuple[Any, Any]:
    """Images [N, H, W, C] and boxes [N, G, 5] mirrored left to right where ``which`` [N] is 1."""
    turn = ops.reshape(ops.cast(which, images.dtype), (-1, 1, 1, 1))
    mirrored = ops.stack([boxes[..., 0], 1 - boxes[..., 3], boxes[..., 2], 1 - boxes[..., 1], boxes[..., 4]], axis=-1)
    keep = ops.reshape(ops.cast(which, boxes.dtype), (-1, 1, 1))
    return turn * ops.flip(images, axis=2) + (1 - turn) * images, keep * mirrored + (1 - keep) * boxes


def turned(images: Any, boxes: Any, which: Any) -> tuple[Any, Any]:
    """The same upside down."""
    turn = ops.reshape(ops.cast(which, images.dtype), (-1, 1, 1, 1))
    mirrored = ops.stack([1 - boxes[..., 2], boxes[..., 1], 1 - boxes[..., 0], boxes[..., 3], boxes[..., 4]], axis=-1)
    keep = ops.reshape(ops.cast(which, boxes.dtype), (-1, 1, 1))
    return turn * ops.flip(images, axis=1) + (1 - turn) * images, keep * mirrored + (1 - keep) * boxes


def quartered(images: Any, boxes: Any, which: Any) -> tuple[Any, Any]:
    """Square images [N, S, S, C] and boxes [N, G, 5] with rows and columns exchanged where ``which`` [N] is 1.

    With mirror images both ways these are all turns by 90 degrees.
    """
    turn = ops.reshape(ops.cast(which, images.dtype), (-1, 1, 1, 1))
    exchanged = ops.stack([boxes[..., i] for i in (1, 0, 3, 2, 4)], axis=-1)
    keep = ops.reshape(ops.cast(which, boxes.dtype), (-1, 1, 1))
    swapped = ops.transpose(images, (0, 2, 1, 3))
    return turn * swapped + (1 - turn) * images, keep * exchanged + (1 - keep) * boxes


def recoloured(images: Any, contrast: Any, gain: Any) -> Any:
    """Images [N, H, W, C] from 0 to 1, whose distances from their mean are multiplied by ``contrast`` [N, 1, 1, 1], and
    then all by ``gain`` [N, 1, 1, 1 or C]; cut to 0 to 1.
    """
    mean = ops.mean(images, axis=(1, 2), keepdims=True)
    return ops.clip(((images - mean) * contrast + mean) * gain, 0.0, 1.0)


def cropped(images: Any, boxes: Any, corner: Any, side: Any) -> tuple[Any, Any]:
    """The part of each image that begins at ``corner`` [N, 2] and has ``side`` [N, 2], in shares, at full size.

    A side above 1 makes the image smaller, within its mean colour; corners may be below 0. Rows and columns are taken
    by linear interpolation, as two products with matrices.
    """
    fill = ops.mean(images, axis=(1, 2), keepdims=True)
    inside = images - fill
    rows = _taken(corner[:, 0], side[:, 0], images.shape[1])
    columns = _taken(corner[:, 1], side[:, 1], images.shape[2])
    part = ops.einsum("nij,njkc->nikc", rows, inside)
    part = ops.einsum("nkl,nilc->nikc", columns, part) + fill
    low = ops.concatenate([corner, corner], axis=1)[:, None]
    sides = (boxes[..., :4] - low) / ops.concatenate([side, side], axis=1)[:, None]
    middle = (sides[..., :2] + sides[..., 2:]) / 2
    there = ops.all((middle > 0) & (middle < 1), axis=-1, keepdims=True) & (boxes[..., 4:] >= 0)
    moved = ops.concatenate([ops.clip(sides, 0.0, 1.0), boxes[..., 4:]], axis=-1)
    return part, ops.where(there, moved, -ops.ones_like(moved))


def _taken(corner: Any, side: Any, length: int) -> Any:
    """Weights [N, length, length] of the old rows in the new ones."""
    places = (ops.arange(length, dtype="float32") + 0.5) / length
    wanted = (corner[:, None] + side[:, None] * places[None]) * length - 0.5
    away = ops.abs(wanted[:, :, None] - ops.arange(length, dtype="float32")[None, None])
    return ops.maximum(1 - away, 0.0)


class Moving(keras.Model):
    """Trains on changed images; it wraps the layers of a detector while that is trained, and is not saved itself."""

    def __init__(
        self, *args: Any, image: str = "", flip: str = "none", crop: float = 0.0, colour: float = 0.0, **kwargs: Any
    ) -> None:
        """``image``: name of the input; ``flip``, ``crop`` and ``colour``: see ``Detector``."""
        super().__init__(*args, **kwargs)
        self.image, self.flip, self.crop, self.colour = image, flip, crop, colour
        self.random = keras.random.SeedGenerator()

    def train_step(self, data: Any) -> Mapping[str, Any]:
        """One step on a batch that is changed."""
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        images, boxes = self.changed(x[self.image], ops.cast(y, "float32"))
        found: Mapping[str, Any] = super().train_step(({**x, self.image: images}, boxes, weight))
        return found

    def changed(self, images: Any, boxes: Any) -> tuple[Any, Any]:
        """Images [N, H, W, C] and boxes [N, G, 5], changed at random."""
        count = ops.shape(images)[0]
        if self.flip in ("horizontal", "both"):
            images, boxes = flipped(images, boxes, self._coin(count))
        if self.flip == "both":
            images, boxes = turned(images, boxes, self._coin(count))
            if images.shape[1] == images.shape[2]:
                images, boxes = quartered(images, boxes, self._coin(count))
        if self.crop:
            scale = ops.exp(self._uniform((count, 1), -self.crop, self.crop / 2))
            side = scale * ops.exp(self._uniform((count, 2), -0.1, 0.1))
            corner = self._uniform((count, 2), 0.0, 1.0) * (1 - side)
            images, boxes = cropped(images, boxes, corner, side)
        if self.colour:
            all_of, each = (count, 1, 1, 1), (count, 1, 1, images.shape[3])
            contrast = ops.exp(self._uniform(all_of, -self.colour, self.colour))
            bright = self._uniform(all_of, -self.colour, self.colour)
            tint = self._uniform(each, -self.colour * TINT, self.colour * TINT)
            images = recoloured(images, contrast, ops.exp(bright + tint))
        return images, boxes

    def _coin(self, count: Any) -> Any:
        return ops.cast(self._uniform((count,), 0.0, 1.0) < 0.5, "float32")

    def _uniform(self, shape: Any, low: float, high: float) -> Any:
        return keras.random.uniform(shape, low, high, seed=self.random)
