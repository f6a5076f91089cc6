"""What the training loop eats: shuffled batches, whole rows at a time, in an order that one seed decides.

Every feed gives each row of an epoch exactly once, apart from the remainder that does not fill a batch (uneven
batches would change the gradient on several replicas). The order of epoch ``e`` depends on the seed and ``e`` only,
so a resumed run sees what the uninterrupted one would have seen.

* ``MemoryFeed``: everything encoded in memory; an epoch is a permutation, a batch is gathered by index.
* ``shard_feed.ShardFeed``: row groups of all shards in shuffled order, many at a time, mixed while in memory.

Images travel as bytes; ``read`` makes float32 of them inside the step. The loop takes ``blocks`` of several batches
and runs them in one call (``loop.block_function``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from kilnworks.components.learning.arrays import Arrays, finite
from kilnworks.components.learning.row_gather import Columns
from kilnworks.components.modeling.feeds.feed import Feed, Unpack

Batch = tuple[Arrays, np.ndarray] | tuple[Arrays, np.ndarray, np.ndarray]
"""Encoded tensors, targets and, where classes are weighted, row weights; leading axis ``batch`` or block."""


class MemoryFeed(Feed):
    """Encoded arrays in memory; batches are gathered by index."""

    def __init__(self, batch: Batch, size: int, seed: int, unpack: Unpack = dict) -> None:
        """``batch`` holds the whole split."""
        super().__init__(len(batch[1]), size, seed, unpack)
        self._data: Batch | None = batch
        self._columns: list[Columns] = []

    def whole(self) -> Batch:
        """The split, before it is held."""
        assert self._data is not None
        return self._data

    def hold(self, devices: Sequence[str]) -> None:
        """Move the arrays into TensorFlow: once, and once more for every further GPU."""
        if self._data is not None:
            structure, flat = tf.nest.map_structure(lambda _: 0, self._data), tf.nest.flatten(self._data)
            self._data = None
            self._columns = [Columns(structure, flat)]
        first = self._columns[0]
        self._columns = [first, *(first.copied(d) if "GPU" in d.upper() else first for d in devices[1:])]

    def _packed(self, block: Any, index: Any, device: int) -> Any:
        """Gather the rows whose numbers stand in ``block[index]``."""
        return self._columns[device].rows(block[index])

    def arrays(self) -> tuple[Arrays, np.ndarray]:
        """Encoded tensors as they travel, [rows, *shape] by name, and targets, [rows, ...], of every row."""
        data = self._columns[0].rows(tf.range(self.rows)) if self._data is None else self._data
        return data[0], data[1]

    def not_finite(self) -> list[str]:
        """Names of the encoded tensors that hold NaN or infinity."""
        data = self._columns[0].rows(tf.range(self.rows)) if self._data is None else self._data
        return [name for name, values in data[0].items() if not finite(np.asarray(values))]

    def permutation(self, epoch: int) -> np.ndarray:
        """Row numbers of the batches of an epoch, int32 [steps, batch]."""
        order = self._random(epoch).permutation(self.rows)[: self.steps * self.batch]
        return order.astype(np.int32).reshape(self.steps, self.batch)

    def _epoch_blocks(self, epoch: int, size: int) -> Iterator[np.ndarray]:
        order = self.permutation(epoch)
        for start in range(0, self.steps, size):
            yield order[start : start + size]

    def block_signature(self, rows: int) -> Any:
        """Row numbers."""
        return tf.TensorSpec((None, rows), tf.int32)
