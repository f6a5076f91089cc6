"""Skip-gram with negative sampling: a vector for each word, learned from the words around it.

::

    words of a text -> pairs within a window, frequent words weighed down -> does this word stand near that one?

Mikolov, Sutskever, Chen, Corrado & Dean 2013. Pairs are views of the texts, never written out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr

from kilnworks.components.features.encoded import TOKENS, EncodedTensor
from kilnworks.components.features.kinds.text import TokenTensor
from kilnworks.components.modeling.base import Architecture, scope_name
from kilnworks.components.modeling.learner import Learner, Phase
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.components.tasks.word_embedding import WordEmbedding
from kilnworks.schemas.errors import ConfigError, DataInvalid
from kilnworks.schemas.search import Dimension, Float

if TYPE_CHECKING:
    import numpy as np

    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.modeling.texts.grams import SkipGrams


class SkipGram(Architecture):
    """Vectors of the words of one text, ``FeatureSettings(encode="tokens")``, which ``text: true`` gives it.

    Words [N, T] in, their mean vector [N, dimensions] and the nearest words out (Mikolov, Sutskever, Chen, Corrado &
    Dean 2013). Use it to see which words stand for alike things, and for vectors to begin another network with.
    """

    task: ClassVar[type[Task] | None] = WordEmbedding
    takes: ClassVar[frozenset[str] | None] = frozenset({TOKENS})

    kind: Literal["skipgram"] = "skipgram"
    dimensions: int = Field(default=64, ge=1, le=1024)
    """Of a vector."""
    window: int = Field(default=5, ge=1, le=50)
    """Places that the words of a pair are apart, at most; near ones weigh more."""
    negatives: int = Field(default=5, ge=1, le=100)
    """Words that are drawn for each one, by their frequency to the power of 0.75, to be told from what stands there."""
    subsampling: float = Field(default=1e-3, ge=0, le=1)
    """Share of all words above which a word counts less; 0 for none."""
    nearest: int = Field(default=10, ge=1, le=100)
    """Words that are answered as the nearest ones."""

    space: ClassVar[Mapping[str, Dimension]] = {"subsampling": Float(low=1e-4, high=1e-2, log=True)}

    _counts: tuple[int, ...] = PrivateAttr(default=())
    _usual: float = PrivateAttr(default=1.0)

    def shown(self, columns: Mapping[str, Any]) -> Self:
        """The same with the frequencies of the training rows."""
        import numpy as np

        from kilnworks.components.modeling.texts.frequencies import kept, usual_weight

        texts = np.asarray(columns[next(iter(columns))])
        counts = np.bincount(texts.ravel())
        usual = usual_weight(texts, kept(counts, self.subsampling), self.window)
        if not usual:
            raise DataInvalid(
                "no two known words stand near one another in the training texts", "texts of several known words",
                "check the text, or set min_texts lower in the settings of the feature",
            )  # fmt: skip
        seeing = self.model_copy()
        seeing._counts, seeing._usual = tuple(counts.tolist()), usual
        return seeing

    def network(self, encoded: Sequence[EncodedTensor], task: Task) -> Any:
        """See ``Architecture.network``; the output is that of ``SkipGrams``."""
        import keras

        text = self._text(encoded)
        names = LayerNames({text.name})
        numbers = keras.Input(text.shape, dtype=text.dtype, name=text.name)
        told = self._grams(text, names("grams"))(numbers)
        return keras.Model({text.name: numbers}, task.head(told, names), name=scope_name(self.kind))

    def trunk(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """There is none without its task: see ``network``."""
        raise NotImplementedError

    def learner(self, encoded: Sequence[EncodedTensor], task: Task) -> Learner:
        """One phase over the pairs."""
        from kilnworks.components.modeling.texts.grams import Pairs, grams_of

        model = self.network(encoded, task)
        return Learner(model, (Phase("fit", Pairs(grams_of(model), self._text(encoded).name)),))

    def calibrated(self, task: Task, transform: FeatureTransform, outputs: Callable[[str], np.ndarray | None]) -> Task:
        """The task with the words."""
        tell: Callable[..., Task] | None = getattr(task, "with_words", None)
        if tell is None:
            return task  # of one's own, that answers with something else
        return tell(self._text(transform.encoded).words, self.dimensions, self.nearest)

    def remarks(self, model: Any, fitted: FeatureTransform, task: Task) -> dict[str, Any]:
        """``embedding``: a map of the most frequent words, and the nearest ones of some."""
        from kilnworks.components.modeling.texts.word_vectors import WordVectors

        return {"embedding": WordVectors.inside(model, self._text(fitted.encoded).words).described()}

    def _text(self, encoded: Sequence[EncodedTensor]) -> TokenTensor:
        """The one text. Raises ``ConfigError`` for several, and for one whose words are hashed."""
        self.refuse_unread(encoded)
        one = encoded[0]
        if len(encoded) > 1 or not isinstance(one, TokenTensor) or not one.words:
            raise ConfigError(
                f"model skipgram for {', '.join(t.name for t in encoded)}", "one text, with a vocabulary",
                "ignore the other features in the contract, leave hash_buckets out; of a sensitive text no vocabulary "
                "is kept",
            )  # fmt: skip
        return one

    def _grams(self, text: TokenTensor, name: str) -> SkipGrams:
        """The layer, with what the frequencies say."""
        import numpy as np

        from kilnworks.components.modeling.texts import frequencies
        from kilnworks.components.modeling.texts.grams import BANK, SkipGrams

        size = text.vocabulary_size or 0
        if size - frequencies.FIRST <= self.nearest:
            raise ConfigError(
                f"{size - frequencies.FIRST} known words, and the {self.nearest} nearest are asked for",
                "more words", "give more texts, or set nearest lower",
            )  # fmt: skip
        counts = np.zeros(size, np.int64)
        counts[: len(self._counts)] = self._counts
        counts[frequencies.FIRST :] += not self._counts
        keep = frequencies.kept(counts, self.subsampling)
        drawn, chance = frequencies.noise(counts, BANK)
        layer = SkipGrams(size, self.dimensions, self.window, self.negatives, self.nearest, name=name)
        layer.build(None)
        layer.keep.assign(keep[:, None])
        layer.noise.assign(drawn.astype(np.float32)[:, None])
        layer.bias.assign(frequencies.unigram(counts, keep, chance, self.negatives)[:, None])
        layer.usual.assign([self._usual])
        return layer
