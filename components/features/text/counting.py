"""In how many texts each n-gram occurs, counted batch by batch in memory that does not grow with the rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import polars as pl

    from kilnworks.components.features.text.tokens import Tokens

BATCH = 512
"""Texts that are read at once."""
MOST = 3_000_000
"""Different n-grams that are held; beyond, those that are rare so far are let go and may be counted too low."""


def slices(series: pl.Series) -> Iterator[list[str]]:
    """The texts of a column, empty where missing, a batch at a time."""
    for start in range(0, len(series), BATCH):
        yield series[start : start + BATCH].fill_null("").to_list()


@dataclass
class TextCounts:
    """Document frequencies of n-grams.

    Attributes:
        grams: n-gram -> texts that hold it.
        approximate: whether some were let go.
    """

    grams: dict[str, int] = field(default_factory=dict)
    approximate: bool = False

    def add(self, flat: np.ndarray, rows: np.ndarray) -> None:
        """Count a batch.

        Args:
            flat: n-grams as bytes [m], in the order of their texts.
            rows: which text of the batch each belongs to [m].
        """
        import polars as pl

        found = pl.DataFrame({"row": rows, "gram": pl.Series(flat.tolist(), dtype=pl.Binary).cast(pl.String)})
        counts = found.unique().group_by("gram").len()
        for gram, texts in zip(counts["gram"].to_list(), counts["len"].to_list(), strict=True):
            self.grams[gram] = self.grams.get(gram, 0) + texts
        if len(self.grams) > MOST:
            self.approximate = True
            self.grams = dict(_ranked(self.grams)[: MOST // 2])

    def best(self, least: int, most: int) -> list[str]:
        """The most frequent n-grams, at most ``most``, each in ``least`` texts or more; ties in their own order."""
        return [gram for gram, _ in _ranked({g: n for g, n in self.grams.items() if n >= least})[:most]]


def _ranked(grams: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(grams.items(), key=lambda item: (-item[1], item[0]))


class Counted:
    """What a column of texts holds.

    Attributes:
        words, pieces: document frequencies.
        texts: that were read, empty ones too.
        lengths: how many texts have so many n-grams, [longest + 1]; the last place counts longer ones, too.
    """

    def __init__(self, layer: Tokens, longest: int) -> None:
        """``layer``: says how texts are cut into n-grams. ``longest``: n-grams of a text that matter."""
        import tensorflow as tf

        self._layer, self._longest = layer, longest
        self._read = tf.function(self._grams, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
        self.words, self.pieces = TextCounts(), TextCounts()
        self.texts, self.lengths = 0, np.zeros(longest + 1, np.int64)

    def look(self, values: pl.Series) -> None:
        """Take in a batch."""
        import tensorflow as tf

        for texts in slices(values):
            counts = np.zeros(len(texts), np.int64)
            for found, (flat, rows) in zip((self.words, self.pieces), self._read(tf.constant(texts)), strict=False):
                grams, places = flat.numpy(), rows.numpy()
                if len(grams):
                    found.add(grams, places)
                counts += self._lengths(grams, places, len(texts))
            self.texts += len(texts)
            self.lengths += np.bincount(np.minimum(counts, self._longest), minlength=self._longest + 1)

    def _lengths(self, grams: np.ndarray, rows: np.ndarray, texts: int) -> np.ndarray:
        """N-grams of each text, different ones where each counts once."""
        if self._layer.distinct and len(grams):
            import polars as pl

            once = pl.DataFrame({"row": rows, "gram": pl.Series(grams.tolist(), dtype=pl.Binary)}).unique()
            rows = once["row"].to_numpy()
        return np.bincount(rows, minlength=texts)

    def covering(self, share: float) -> int:
        """N-grams that are enough for so large a share of the texts, at least 1."""
        reached = np.cumsum(self.lengths) >= share * max(1, self.texts)
        return max(1, int(np.argmax(reached)))

    def _grams(self, texts: Any) -> list[tuple[Any, Any]]:
        """Flat n-grams and the row of each: of words, and of characters where they are asked for."""
        words, pieces = self._layer.grams(texts)
        return [(one.flat_values, one.value_rowids()) for one in (words, pieces) if one is not None]
