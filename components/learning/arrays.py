"""Parquet shards as encoded arrays: a whole split at once, or chunk by chunk where it does not fit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kilnworks.components.features.encoded import TEXT, keras_name
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.tasks.base import Task
from kilnworks.schemas.artifacts import Examples

if TYPE_CHECKING:
    import polars as pl

Arrays = dict[str, np.ndarray]
"""Encoded tensors by name, ``[rows, *shape]`` each; images that are not resized as uint8, texts as objects."""

CHUNK_BYTES = 8 * 2**20
"""Encoded bytes of a chunk while a split is read into memory, or through a model."""
TEXT_BYTES = 128
"""Guess at the bytes of a text in memory, where rows are only counted out."""
LABEL_ROWS = 1 << 20
"""Labels that are looked at together where they are not all held."""


@dataclass(frozen=True)
class Encoder:
    """Reads a split through the transform.

    Attributes:
        transform: the fitted preprocessing.
        task: how labels are encoded.
        columns: features, and what the task needs of a row besides them: the columns that are read.
    """

    transform: FeatureTransform
    task: type[Task]

    @property
    def columns(self) -> list[str]:
        """What is read of each shard."""
        contract = self.transform.contract
        return [*contract.features, *self.task.needed(contract)]

    def encode(self, frame: pl.DataFrame) -> Arrays:
        """The features of these rows, packed: [rows, *shape] by name, in the dtypes of ``packed_dtypes``."""
        return self.transform.encode(frame, packed=True)

    def label(self, frame: pl.DataFrame) -> np.ndarray:
        """The encoded label of these rows, [rows, ...]."""
        return self.task.learned(self.transform.contract, frame)

    def labels(self, files: Sequence[Path]) -> np.ndarray:
        """The encoded label of every row, [rows], in the order of the shards."""
        return np.concatenate(list(self.label_chunks(files)))

    def label_chunks(self, files: Sequence[Path]) -> Iterator[np.ndarray]:
        """The same in parts: the encoded labels of at most ``LABEL_ROWS`` rows each, [rows, ...]."""
        from kilnworks.components.features.shards import batches

        contract = self.transform.contract
        columns = self.task.needed(contract) or [*contract.features][:1]  # a column, that there are rows
        return map(self.label, batches(files, columns, LABEL_ROWS))

    def frames(self, files: Sequence[Path], rows: int) -> Iterator[pl.DataFrame]:
        """The raw rows of the shards in order, at most ``rows`` at a time."""
        from kilnworks.components.features.shards import batches

        return batches(files, self.columns, rows)

    def whole(self, files: Sequence[Path], rows: int) -> Arrays:
        """Every row of the shards (``rows`` in all), encoded, [rows, *shape] by name; holds one chunk besides."""
        dtypes = self.transform.packed_dtypes
        out = {t.name: aligned((rows, *t.shape), dtypes[t.name]) for t in self.transform.encoded}
        at = 0
        for frame in self.frames(files, max(1, CHUNK_BYTES // row_bytes(self.transform))):
            for name, values in self.encode(frame).items():
                out[name][at : at + frame.height] = values
            at += frame.height
        return out


def aligned(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """An array [*shape] that begins at a multiple of 64 bytes, as TensorFlow wants it; it copies any other, twice.

    Texts (``string`` or ``object``) are objects, which it copies in any case.
    """
    if dtype in (TEXT, "object"):
        return np.empty(shape, object)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    raw = np.empty(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype).reshape(shape)


def row_bytes(transform: FeatureTransform) -> int:
    """Bytes of one encoded row with its target and weight, as it is held."""
    dtypes, label = transform.packed_dtypes, transform.contract.label
    target = 8
    if label is not None and label.several:
        target = 4 * (5 * label.boxes if label.boxes is not None else len(label.classes or ()))
    return sum(_value_bytes(dtypes[t.name]) * math.prod(t.shape) for t in transform.encoded) + target


def _value_bytes(dtype: str) -> int:
    return TEXT_BYTES if dtype == TEXT else np.dtype(dtype).itemsize


def finite(values: np.ndarray) -> bool:
    """Whether an encoded tensor [...] holds neither NaN nor infinity; texts and whole numbers never do."""
    return values.dtype.kind != "f" or bool(np.isfinite(values).all())


def split_bytes(examples: Examples, splits: Sequence[str], transform: FeatureTransform) -> int:
    """Bytes that the encoded splits take together; of texts, some are looked at."""
    rows = sum(examples.rows(s) for s in splits if s in examples.splits)
    return (row_bytes(transform) + _text_bytes(examples, transform)) * rows


def _text_bytes(examples: Examples, transform: FeatureTransform) -> int:
    """Bytes of the texts of a row that are handed on as they are sent, by a few row groups of the training split."""
    from kilnworks.components.learning.row_groups import row_groups

    by_name = {keras_name(name): name for name in transform.contract.features}
    texts = [by_name[t.name] for t in transform.encoded if t.dtype == TEXT]
    return row_groups(examples.files("train"), texts).row_bytes if texts else 0
