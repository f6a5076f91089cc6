"""What scikit-learn found, as plain layers of Keras: the same arithmetic in float32, and nothing to import elsewhere.

::

    rows [N, D] -> rows less the centre, in spreads of the cluster [N, K, D] -> squared distances [N, K]
                -> logarithm of weight and density [N, K] -> the largest [N, 1]

For k-means the spread is 1, and half the squared distance, negative, stands for the density.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kilnworks.components.tasks.layer_names import LayerNames

Array = np.ndarray


class Measured(keras.Model):
    """A model of which nothing is left to be trained: a step only says how well the rows fit. It is not saved."""

    def train_step(self, data: Any) -> dict[str, Any]:
        """The loss, which no gradient is taken of."""
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        return {"loss": ops.mean(self.compute_loss(x, y, self(x, training=False), weight, training=False))}


def parts_of(model: Any, order: Array) -> tuple[Array, Array, Array]:
    """Kernel [K, D] or [K, D, D], bias [K, D] and offsets [K] of a fitted scikit-learn model, clusters in ``order``."""
    if hasattr(model, "cluster_centers_"):
        centres = np.asarray(model.cluster_centers_)[order]
        return np.ones_like(centres), -centres, np.zeros(len(centres))
    means, weights = model.means_[order], model.weights_[order]
    factors = model.precisions_cholesky_[order]
    if factors.ndim == 3:
        bias = -np.einsum("kd,kde->ke", means, factors)
        diagonals = np.diagonal(factors, axis1=1, axis2=2)
    else:
        bias, diagonals = -means * factors, factors
    offsets = np.log(weights) + np.log(diagonals).sum(axis=1) - 0.5 * means.shape[1] * np.log(2 * np.pi)
    return factors, bias, offsets


def measures(rows: Any, parts: tuple[Array, Array, Array], names: LayerNames) -> Any:
    """``[N, 1 + 2 K + D]`` of rows [N, D]: the largest density, the densities, the squared distances, and the rows.

    ``parts`` are those of ``parts_of``.
    """
    kernel, bias, offsets = parts
    count, wide = bias.shape
    equation = "nd,kde->nke" if kernel.ndim == 3 else "nd,kd->nkd"
    apart = _affine(equation, (count, wide), "ke" if kernel.ndim == 3 else "kd", names("centres"))
    x = apart(rows)
    apart.set_weights([kernel, bias])
    square = keras.layers.Multiply(dtype="float32", name=names("square"))([x, x])
    mean = keras.layers.GlobalAveragePooling1D("channels_first", dtype="float32", name=names("mean_square"))(square)
    distances = keras.layers.Rescaling(float(wide), dtype="float32", name=names("squared_distances"))(mean)
    density = _affine("nk,k->nk", (count,), "k", names("densities"))
    scores = density(distances)
    density.set_weights([np.full(count, -0.5), offsets])
    long = keras.layers.Reshape((count, 1), dtype="float32", name=names("long"))(scores)
    best = keras.layers.GlobalMaxPooling1D(dtype="float32", name=names("largest"))(long)
    return keras.layers.Concatenate(dtype="float32", name=names("measures"))([best, scores, distances, rows])


def _affine(equation: str, shape: tuple[int, ...], axes: str, name: str) -> Any:
    return keras.layers.EinsumDense(equation, shape, bias_axes=axes, trainable=False, dtype="float32", name=name)
