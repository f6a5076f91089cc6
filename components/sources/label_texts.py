"""Texts that say "there is no label": the same rule for a first look, for training and for checks."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

ABSENT = frozenset(["", "na", "n/a", "#n/a", "#na", "<na>", "nan", "nat", "null", "?", "-", "--", "."])
"""In lower case, without blanks around them. Words such as ``none`` or ``unknown`` may be classes and are not here."""


def absent_labels(texts: pl.Series, classes: Collection[object] = ()) -> pl.Series:
    """Where a text means that the label is missing, [n]; one that is among the classes does not."""
    named = texts.is_in([str(value) for value in classes]) if classes else texts.is_null()
    return (texts.str.strip_chars().str.to_lowercase().is_in(sorted(ABSENT)) & ~named).fill_null(False)


def without_absent(texts: pl.Series, classes: Collection[object] = ()) -> pl.Series:
    """The texts with null where the label is missing."""
    absent = absent_labels(texts, classes)
    return texts.set(absent, None) if absent.any() else texts
