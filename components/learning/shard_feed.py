"""Batches of a split that does not fit in memory: its row groups are read anew in every epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from kilnworks.components.learning.arrays import Arrays, Encoder, aligned, finite
from kilnworks.components.learning.input_pipeline import Batch
from kilnworks.components.learning.row_groups import RowGroups, deal
from kilnworks.components.modeling.feeds.feed import Feed

if TYPE_CHECKING:
    import polars as pl


class ShardFeed(Feed):
    """Raw rows of one round of row groups in memory; they are gathered and encoded piece by piece, in random order.

    Rows stay raw until they leave, since encoded ones (one-hot categories) may be many times as wide.
    """

    def __init__(
        self,
        encoder: Encoder,
        groups: RowGroups,
        batch: int,
        seed: int,
        *,
        buffer: int,
        piece: int,
        finish: Callable[[Arrays, np.ndarray], Batch],
    ) -> None:
        """``buffer``: bytes of a round; ``piece``: rows encoded at once; ``finish``: targets and weights of labels."""
        super().__init__(groups.total, batch, seed, encoder.transform.unpack)
        self._encoder, self._groups, self._finish = encoder, groups, finish
        self._rounds, self._piece = groups.rounds(buffer), piece

    @property
    def longest_block(self) -> int:
        """Batches of a block at most: those of one piece."""
        return max(1, min(self.steps, self._piece // self.batch))

    def hold(self, devices: Sequence[str]) -> None:
        """Nothing: a block brings its rows along."""

    def _packed(self, block: Any, index: Any, device: int) -> Any:
        """Batch ``index`` of a block that holds the rows themselves."""
        return tf.nest.map_structure(lambda t: t[index], block)

    def block_signature(self, rows: int) -> Any:
        """The rows themselves."""
        dtypes = self._encoder.transform.packed_dtypes
        none = {t.name: aligned((0, *t.shape), dtypes[t.name]) for t in self._encoder.transform.encoded}
        sample = self._finish(none, np.zeros(0, np.int32))
        return tf.nest.map_structure(lambda a: tf.TensorSpec((None, rows, *a.shape[1:]), a.dtype), sample)

    def not_finite(self) -> list[str]:
        """Names of the encoded tensors that hold NaN or infinity; reads the split once more."""
        found: set[str] = set()
        for frame in self._encoder.frames(self._groups.files, max(1, self._piece)):
            found |= {name for name, values in self._encoder.encode(frame).items() if not finite(values)}
        return [t.name for t in self._encoder.transform.encoded if t.name in found]

    def _epoch_blocks(self, epoch: int, size: int) -> Iterator[Batch]:
        for rows in self._encoded(epoch, size * self.batch):
            yield tf.nest.map_structure(lambda a: a.reshape(-1, self.batch, *a.shape[1:]), rows)

    def _encoded(self, epoch: int, rows: int) -> Iterator[Batch]:
        """The rows of an epoch, ``rows`` at a time, the last ones fewer; several times as many are encoded at once."""
        for frame in self._frames(epoch, max(1, self._piece // rows) * rows):
            whole = self._finish(self._encoder.encode(frame), self._encoder.label(frame))
            for start in range(0, frame.height, rows):
                yield tf.nest.map_structure(lambda a, start=start: a[start : start + rows], whole)

    def _frames(self, epoch: int, rows: int) -> Iterator[pl.DataFrame]:
        """The raw rows of an epoch in their order, ``rows`` at a time, the last ones fewer."""
        import polars as pl

        random, left = self._random(epoch), self.steps * self.batch
        held: list[pl.DataFrame] = []
        for chosen in deal(len(self._groups.rows), self._rounds, random):
            mixed = self._groups.read(chosen)
            order = random.permutation(mixed.height).astype(np.uint32)
            while len(order) and left:
                wanted = min(rows, left) - sum(f.height for f in held)
                held.append(mixed.select(pl.all().gather(order[:wanted])))
                order = order[wanted:]
                if (height := sum(f.height for f in held)) == min(rows, left):
                    yield pl.concat(held, how="vertical_relaxed")
                    held, left = [], left - height
            del mixed
