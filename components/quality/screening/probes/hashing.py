"""Fingerprints of rows and keys that stay the same between versions and machines, and small sets of them."""

import base64
import hashlib
import zlib
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kilnworks.components.quality.screening.columns.table import Table

Hashes = NDArray[np.uint64]

KEPT = 20_000
"""Fingerprints that are remembered; of larger files the smallest, which are a fair sample."""


def hash_column(table: Table, name: str) -> Hashes:
    """A 64-bit fingerprint of each value; numbers by value, however they are written."""
    if table.specs[name].kind in ("number", "datetime"):
        values = table.numbers(name) + 0.0
        values[np.isnan(values)] = -1.2345e300
        return _mix(values.view(np.uint64))
    texts = table.texts(name).fill_null("\x00")
    kinds = texts.unique(maintain_order=True)
    codes = kinds.to_frame("v").with_row_index("i")
    index = texts.to_frame("v").join(codes, on="v", how="left", maintain_order="left")["i"].to_numpy()
    digests = np.array([_digest(t) for t in kinds.to_list()], np.uint64)
    return digests[index]


def hash_rows(table: Table, names: list[str]) -> Hashes:
    """A 64-bit fingerprint of each row over some columns, [n]."""
    total = np.zeros(table.rows, np.uint64)
    for name in sorted(names):
        with np.errstate(over="ignore"):
            total = _mix(total * np.uint64(0x9E3779B97F4A7C15) + hash_column(table, name))
    return total


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def _mix(x: Hashes) -> Hashes:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def pack(hashes: Hashes, most: int = KEPT) -> dict[str, Any]:
    """A small set of fingerprints as text: the ``most`` smallest, cut to 40 bits, as differences."""
    short = np.unique(hashes >> np.uint64(24))
    kept = short[:most]
    limit = int(kept[-1]) if short.size > most else 2**40
    steps = np.diff(kept, prepend=np.uint64(0)).astype("<u8").view(np.uint8).reshape(-1, 8)[:, :5]
    data = zlib.compress(np.ascontiguousarray(steps.T).tobytes(), 9)
    return {"limit": limit, "count": int(kept.size), "data": base64.b85encode(data).decode()}


def seen(packed: dict[str, Any], hashes: Hashes) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows can be looked up in the set, and which of the rows are in it; both [n]."""
    raw = np.frombuffer(zlib.decompress(base64.b85decode(packed["data"])), np.uint8)
    steps = np.zeros((packed["count"], 8), np.uint8)
    steps[:, :5] = raw.reshape(5, -1).T
    kept = np.cumsum(steps.view("<u8").ravel(), dtype=np.uint64)
    short = hashes >> np.uint64(24)
    return short <= packed["limit"], np.isin(short, kept)


def local_hashes(frame: pl.DataFrame) -> Hashes:
    """Fast fingerprints of rows for use within this process only."""
    return frame.hash_rows(seed=7).to_numpy()
