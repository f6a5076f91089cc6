"""Texts and booleans of a column: frequent values, lengths and words, merged batch by batch.

Every different value is counted while there are at most ``KEPT``; beyond, the rare ones are let go and the number of
different values is estimated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kilnworks.components.sketches.distinct import HyperLogLog

TOP = 10
KEPT = 1_000_000
LET_GO = 100_000
"""Values that stay when there are more than ``KEPT``."""
READ = 20_000
"""Different values of a batch that are read for their words."""


@dataclass
class Texts:
    """What is known of the values of some rows.

    Attributes:
        counts: columns ``value`` and ``count``; each value once.
        characters, shortest, longest: over all rows.
        words: columns ``word`` and ``count``, of the values that were read.
        read, spoken: rows whose words were counted, and how many words they have.
        several: whether any of these values has more than one word; the profile speaks of words only then.
    """

    counts: pl.DataFrame
    rows: int = 0
    characters: int = 0
    shortest: int | None = None
    longest: int | None = None
    exact: bool = True
    words: pl.DataFrame | None = None
    read: int = 0
    spoken: int = 0
    several: bool = False
    sketch: HyperLogLog | None = field(default=None)

    @classmethod
    def of(cls, series: pl.Series, *, alone: bool = True) -> Texts:
        """The values of a batch; ``alone`` where no other batch will be merged."""
        values, _ = coded(series)
        return cls.from_counts(values, series.dtype == pl.String, alone=alone)

    @classmethod
    def from_counts(cls, counts: pl.DataFrame, is_text: bool, *, alone: bool = True) -> Texts:
        """The same from values that were counted already."""
        found = cls(counts, int(counts.get_column("count").sum()))
        if not alone:
            found.sketch = HyperLogLog()
            found.sketch.add(counts.get_column("value").hash().to_numpy())
        if is_text and counts.height:
            times = counts.get_column("count").cast(pl.Int64)
            lengths = counts.get_column("value").str.len_chars().cast(pl.Int64)
            found.characters = int((lengths * times).sum())
            found.shortest, found.longest = int(lengths.min()), int(lengths.max())  # type: ignore[arg-type]
            found._read_words()
        return found

    def _read_words(self) -> None:
        """Count the words of the first different values."""
        some = self.counts.head(READ)
        words = some.with_columns(word=pl.col("value").str.to_lowercase().str.extract_all(r"\w+"))
        self.several = bool((words.get_column("word").list.len() > 1).any())
        each = words.explode("word")
        self.words = each.drop_nulls("word").group_by("word").agg(pl.col("count").sum())
        self.read = int(some.get_column("count").sum())
        self.spoken = int(self.words.get_column("count").sum())

    def merge(self, other: Texts) -> Texts:
        """The values of both; both were made with ``alone=False``."""
        if self.sketch is not None and other.sketch is not None:
            self.sketch.merge(other.sketch)
        counts = _summed([self.counts, other.counts], "value")
        exact = self.exact and other.exact and counts.height <= KEPT
        if counts.height > KEPT or not exact:
            counts = counts.sort("count", "value", descending=[True, False]).head(LET_GO)
        words = [part.words for part in (self, other) if part.words is not None]
        return Texts(
            counts,
            self.rows + other.rows,
            self.characters + other.characters,
            _least(self.shortest, other.shortest),
            max((n for n in (self.longest, other.longest) if n is not None), default=None),
            exact,
            _summed(words, "word").sort("count", "word", descending=[True, False]).head(KEPT) if words else None,
            self.read + other.read,
            self.spoken + other.spoken,
            self.several or other.several,
            self.sketch,
        )

    def statistics(self, *, sensitive: bool) -> dict[str, Any]:
        """What the profile says; no single values where they are sensitive."""
        distinct = self.counts.height if self.exact or self.sketch is None else self.sketch.count
        found: dict[str, Any] = {"distinct": distinct}
        if not self.exact:
            found["approximate"] = ["distinct", "top_values"]
        if not sensitive:
            found["top_values"] = _top(self.counts, "value")
        if self.longest is not None:
            found["length"] = {"min": self.shortest, "mean": self.characters / self.rows, "max": self.longest}
        if self.words is not None and self.several:
            found["words"] = {"mean": self.spoken / self.read, "vocabulary": self.words.height, "read": self.read}
            found["words"] |= {} if sensitive else {"top": _top(self.words, "word")}
        return found


def coded(series: pl.Series) -> tuple[pl.DataFrame, NDArray[np.int64]]:
    """Different values (``value``, ``count``), and for each row the place of its value there; -1 = missing."""
    array = series.to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
    codes = array.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    values = pl.Series("value", array.dictionary, dtype=series.dtype)
    counts = np.bincount(codes + 1, minlength=len(values) + 1)[1:]
    return pl.DataFrame([values, pl.Series("count", counts, dtype=pl.Int64)]), codes


def _top(counts: pl.DataFrame, name: str) -> list[dict[str, Any]]:
    top = counts.sort("count", name, descending=[True, False]).head(TOP)
    return [{"value": value, "count": count} for value, count in top.select(name, "count").iter_rows()]


def _summed(parts: list[pl.DataFrame], name: str) -> pl.DataFrame:
    return pl.concat(parts).group_by(name).agg(pl.col("count").sum())


def _least(a: int | None, b: int | None) -> int | None:
    there = [n for n in (a, b) if n is not None]
    return min(there) if there else None
