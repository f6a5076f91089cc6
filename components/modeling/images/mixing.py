"""Pairs of training images, mixed with their labels: mixup (Zhang et al. 2018) and cutmix (Yun et al. 2019).

::

    loss = w * L(y, f(x')) + (1 - w) * L(y[other], f(x'))          x' = w x + (1 - w) x[other]         (mixup)
                                                                   x' = x, in a rectangle x[other]     (cutmix)

Every loss that is linear in the label, as cross-entropy is, is then the loss of the averaged label; so labels stay as
they are, whatever the task. In cutmix ``w`` is the share of the area that is left.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import keras
from keras import ops


def mixup(images: Any, order: Any, weight: Any) -> Any:
    """``w x + (1 - w) x[order]``.

    Args:
        images: [N, H, W, C].
        order: a permutation, int [N].
        weight: of each image, [N], 0 to 1.
    """
    share = ops.reshape(ops.cast(weight, images.dtype), (-1, 1, 1, 1))
    return share * images + (1 - share) * ops.take(images, order, axis=0)


def cutmix(images: Any, order: Any, corner: Any, size: Any) -> tuple[Any, Any]:
    """Images in which a rectangle is that of another, and the share of the area that is left, [N].

    Args:
        images: [N, H, W, C].
        order: a permutation, int [N].
        corner: first row and column of each rectangle, int [N, 2].
        size: its height and width, int [N, 2]; may reach beyond the image, where it is cut off.
    """
    height, width = images.shape[1], images.shape[2]
    ends = corner + size
    down, across = (
        (ops.arange(side)[None] >= corner[:, i, None]) & (ops.arange(side)[None] < ends[:, i, None])
        for i, side in enumerate((height, width))
    )
    inside = down[:, :, None] & across[:, None, :]
    left = 1 - ops.mean(ops.cast(inside, "float32"), axis=(1, 2))
    return ops.where(inside[..., None], ops.take(images, order, axis=0), images), left


class Mixing(keras.Model):
    """Trains on mixed pairs of images; it wraps the layers of a model while that is trained, and is not saved itself.

    What is no image comes of the first of the pair. The metrics of training batches are those of the first label.
    """

    def __init__(
        self, *args: Any, images: Collection[str] = (), mix: float = 0.0, cut: float = 0.0, **kwargs: Any
    ) -> None:
        """``images``: names of the inputs that are mixed; ``mix``, ``cut``: parameters of the Betas, 0 for never."""
        super().__init__(*args, **kwargs)
        self.images, self.mix, self.cut = tuple(images), mix, cut
        self.random = keras.random.SeedGenerator()
        self.paired = False
        """Whether labels are those of a pair, one half after the other: inside of ``train_step``."""

    def train_step(self, data: Any) -> Mapping[str, Any]:
        """One step on a batch whose images are mixed."""
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        count = ops.shape(y)[0]
        order = keras.random.shuffle(ops.arange(count), seed=self.random)
        mixed, left = self._mixed(dict(x), order, count)
        row = ops.ones((count,)) if weight is None else ops.cast(weight, "float32")
        shares = ops.concatenate([left * row, (1 - left) * ops.take(row, order, axis=0)])
        labels = ops.concatenate([y, ops.take(y, order, axis=0)])
        self.paired = True
        try:
            found: Mapping[str, Any] = super().train_step((mixed, labels, shares))
        finally:
            self.paired = False
        return found

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The mean over the rows of the loss against both labels, by their shares: both halves of ``y``, [2 N, ...]."""
        if not self.paired:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        twice = ops.concatenate([y_pred, y_pred])
        return super().compute_loss(x, y, twice, 2 * sample_weight, training)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Metrics of the first label of each pair."""
        if self.paired:
            y, sample_weight = y[: ops.shape(y_pred)[0]], None
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _mixed(self, x: dict[str, Any], order: Any, count: Any) -> tuple[dict[str, Any], Any]:
        """The batch with mixed images, and the weight of the first of each pair, [N]."""
        if not self.cut:
            return self._averaged(x, order, count)
        if not self.mix:
            return self._cut(x, order, count)
        cuts = keras.random.uniform((), seed=self.random) < 0.5
        return ops.cond(cuts, lambda: self._cut(x, order, count), lambda: self._averaged(x, order, count))

    def _averaged(self, x: dict[str, Any], order: Any, count: Any) -> tuple[dict[str, Any], Any]:
        weight = keras.random.beta((count,), self.mix, self.mix, seed=self.random)
        return {n: mixup(v, order, weight) if n in self.images else v for n, v in x.items()}, weight

    def _cut(self, x: dict[str, Any], order: Any, count: Any) -> tuple[dict[str, Any], Any]:
        """The same rectangle, in shares of the sides, of all images of a row."""
        kept = keras.random.beta((count,), self.cut, self.cut, seed=self.random)
        side = ops.sqrt(1 - kept)
        place = keras.random.uniform((count, 2), seed=self.random)
        left, mixed = kept, dict(x)
        for name in self.images:
            sides = ops.cast(ops.array(x[name].shape[1:3]), "float32")
            size = ops.cast(ops.round(side[:, None] * sides), "int32")
            corner = ops.cast(ops.floor(place * (sides + 1 - ops.cast(size, "float32"))), "int32")
            mixed[name], left = cutmix(x[name], order, corner, size)
        return mixed, left
