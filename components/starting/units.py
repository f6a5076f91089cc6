"""What goes into a split as one: a row, its copies, or the rows of a group that has one label.

Without a key a split is by the content of rows and keeps rows that are alike together. In a table of few different rows
it then parts rows of the same features by their label: 118 men who drowned train and the 57 who did not judge, who are
alike but for what is to be told. Four visits of a patient are no four patients: where all have the label of the
patient, three of them tell that of the fourth.
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
ROWS, LABELS, FIRST = "rows of it", "labels of it", "its first label"
FEWEST_GROUPS = 20
"""Groups of several rows that show that a label is one of groups."""
GROUPED = 0.5
"""Share of the rows that are in such groups."""
MIXED = 0.1
"""Groups of several labels, at most, as a share of those that would be by chance."""
FEWEST_MIXED = 10
"""Groups that would have several labels by chance, at least."""
IN_ORDER = 0.6
"""Changes of the label from one number to the next, as a share of those by chance, below which it is an amount."""


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


def group_of(contract: Contract, rows: pl.DataFrame) -> str | None:
    """The column whose values have one label each, where as many rows of chance would have several.

    None where there is none; of several the one of fewest values: what holds of an order holds of its lines.

    Args:
        contract: with the label, a class.
        rows: all rows, in contract dtypes.
    """
    label = contract.label
    if label is None or label.classes is None or label.several or contract.key is not None:
        return None
    known = rows.filter(pl.col(label.name).is_in(label.classes))
    shares = known[label.name].value_counts(name=ROWS)[ROWS].to_numpy() / max(1, known.height)
    found: dict[str, int] = {}
    for name, feature in contract.features.items():
        if feature.dtype not in ("int", "string") or feature.text or feature.shape:
            continue
        groups = (
            known.drop_nulls(name)
            .group_by(name)
            .agg(
                pl.len().alias(ROWS),
                pl.col(label.name).n_unique().alias(LABELS),
                pl.col(label.name).first().alias(FIRST),
            )
        )
        several = groups.filter(pl.col(ROWS) > 1).sort(name)
        sizes = several[ROWS].to_numpy()
        if len(sizes) < FEWEST_GROUPS or sizes.sum() < GROUPED * known.height:
            continue
        by_chance = float(len(sizes) - (shares[:, None] ** sizes).sum())
        mixed = int((several[LABELS] > 1).sum())
        amount = feature.dtype == "int" and _in_order(several[FIRST])
        if by_chance >= FEWEST_MIXED and mixed <= MIXED * by_chance and not amount:
            found[name] = several.height
    return min(found, key=lambda name: found[name]) if found else None


def _in_order(labels: pl.Series) -> bool:
    """Whether neighbours in the order of a number share their label more often than by chance: it is an amount."""
    shares = labels.value_counts(name=ROWS)[ROWS].to_numpy() / len(labels)
    changes = int((labels != labels.shift(1)).sum()) / max(1, len(labels) - 1)
    return changes < IN_ORDER * float(1 - (shares**2).sum())
