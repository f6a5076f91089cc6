"""The training rows that a model finds most like a row: nearest in front of its last layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

NEAREST = 5
"""Rows that are named."""


def representation(model: Any) -> Any:
    """The model up to what its last layer takes, [n, D]; itself where that is no vector of numbers."""
    import keras

    taken = model.layers[-1].input
    plain = isinstance(taken, keras.KerasTensor) and len(taken.shape) == 2 and taken.dtype.startswith("float")
    return keras.Model(model.inputs, taken) if plain else model


def vectors(model: Any, encoded: Mapping[str, np.ndarray]) -> np.ndarray:
    """What a representation gives for encoded rows, float64 [n, D]."""
    from kilnworks.components.learning.predict import forward, outputs

    return outputs(forward(model), dict(encoded)).reshape(len(next(iter(encoded.values()))), -1).astype(np.float64)


def nearest(
    asked: np.ndarray, parts: Iterator[np.ndarray], spread: np.ndarray, count: int = NEAREST
) -> tuple[np.ndarray, np.ndarray]:
    """The places of the nearest rows and their distances, [n, count] each, the nearest first.

    Args:
        asked: vectors, [n, D].
        parts: vectors of the training rows, [m, D] each, in order.
        spread: standard deviations by which each place is divided, [D]; 0 counts as 1.
        count: neighbours of a row; fewer where there are fewer rows.

    Distances are Euclidean, by dimension on average: the root of the mean squared difference in standard deviations.
    """
    scale = np.where(spread > 0, spread, 1.0)
    places, distances = np.zeros((len(asked), 0), np.int64), np.zeros((len(asked), 0))
    start = 0
    for part in parts:
        away = ((asked[:, None] - part[None]) / scale) if part.size * len(asked) < 2**24 else None
        apart = _apart(asked / scale, part / scale) if away is None else np.sqrt((away**2).mean(axis=2))
        both = np.hstack([distances, apart])
        order = np.argsort(both, axis=1, kind="stable")[:, :count]
        known = np.hstack([places, np.broadcast_to(start + np.arange(len(part)), apart.shape)])
        places, distances = np.take_along_axis(known, order, axis=1), np.take_along_axis(both, order, axis=1)
        start += len(part)
    return places, distances


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The same by products, where all differences would not fit."""
    square = (one**2).sum(1)[:, None] + (other**2).sum(1)[None] - 2 * one @ other.T
    return np.sqrt(np.maximum(square, 0) / one.shape[1])
