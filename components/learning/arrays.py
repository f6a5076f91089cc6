"""Parquet shards as encoded arrays: a whole split at once, or chunk by chunk where it does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.features.encoded import EncodedTensor
from components.features.transform import FeatureTransform
from schemas.artifacts import Examples

Arrays = dict[str, np.ndarray]
"""Encoded tensors by name, ``[rows, *shape]`` each."""


@dataclass(frozen=True)
class Encoder:
    """Reads a split through the transform.

    Attributes:
        transform: the fitted preprocessing.
        columns: features and label, the columns that are read.
    """

    transform: FeatureTransform

    @property
    def columns(self) -> list[str]:
        """What is read of each shard."""
        contract = self.transform.contract
        return [*contract.features, *([contract.label.name] if contract.label else [])]

    def labels(self, files: Sequence[Path]) -> np.ndarray:
        """The encoded label of every row, [rows], in the order of the shards."""
        import polars as pl

        contract = self.transform.contract
        assert contract.label is not None
        return self.transform.encode_label(
            pl.read_parquet(list(files), columns=[contract.label.name], glob=False).to_series()
        )

    def whole(self, files: Sequence[Path], rows: int) -> Arrays:
        """Every row of the shards, encoded; holds one raw shard at a time."""
        import polars as pl

        out = {t.name: np.empty((rows, *t.shape), t.dtype) for t in self.transform.encoded}
        at = 0
        for file in files:
            encoded = self.transform.encode(pl.read_parquet(file, columns=self.columns, glob=False))
            count = len(next(iter(encoded.values())))
            for name, values in encoded.items():
                out[name][at : at + count] = values
            at += count
        return out

    def chunks(self, file: Path, rows: int) -> Iterator[tuple[Arrays, np.ndarray]]:
        """Encoded tensors and labels of one shard, at most ``rows`` rows at a time."""
        import polars as pl
        import pyarrow.parquet as pq

        contract = self.transform.contract
        assert contract.label is not None
        with pq.ParquetFile(file) as shard:
            for batch in shard.iter_batches(batch_size=rows, columns=self.columns):
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)
                yield self.transform.encode(frame), self.transform.encode_label(frame[contract.label.name])


def row_bytes(encoded: Sequence[EncodedTensor]) -> int:
    """Bytes of one encoded row with its target and weight."""
    return sum(4 * int(np.prod(t.shape)) for t in encoded) + 8


def split_bytes(examples: Examples, splits: Sequence[str], encoded: Sequence[EncodedTensor]) -> int:
    """Bytes that the encoded splits take together."""
    return row_bytes(encoded) * sum(examples.rows(s) for s in splits if s in examples.splits)
