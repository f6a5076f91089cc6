"""The vectors that a skip-gram learned: nearest words, analogies, a map of them, and a file that other models read.

::

    vectors = WordVectors.of(Model(Path("store/runs/words/one/model")))
    vectors.nearest("linux")
    vectors.analogy("microsoft", "windows", "apple")
    vectors.write(Path("vectors.txt"))              # for Text(vectors=Vectors(file="vectors.txt"))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kilnworks.components.modeling.texts.frequencies import FIRST
from kilnworks.schemas.artifacts import Model
from kilnworks.schemas.errors import UnknownName
from kilnworks.schemas.files import write_text

DRAWN = 120
"""Words on the map: the most frequent ones."""
SHOWN, AMONG, LETTERS, NEAR = 12, 400, 4, 6
"""Words whose neighbours are shown, evenly among so many of the most frequent that have so many letters; neighbours."""


@dataclass(frozen=True)
class WordVectors:
    """Words, the most frequent first, and their vectors.

    Attributes:
        words: [V].
        matrix: float32 [V, D].
    """

    words: tuple[str, ...]
    matrix: np.ndarray

    @classmethod
    def of(cls, model: Model) -> WordVectors:
        """Those of a trained model. Raises ``ConfigError`` where it is no skip-gram."""
        from kilnworks.components.features.kinds.text import TokenTensor
        from kilnworks.components.features.transform import FeatureTransform
        from kilnworks.components.modeling.kept import load_trained

        encoded = FeatureTransform.load(model.transform).encoded
        words = next((t.words for t in encoded if isinstance(t, TokenTensor)), ())
        return cls.inside(load_trained(model), words)

    @classmethod
    def inside(cls, model: Any, words: Sequence[str]) -> WordVectors:
        """Those of a Keras model, ``words`` [V] as its vocabulary. Raises ``ConfigError`` as ``of``."""
        from kilnworks.components.modeling.texts.grams import grams_of

        return cls(tuple(words), np.asarray(grams_of(model).vectors, np.float32)[FIRST : FIRST + len(words)])

    def __getitem__(self, word: str) -> np.ndarray:
        """The vector of a word, [D]. Raises ``UnknownName`` for a word that is not known."""
        vector: np.ndarray = self.matrix[self._place(word)]
        return vector

    def nearest(self, word: str, count: int = 10) -> list[tuple[str, float]]:
        """The words with the largest cosine, and that, -1 to 1; errors as for ``[]``."""
        return self._near(self[word], {word}, count)

    def analogy(self, a: str, b: str, c: str, count: int = 10) -> list[tuple[str, float]]:
        """What is to ``c`` as ``b`` to ``a``: the words nearest to b - a + c, each of length 1; errors as ``[]``."""
        one, other, third = (_unit(self[word]) for word in (a, b, c))
        return self._near(other - one + third, {a, b, c}, count)

    def write(self, path: Path) -> None:
        """A text as GloVe's, a word and its numbers a line; the file is there whole or not at all."""
        lines = (
            f"{word} {' '.join(map(repr, row))}" for word, row in zip(self.words, self.matrix.tolist(), strict=True)
        )
        write_text(path, "\n".join(lines) + "\n")

    def described(self) -> dict[str, Any]:
        """``map`` of the most frequent words on their first two principal components, ``share`` of their variance
        that those hold, 0 to 1, and ``nearest`` of some words; JSON-serializable.
        """
        some = self.matrix[:DRAWN].astype(np.float64)
        centred = some - some.mean(axis=0)
        left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
        flat = (
            (left * sizes)[:, :2] * np.sign(left[np.abs(left[:, :2]).argmax(axis=0), [0, 1]]) if len(some) > 1 else some
        )
        total = float((sizes**2).sum()) or 1.0
        long = [w for w in self.words[:AMONG] if w.isalpha() and len(w) >= LETTERS]
        chosen = long[:: max(1, len(long) // SHOWN)][:SHOWN]
        return {
            "words": len(self.words),
            "dimensions": self.matrix.shape[1],
            "share": float((sizes[:2] ** 2).sum()) / total,
            "map": [[w, round(float(p[0]), 4), round(float(p[-1]), 4)]
                    for w, p in zip(self.words[:DRAWN], flat, strict=True)],
            "nearest": [{"word": w, "near": [[n, round(s, 3)] for n, s in self.nearest(w, NEAR)]} for w in chosen],
        }  # fmt: skip

    def _place(self, word: str) -> int:
        if word not in self.words:
            raise UnknownName("word", word, self.words)
        return self.words.index(word)

    def _near(self, vector: np.ndarray, without: set[str], count: int) -> list[tuple[str, float]]:
        cosine = _unit(self.matrix) @ _unit(vector)
        order = (i for i in np.argsort(-cosine, kind="stable") if self.words[i] not in without)
        return [(self.words[i], float(cosine[i])) for i, _ in zip(order, range(count), strict=False)]


def _unit(vectors: np.ndarray) -> np.ndarray:
    unit: np.ndarray = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return unit
