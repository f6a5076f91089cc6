"""Whether rows that are alike are one row loaded twice, or rows of their own of which there are few different ones.

A split by the content of the rows keeps rows that are alike together. In a table of few different rows it then parts
rows of the same features by their label: 118 men who drowned train and the 57 who did not judge, who are alike but for
what is to be told.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from kilnworks.components.sources.splitting.hashing import hash_each, salted
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.words import named

SHARE = 0.05
"""Share of the rows that a split by content may part by their label."""
OF_COPIES = 0.1
"""The same as a share of the rows that have a copy: rows that were loaded twice agree in their label."""


def why_apart(contract: Contract, rows: pl.DataFrame) -> str:
    """Why rows that are alike are rows of their own, in a clause; empty where they are not.

    Args:
        contract: with the label.
        rows: those that are used, in contract dtypes.
    """
    if contract.label is None or contract.key is not None or rows.is_empty():
        return ""
    copied, parted = copied_and_parted(rows.select(contract.columns), contract.label.name)
    if parted < max(SHARE * rows.height, OF_COPIES * copied, 1):
        return ""
    different = "rows of the same features differ in"
    return f"{parted:,} of {rows.height:,} rows have a copy, and {different} {named(contract.label.name)}"


def copied_and_parted(rows: pl.DataFrame, label: str) -> tuple[int, int]:
    """How many rows have a copy, and how many of these while rows of the same features have another label."""
    hashes = hash_each(rows, [name for name in rows.columns if name != label])
    alike, whole = (salted(each, rows.height, 0) for each in (hashes, [*hashes, *hash_each(rows, [label])]))
    _, first, counts = np.unique(whole, return_index=True, return_counts=True)
    _, place, labels = np.unique(alike[first], return_inverse=True, return_counts=True)
    copied = counts > 1
    return int(counts[copied].sum()), int(counts[copied & (labels[place] > 1)].sum())
