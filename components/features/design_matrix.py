"""Encoded rows as one matrix, for models that are no network: numbers as they are, indices as columns of 0 and 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kilnworks.components.features.encoded import (
    AS_SENT,
    CATEGORICAL,
    NGRAMS,
    NUMERIC,
    SHARES,
    TEXT,
    TOKENS,
    EncodedTensor,
)

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Matrix = Any
"""float32 [rows, D]: an array, or ``scipy.sparse`` in rows where a tensor holds indices."""
FAR = 1e4
"""Values beyond this, in standard deviations, are cut off: one fault must not decide a least squares."""


def used(tensors: Sequence[EncodedTensor]) -> list[EncodedTensor]:
    """The tensors that a matrix is made of.

    Shares are the numbers again by their ranks and stay away where the numbers are there; so does what is only sent.
    """
    kinds = {tensor.kind for tensor in tensors}
    gone = {AS_SENT, *([SHARES] if NUMERIC in kinds else [])}
    return [tensor for tensor in tensors if tensor.kind not in gone and tensor.dtype != TEXT]


def width(tensors: Sequence[EncodedTensor]) -> int:
    """Values of a row that are looked at, of the tensors that ``used`` gives."""
    return sum(int(np.prod(tensor.shape)) for tensor in tensors)


def matrix(tensors: Sequence[EncodedTensor], rows: Mapping[str, np.ndarray]) -> Matrix:
    """Encoded rows side by side, float32 [rows, D].

    Args:
        tensors: what ``used`` gives, at least one.
        rows: as ``FeatureTransform.encode`` gives them, [rows, *shape] by name.
    """
    parts = [_part(tensor, rows[tensor.name]) for tensor in tensors]
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts, axis=1)
    from scipy.sparse import csr_matrix, hstack

    return hstack([csr_matrix(part) for part in parts], format="csr")


def _part(tensor: EncodedTensor, values: np.ndarray) -> Any:
    if tensor.kind == CATEGORICAL:
        return _counted(values.reshape(len(values), 1), tensor.vocabulary_size, keep_zero=True)
    if tensor.kind in (TOKENS, NGRAMS):
        return _weighed(_counted(values.reshape(len(values), -1), tensor.vocabulary_size, keep_zero=False))
    flat = values.reshape(len(values), -1).astype(np.float32)
    return np.nan_to_num(flat, nan=0.0, posinf=FAR, neginf=-FAR).clip(-FAR, FAR)


def _counted(indices: np.ndarray, size: int | None, *, keep_zero: bool) -> csr_matrix:
    """How often each index stands in a row; index 0 is padding unless it is kept."""
    from scipy.sparse import csr_matrix

    kept = np.ones(indices.shape, bool) if keep_zero else indices != 0
    rows = np.repeat(np.arange(len(indices)), kept.sum(axis=1))
    columns = indices[kept]
    shape = (len(indices), size or int(indices.max(initial=0)) + 1)
    return csr_matrix((np.ones(len(columns), np.float32), (rows, columns)), shape=shape)


def _weighed(counts: csr_matrix) -> csr_matrix:
    """Rows of length 1, by the logarithm of the counts: long texts weigh no more than short ones."""
    from sklearn.preprocessing import normalize

    counts.data = 1 + np.log(counts.data)
    return normalize(counts)
