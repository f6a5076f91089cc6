"""Predictions of a trained model for many rows.

``keras.Model.predict`` builds an input pipeline at each call; here one compiled function runs over large chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.learning.arrays import CHUNK_BYTES, Arrays, row_bytes
from kilnworks.components.modeling.kept import load_trained
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.choose import task_of
from kilnworks.schemas.artifacts import Model

if TYPE_CHECKING:
    import polars as pl

Forward = Callable[[Arrays], np.ndarray]
"""Encoded tensors of a chunk -> outputs of the model, [rows, K]."""

_CHUNK_BYTES = 2**28
_CHANNELS = 64
"""Guess at how many float32 a layer holds for each value of an image."""
_FEWEST_VALUES = 2**22
"""Values of a chunk that are worth a call."""


def forward(model: Any, packed: FeatureTransform | None = None) -> Forward:
    """The inference pass of a Keras model with named inputs, compiled once for any number of rows.

    With ``packed`` it takes what that transform encodes with ``packed=True``.
    """
    dtypes = packed.packed_dtypes if packed else {i.name: i.dtype for i in model.inputs}
    unpack = packed.unpack if packed else dict
    signature = {i.name: tf.TensorSpec(i.shape, dtypes[i.name]) for i in model.inputs}
    run = tf.function(lambda x: model(unpack(x), training=False), input_signature=[signature], autograph=False)
    return lambda arrays: np.asarray(run({name: tf.constant(arrays[name]) for name in signature}))


def outputs(run: Forward, arrays: Arrays, chunk: int | None = None) -> np.ndarray:
    """Outputs for all rows, [rows, K]; ``chunk`` rows at a time, by default what keeps layers below 256 MiB."""
    rows = len(next(iter(arrays.values())))
    size = chunk or chunk_rows(arrays)
    parts = [run({n: a[i : i + size] for n, a in arrays.items()}) for i in range(0, rows, size)]
    return np.concatenate(parts) if len(parts) != 1 else parts[0]


def chunk_rows(arrays: Mapping[str, np.ndarray]) -> int:
    """Rows of a chunk of these arrays, [rows, ...] each: 8 to 16,384, and at least 256 of images up to 64 x 64 x 4."""
    widest = max(int(np.prod(a.shape[1:])) for a in arrays.values())
    fewest = min(256, max(8, _FEWEST_VALUES // widest))
    return int(np.clip(_CHUNK_BYTES // (4 * _CHANNELS * widest), fewest, 16_384))


def piece_rows(transform: FeatureTransform) -> int:
    """Rows to encode at once, about ``CHUNK_BYTES``: whole chunks, so that chunks are those of all rows together."""
    rows = chunk_rows({t.name: np.empty((0, *t.shape)) for t in transform.encoded})
    return rows * max(1, CHUNK_BYTES // (row_bytes(transform) * rows))


def answered(task: Task, output: np.ndarray) -> dict[str, np.ndarray]:
    """The answers that follow from model outputs [rows, K]; those that are judged, as arrays."""
    return answering(task)(output)


def answering(task: Task) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """``answered`` for pieces of rows, [rows, K] each: traced for the first two numbers of rows, not for each piece."""
    run = tf.function(
        lambda values: {name: task.looked_at(values)[name] for name in task.judged},
        autograph=False,
        reduce_retracing=True,
    )
    return lambda output: {name: np.asarray(values) for name, values in run(tf.constant(output)).items()}


def predict(model: Model, frame: pl.DataFrame, batch: int | None = None) -> dict[str, np.ndarray]:
    """Predictions for rows with the features of the contract.

    Args:
        model: a trained model.
        frame: raw rows; columns beyond the features are not looked at.
        batch: rows of a chunk; by default as many as memory and cache like.

    Returns:
        The judged answers of the task, [rows, ...] each: ``probabilities`` [N, K], columns in the order of
        ``label.classes``; for a regression ``score`` [N].
    """
    transform = FeatureTransform.load(model.transform)
    run = forward(load_trained(model))
    task = task_of(model)
    if frame.height == 0:
        return answered(task, np.zeros((0, task.outputs), np.float32))
    return answered(task, outputs(run, transform.encode(frame), batch))
