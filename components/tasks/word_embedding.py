"""Vectors of words: what is sent is a word or a text, what comes back its vector and the words nearest to it.

The model says of each text how well its words foretell one another, beside what their frequencies alone foretell; that
is learned from, and judged by on texts that were not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field

from kilnworks.components.judging.metric import Metric
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.base import Answer, Answers
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.components.tasks.totals import Totals
from kilnworks.components.tasks.unlabelled import Unlabelled

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from kilnworks.components.judging.intervals import Interval

FIRST, TOLD = 3, 3
"""The number of the first known word; columns of the model's output in front of the vector."""


def _over(pairs: Any, above: int, below: int) -> float:
    total = float(pairs[:, below].sum(dtype="float64"))
    return float(pairs[:, above].sum(dtype="float64")) / total if total else float("nan")


def _loss(truth: Any, answers: Mapping[str, Any]) -> float:
    return _over(answers["pairs"], 0, 2)


def _relative(truth: Any, answers: Mapping[str, Any]) -> float:
    return _over(answers["pairs"], 0, 1)


METRICS = (
    Metric("skipgram_loss", "min", "Skip-gram loss", "nats for a pair of words and its negatives; less is better",
           of=_loss),
    Metric("relative_loss", "min", "Against frequency", "loss over that of word frequencies alone; below 1 is better",
           of=_relative),
)  # fmt: skip


class WordEmbedding(Unlabelled):
    """``told`` [N, 3 + D + 2 K]: loss, loss of frequency, weight; vector; numbers and cosines of the nearest words."""

    kind: ClassVar[str] = "word_embedding"
    title: ClassVar[str] = "The vector"
    headline: ClassVar[tuple[str, ...]] = ("skipgram_loss", "relative_loss")
    judged: ClassVar[tuple[str, ...]] = ("pairs",)
    output: ClassVar[str] = "told"

    words: tuple[str, ...] = Field(default=(), repr=False)
    """The vocabulary, the most frequent word first."""
    dimensions: int = Field(default=64, ge=1)
    """Of a vector."""
    count: int = Field(default=10, ge=1)
    """Nearest words that are answered."""

    @classmethod
    def suits(cls, contract: Any) -> bool:
        """Never by itself: an architecture says that it learns vectors."""
        return False

    @classmethod
    def metrics_of(cls, top_k: int) -> tuple[Metric, ...]:
        """See ``Task.metrics_of``."""
        return METRICS

    def with_words(self, words: Sequence[str], dimensions: int, count: int) -> Self:
        """The task of a trained model: its vocabulary, the most frequent word first, and what it answers."""
        return self.model_copy(update={"words": tuple(words), "dimensions": dimensions, "count": count})

    # ---- training

    @property
    def outputs(self) -> int:
        """Width of the output."""
        return TOLD + self.dimensions + 2 * self.count

    def head(self, features: Any, names: LayerNames) -> Any:
        """As it is, in float32."""
        return self.finishing(names(self.output))(features)

    def loss(self) -> Any:
        """What the model says of itself."""
        from kilnworks.components.tasks.losses import first_column

        return first_column

    def totals(self) -> Totals:
        """The loss."""
        return Totals(lambda target, output: output[:, 0].mean(dtype="float64"))

    # ---- serving

    @property
    def answered(self) -> tuple[Answer, ...]:
        """Vector, nearest words, and how usual the text is."""
        return (
            Answer("vector", "float32", (self.dimensions,), "of the word, or of the text: the mean of its words"),
            Answer(
                "nearest", "string", (self.count,), "the nearest words, the nearest first; empty where none is known"
            ),
            Answer("similarity", "float32", (self.count,), "cosine of each of them, -1 to 1"),
            Answer("pairs", "float32", (TOLD,), "loss of its pairs of words, that of frequency alone, their weight"),
        )

    def answers(self, output: Any) -> dict[str, Any]:
        """See ``Task.answers``."""
        import tensorflow as tf

        parts, numbers = self._parts(tf.cast(output, tf.float32))
        return {**parts, "nearest": tf.gather(tf.constant(self._texts), tf.cast(numbers, tf.int32))}

    def answer_layers(self, output: Any) -> dict[str, Any]:
        """See ``Task.answer_layers``; words by a lookup, since Keras has no operation on texts."""
        from keras import layers, ops

        parts, numbers = self._parts(output)
        texts = ["", *(f"[{n}]" for n in range(1, FIRST)), *self.words]  # a vocabulary of Keras holds each text once
        lookup = layers.StringLookup(vocabulary=texts, num_oov_indices=0, mask_token=None, invert=True)
        return {**parts, "nearest": lookup(ops.cast(numbers, "int32"))}

    @property
    def _texts(self) -> list[str]:
        """The word of each number; empty for what is none."""
        return [""] * FIRST + list(self.words)

    def _parts(self, output: Any) -> tuple[dict[str, Any], Any]:
        """Answers that are numbers, and the numbers of the nearest words."""
        vector, words = TOLD + self.dimensions, TOLD + self.dimensions + self.count
        parts = {"pairs": output[:, :TOLD], "vector": output[:, TOLD:vector], "similarity": output[:, words:]}
        return parts, output[:, vector:words]

    def difference(self, name: str, got: np.ndarray, wanted: Mapping[str, np.ndarray]) -> np.ndarray:
        """See ``Task.difference``; words that are equally near may change places, up to half the distance."""
        import numpy as np

        if name != "nearest":
            return super().difference(name, got, wanted)
        right, near = wanted[name], wanted["similarity"]
        if got.shape != right.shape:
            return np.full(max(len(right), 1), np.inf)
        steps = np.diff(near, axis=1, append=near[:, -1:])
        gap = np.minimum(np.abs(steps), np.abs(np.diff(near, axis=1, prepend=near[:, :1])))
        gap[:, :1] = np.abs(steps[:, :1])
        return np.asarray(np.where(got == right, 0.0, gap / 2).max(axis=1))

    def table(self, answers: Answers) -> pl.DataFrame:
        """Columns ``nearest``, the words with spaces between, and ``similarity`` of the nearest."""
        import numpy as np
        import polars as pl

        rows = [b" ".join(row).decode() for row in np.asarray(answers["nearest"], object).tolist()]
        nearest = np.asarray(answers["similarity"])[:, 0].astype(np.float64)
        return pl.DataFrame({"nearest": pl.Series(rows, dtype=pl.String), "similarity": nearest})

    # ---- judging

    def scores(self, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> Mapping[str, Interval]:
        """Nothing besides what ``metrics_of`` computes itself: texts are drawn again."""
        return {}

    def described(self, truth: np.ndarray, answers: Answers) -> dict[str, Any]:
        """What the frequencies alone reach on the same texts."""
        reached = _over(answers["pairs"], 1, 2)
        found = {"skipgram_loss": reached, "relative_loss": 1.0} if math.isfinite(reached) else {}
        return {"baseline": {"rule": "the frequencies of the words alone", "metrics": found}}

    @classmethod
    def pictures(cls, results: Mapping[str, Any]) -> list[tuple[str, str]]:
        """None: the map of the words stands beside the training."""
        return []
