"""A split held in TensorFlow as few tensors, from which batches are gathered by row number."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf


class Columns:
    """Any nest of arrays with a common leading axis.

    Columns with one number a row are kept side by side, one matrix a dtype: gathering a batch then touches memory once
    a row instead of once a row and column.
    """

    def __init__(self, nest: Any) -> None:
        flat = tf.nest.flatten(nest)
        self._structure = tf.nest.map_structure(lambda _: 0, nest)
        self._shapes = [a.shape[1:] for a in flat]
        narrow: dict[str, list[int]] = {}
        for place, array in enumerate(flat):
            if int(np.prod(array.shape[1:])) == 1:
                narrow.setdefault(array.dtype.name, []).append(place)
        self._groups = [places for places in narrow.values() if len(places) > 1]
        self._matrices = [tf.constant(np.stack([flat[p].reshape(-1) for p in g], axis=1)) for g in self._groups]
        grouped = {p for group in self._groups for p in group}
        self._single = {p: tf.constant(a) for p, a in enumerate(flat) if p not in grouped}

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
