"""Training rows that a user's model may look at before it is built: to adapt a vocabulary or a normalization."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kilnworks.components.learning.arrays import CHUNK_BYTES, Encoder, row_bytes

if TYPE_CHECKING:
    import polars as pl

LOG = logging.getLogger("kilnworks.data")
MOST_ROWS = 1_000_000
"""Rows that are shown; of more, row groups from all parts of the split."""


class TrainingColumns(Mapping[str, np.ndarray]):
    """The encoded training rows by input, ``[rows, *shape]``, as the model takes them; read when one is asked for."""

    def __init__(
        self, encoder: Encoder, files: Sequence[Path], seed: int, held: Mapping[str, np.ndarray] | None = None
    ) -> None:
        """``held``: what was read already of the whole split, by input, as it travels; in the order of the files."""
        self._encoder, self._files, self._seed = encoder, files, seed
        dtypes = encoder.transform.packed_dtypes
        same = {t.name for t in encoder.transform.encoded if dtypes[t.name] == t.dtype}
        self._read: dict[str, np.ndarray] = {n: v for n, v in (held or {}).items() if n in same}
        self._whole = bool(self._read)

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in list(self):
            raise KeyError(name)
        if name not in self._read:
            self._read[name] = np.concatenate([self._encoder.transform.encode(f)[name] for f in self._frames()])
        return self._read[name]

    def labels(self) -> np.ndarray:
        """The label of each of these rows, [rows, ...], as the task learns it."""
        if self._whole:
            return self._encoder.labels(self._files)
        return np.concatenate([self._encoder.label(frame) for frame in self._frames()])

    def __iter__(self) -> Iterator[str]:
        return (t.name for t in self._encoder.transform.encoded)

    def __len__(self) -> int:
        return len(self._encoder.transform.encoded)

    def _frames(self) -> Iterator[pl.DataFrame]:
        from kilnworks.components.learning.row_groups import row_groups, sample

        groups = row_groups(self._files, self._encoder.columns)
        chosen, share = sample(groups, MOST_ROWS, np.random.default_rng(self._seed))
        if groups.total > MOST_ROWS and not self._read:
            LOG.info("the model is shown about %d of %d training rows to adapt to", MOST_ROWS, groups.total)
        rows = max(1, CHUNK_BYTES // row_bytes(self._encoder.transform))
        for place in chosen:
            yield from groups.read(np.array([place]), share).iter_slices(rows)
