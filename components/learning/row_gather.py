"""A split held in TensorFlow as few tensors, from which batches are gathered by row number."""

from __future__ import annotations

from copy import copy
from typing import Any, Self

import numpy as np
import tensorflow as tf

from kilnworks.components.learning.arrays import aligned


class Columns:
    """Any nest of arrays with a common leading axis.

    Columns with one number a row are kept side by side, one matrix a dtype: gathering a batch then touches memory once
    a row instead of once a row and column.
    """

    def __init__(self, structure: Any, flat: list[Any]) -> None:
        """``flat``: the arrays of a nest of this ``structure``; the list is emptied, so that none is there twice."""
        self._structure = structure
        self._shapes = [a.shape[1:] for a in flat]
        narrow: dict[str, list[int]] = {}
        for place, array in enumerate(flat):
            if int(np.prod(array.shape[1:])) == 1:
                narrow.setdefault(array.dtype.name, []).append(place)
        self._groups = [places for places in narrow.values() if len(places) > 1]
        self._matrices = [_side_by_side([flat[p] for p in g]) for g in self._groups]
        for place in [p for group in self._groups for p in group]:
            flat[place] = None
        self._single = {}
        for place, array in enumerate(flat):
            flat[place] = None
            if array is not None:
                self._single[place] = as_tensor(array)

    def copied(self, device: str) -> Self:
        """The same rows on another device."""
        twin = copy(self)
        with tf.device(device):
            twin._matrices = [tf.identity(m) for m in self._matrices]
            twin._single = {place: tf.identity(t) for place, t in self._single.items()}
        return twin

    def rows(self, numbers: Any) -> Any:
        """The rows with these numbers, int32 [batch], in the structure of the nest."""
        out: list[Any] = [None] * len(self._shapes)
        for place, tensor in self._single.items():
            out[place] = tf.gather(tensor, numbers)
        for places, matrix in zip(self._groups, self._matrices, strict=True):
            columns = tf.unstack(tf.gather(matrix, numbers), axis=1)
            for place, column in zip(places, columns, strict=True):
                out[place] = tf.reshape(column, (numbers.shape[0], *self._shapes[place]))
        return tf.nest.pack_sequence_as(self._structure, out)


def _side_by_side(columns: list[np.ndarray]) -> tf.Tensor:
    """``[rows, columns]`` from columns with one number a row."""
    matrix = aligned((len(columns[0]), len(columns)), columns[0].dtype.name)
    for place, column in enumerate(columns):
        matrix[:, place] = column.reshape(-1)
    return as_tensor(matrix)


def as_tensor(array: np.ndarray) -> tf.Tensor:
    """The array [...] as a tensor; on the processor not a copy where it is ``aligned``, so nobody may write to it."""
    if array.dtype.kind in "Ob" or array.ctypes.data % 64 or not array.size or tf.config.list_physical_devices("GPU"):
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
