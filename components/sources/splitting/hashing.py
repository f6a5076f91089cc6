"""A hash of rows that depends on nothing but their content: not on order, batch, library version or machine.

Polars says of its own hash that it may change between versions, and a changed hash would move rows between splits.
The mixing step is SplitMix64 (Steele, Lea, Flood 2014); text is hashed byte by byte with position-dependent mixing.
All columnar: a text column is hashed once per distinct value.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from kilnworks.schemas.contract import Contract
from kilnworks.schemas.tiles import PLACE

Hashes = np.ndarray
"""``uint64 [n]``."""

_MISSING = np.uint64(0x9AE16A3B2F90404F)
_STEP = np.uint64(0x9E3779B97F4A7C15)


def whole_photographs(frame: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Rows with photographs in place of their tiles in the key, where a label has boxes: tiles of one hash alike."""
    key = contract.key
    if contract.label is None or contract.label.boxes is None or frame.schema.get(str(key)) != pl.String:
        return frame
    return frame.with_columns(pl.col(str(key)).str.replace(f"{PLACE}$", ""))


def hash_rows(frame: pl.DataFrame, columns: Sequence[str], salt: int = 0) -> Hashes:
    """One ``uint64`` a row from the named columns, in the order given."""
    return salted(hash_each(frame, columns), frame.height, salt)


def hash_each(frame: pl.DataFrame, columns: Sequence[str]) -> list[Hashes]:
    """One ``uint64`` a row of each column, without a salt."""
    return [_hash_series(frame.get_column(name)) for name in columns]


class CopyNumbers:
    """Numbers rows of one content from 0 on, over all batches: hashed with it, they go apart.

    Which has which number is of no account, since they are alike: other orders and batches give the same splits.
    """

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}

    def of(self, hashes: Sequence[Hashes]) -> Hashes:
        """One more column, the hash of each row's number, ``uint64 [n]``, from those of the columns of at least one."""
        content = salted(hashes, len(hashes[0]), 0)
        found, place, counts = np.unique(content, return_inverse=True, return_counts=True)
        order = np.argsort(place, kind="stable")
        within = np.empty(len(content), dtype=np.int64)
        within[order] = np.arange(len(content)) - np.repeat(np.cumsum(counts) - counts, counts)
        before = np.array([self._seen.get(one, 0) for one in found.tolist()], dtype=np.int64)
        self._seen.update(zip(found.tolist(), (before + counts).tolist(), strict=True))
        return mix((before[place] + within).astype(np.uint64))


def salted(hashes: Sequence[Hashes], rows: int, salt: int) -> Hashes:
    """The hashes of the columns of ``rows`` rows, and a salt, as one."""
    total = np.full(rows, mix(np.array([salt], dtype=np.uint64)), dtype=np.uint64)
    for one in hashes:
        total *= _STEP
        total ^= one
    return mix(total)


def unit_interval(hashes: Hashes) -> np.ndarray:
    """Hashes as ``float64 [n]`` spread evenly over [0, 1)."""
    return (hashes >> np.uint64(11)).astype(np.float64) * 2.0**-53


def mix(values: np.ndarray) -> Hashes:
    """SplitMix64 of ``uint64`` values: every input bit moves every output bit."""
    z = values + _STEP
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


def _hash_series(series: pl.Series) -> Hashes:
    if isinstance(series.dtype, pl.Array):
        return _hash_tensor(series)
    if series.dtype == pl.String:
        return _hash_text(series)
    numbers = series.cast(pl.Float64) if series.dtype.is_float() else series.to_physical()
    if numbers.dtype not in (pl.Float64, pl.UInt64):
        numbers = numbers.cast(pl.Int64)
    values = numbers.fill_null(0).to_numpy()
    bits = (values + 0.0 if values.dtype.kind == "f" else values).view(np.uint64)  # -0.0 is 0.0
    return _with_missing(mix(bits), series)


def _hash_text(series: pl.Series) -> Hashes:
    """Hash the distinct texts, then look each row's up."""
    coded = series.to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
    codes = coded.indices.fill_null(0).to_numpy(zero_copy_only=False)
    table = _hash_bytes(coded.dictionary)
    return _with_missing(table[codes] if len(table) else np.zeros(len(series), dtype=np.uint64), series)


def _hash_bytes(texts: pa.LargeStringArray) -> Hashes:
    """Sum over the bytes of ``mix(byte, position)``; the length closes the sum."""
    _, offsets_buffer, data = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
    content = np.frombuffer(data or b"", dtype=np.uint8)[offsets[0] : offsets[-1]].astype(np.uint64)
    starts, lengths = offsets[:-1] - offsets[0], np.diff(offsets)
    position = np.arange(len(content), dtype=np.uint64) - np.repeat(starts, lengths).astype(np.uint64)
    mixed = mix(content | (position << np.uint64(8)))
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(mixed, dtype=np.uint64)])
    return mix(sums[starts + lengths] - sums[starts] + lengths.astype(np.uint64))


def _hash_tensor(series: pl.Series) -> Hashes:
    """Dot product of the elements' bits with mixed positions."""
    values = series.to_numpy()
    if values.dtype.kind == "f":
        values = values.astype(np.float64).view(np.uint64)
    weights = mix(np.arange(values.shape[1], dtype=np.uint64)) | np.uint64(1)
    return mix(values.astype(np.uint64) @ weights)


def _with_missing(hashes: Hashes, series: pl.Series) -> Hashes:
    if series.null_count():
        hashes[series.is_null().to_numpy()] = _MISSING
    return hashes
