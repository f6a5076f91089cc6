"""What the training loop eats: shuffled batches, whole rows at a time, in an order that one seed decides.

Both feeds give each row of an epoch exactly once, apart from the remainder that does not fill a batch (uneven
batches would change the gradient on several replicas). The order of epoch ``e`` depends on the seed and ``e`` only,
so a resumed run sees what the uninterrupted one would have seen.

* ``MemoryFeed``: everything encoded in memory; an epoch is a permutation, a batch is gathered by index.
* ``ShardFeed``: shards in shuffled order, read in chunks through a buffer that is shuffled when it is full.

On one device the loop takes ``blocks`` of several batches and runs them in one call (``loop.block_function``);
on several replicas it takes single ``batches``.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from components.features.encoded import EncodedTensor
from components.learning.arrays import Arrays, Encoder
from components.learning.columns import Columns

Batch = tuple[Arrays, np.ndarray] | tuple[Arrays, np.ndarray, np.ndarray]
"""Encoded tensors, targets and, where classes are weighted, row weights; leading axis ``batch`` or block."""


class Feed(ABC):
    """A training split.

    Attributes:
        rows: rows of the split.
        batch: rows of a batch, over all replicas.
    """

    def __init__(self, rows: int, batch: int, seed: int) -> None:
        self.rows, self.batch, self.seed = rows, batch, seed

    @property
    def steps(self) -> int:
        """Batches of an epoch."""
        return self.rows // self.batch

    def blocks(self, epochs: range, size: int) -> Iterator[Any]:
        """Blocks of ``size`` batches for every epoch in turn; the last block of an epoch may be shorter."""
        return itertools.chain.from_iterable(self._epoch_blocks(epoch, size) for epoch in epochs)

    def batches(self, epochs: range) -> Iterator[Batch]:
        """Single batches for every epoch in turn."""
        return itertools.chain.from_iterable(map(self._epoch_batches, epochs))

    @abstractmethod
    def block_signature(self) -> Any:
        """``tf.TensorSpec`` of a block, in its structure."""

    @abstractmethod
    def read(self, block: Any, index: Any) -> Any:
        """Batch ``index`` of a block, inside a TensorFlow graph."""

    def not_finite(self) -> list[str]:
        """Names of the encoded tensors that hold NaN or infinity, as far as they are held in memory."""
        return []

    @abstractmethod
    def _epoch_blocks(self, epoch: int, size: int) -> Iterator[Any]: ...

    @abstractmethod
    def _epoch_batches(self, epoch: int) -> Iterator[Batch]: ...

    def _random(self, epoch: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, epoch])


class MemoryFeed(Feed):
    """Encoded arrays in memory; batches are gathered by index."""

    def __init__(self, batch: Batch, size: int, seed: int) -> None:
        """``batch`` holds the whole split."""
        super().__init__(len(batch[1]), size, seed)
        self._data: Batch | None = batch
        self._columns: Columns | None = None

    def read(self, block: Any, index: Any) -> Any:
        """Gather the rows whose numbers stand in ``block[index]``. On first use the arrays move into TensorFlow."""
        if self._columns is None:
            with tf.init_scope():
                self._columns, self._data = Columns(self._data), None
        return self._columns.rows(block[index])

    def not_finite(self) -> list[str]:
        """Names of the encoded tensors that hold NaN or infinity."""
        data = self._data if self._columns is None else self._columns.rows(tf.range(self.rows))
        assert data is not None
        return [name for name, values in data[0].items() if not np.isfinite(np.asarray(values)).all()]

    def permutation(self, epoch: int) -> np.ndarray:
        """Row numbers of the batches of an epoch, int32 [steps, batch]."""
        order = self._random(epoch).permutation(self.rows)[: self.steps * self.batch]
        return order.astype(np.int32).reshape(self.steps, self.batch)

    def _epoch_blocks(self, epoch: int, size: int) -> Iterator[np.ndarray]:
        order = self.permutation(epoch)
        for start in range(0, self.steps, size):
            yield order[start : start + size]

    def _epoch_batches(self, epoch: int) -> Iterator[Batch]:
        for rows in self.permutation(epoch):
            yield tf.nest.map_structure(lambda a, rows=rows: a[rows], self._data)

    def block_signature(self) -> Any:
        """Row numbers."""
        return tf.TensorSpec((None, self.batch), tf.int32)


class ShardFeed(Feed):
    """Shards read anew in each epoch; memory holds one buffer of rows."""

    def __init__(
        self,
        encoder: Encoder,
        files: Sequence[Path],
        rows: int,
        size: int,
        seed: int,
        *,
        buffer: int,
        finish: Callable[[Arrays, np.ndarray], Batch],
    ) -> None:
        """``finish`` makes targets and weights of labels; ``buffer`` counts rows, at least one batch."""
        super().__init__(rows, size, seed)
        self._encoder, self._files, self._finish = encoder, list(files), finish
        self._buffer = max(buffer, size)

    def read(self, block: Any, index: Any) -> Any:
        """Batch ``index`` of a block that holds the rows themselves."""
        return tf.nest.map_structure(lambda t: t[index], block)

    def _epoch_batches(self, epoch: int) -> Iterator[Batch]:
        random = self._random(epoch)
        rest: list[Batch] = []
        for buffer in self._buffers(random):
            rows = _shuffled(_joined([*rest, buffer]), random)
            whole = len(rows[1]) // self.batch * self.batch
            for start in range(0, whole, self.batch):
                yield _slice(rows, start, start + self.batch)
            rest = [_slice(rows, whole, None)]

    def _epoch_blocks(self, epoch: int, size: int) -> Iterator[Batch]:
        batches = self._epoch_batches(epoch)
        while block := list(itertools.islice(batches, size)):
            yield tf.nest.map_structure(lambda *a: np.stack(a), *block)

    def _buffers(self, random: np.random.Generator) -> Iterator[Batch]:
        """About ``buffer`` rows at a time, from shards in shuffled order."""
        held: list[Batch] = []
        count = 0
        for number in random.permutation(len(self._files)):
            for arrays, label in self._encoder.chunks(self._files[number], max(1, self._buffer // 4)):
                held.append(self._finish(arrays, label))
                count += len(label)
                if count >= self._buffer:
                    yield _joined(held)
                    held, count = [], 0
        if held:
            yield _joined(held)

    def block_signature(self) -> Any:
        """The rows themselves."""
        encoded = self._encoder.transform.encoded
        sample = self._finish({t.name: _no_rows(t) for t in encoded}, np.zeros(0, np.int32))
        return tf.nest.map_structure(lambda a: tf.TensorSpec((None, self.batch, *a.shape[1:]), a.dtype), sample)


def _no_rows(tensor: EncodedTensor) -> np.ndarray:
    return np.zeros((0, *tensor.shape), tensor.dtype)


def _joined(parts: Sequence[Batch]) -> Batch:
    return tf.nest.map_structure(lambda *a: np.concatenate(a), *parts) if len(parts) > 1 else parts[0]


def _shuffled(rows: Batch, random: np.random.Generator) -> Batch:
    order = random.permutation(len(rows[1]))
    return tf.nest.map_structure(lambda a: a[order], rows)


def _slice(rows: Batch, start: int, stop: int | None) -> Batch:
    return tf.nest.map_structure(lambda a: a[start:stop], rows)
