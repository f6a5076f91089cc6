"""Texts to be read: words and n-grams, by a vocabulary of the training split or by a hash.

Both paths run one layer (``kilnworks.components.features.text.tokens``): a tokenizer is not written twice.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr

from kilnworks.components.features.encoded import NGRAMS, NUMERIC, TOKENS, EncodedTensor, keras_name
from kilnworks.components.features.kinds.base import Layers, Observer, Plan
from kilnworks.components.features.kinds.built_in import BuiltIn, Encoding
from kilnworks.components.features.kinds.dropped import DroppedPlan
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Feature

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from kilnworks.components.features.text.tokens import Tokens

Form = Literal["tokens", "ngrams", "tfidf"]
"""The words in their order, each n-gram once, or a weight for every entry of the vocabulary."""
LONGEST: dict[Form, int] = {"tokens": 400, "ngrams": 2_000, "tfidf": 4_000}
"""Numbers of a text that are kept, where the settings say nothing; of n-grams, those of words and of characters."""
COVERED = 0.995
"""Share of the training texts that are kept whole, where no more than ``LONGEST`` are needed."""
HASHED = 1 << 16
"""Buckets for a sensitive text, of which no word may be stored."""
BATCH = 256
"""Texts that are read at once."""


class TextSettings(Config):
    """What can be set of one text."""

    text_length: int | None = Field(default=None, ge=1, le=100_000)
    """For texts: words (or n-grams) that are kept, the rest is cut off. None: as many as 99.5 % of the training texts
    have, at most 400 words, 2,000 n-grams."""
    word_ngrams: int | None = Field(default=None, ge=1, le=5)
    """Longest n-gram of words. None: 1 for ``tokens``, else 2."""
    character_ngrams: tuple[Annotated[int, Field(ge=1, le=10)], Annotated[int, Field(ge=1, le=10)]] | None = None
    """Shortest and longest n-gram of characters, within a word and its two edges; not for ``tokens``."""
    max_terms: int | None = Field(default=None, ge=1, le=5_000_000)
    """Most frequent n-grams of words that are known, and as many of characters. None: 50,000; 5,000 for ``tfidf``."""
    min_texts: int = Field(default=2, ge=1)
    """An n-gram in fewer training texts counts as unknown, which also teaches the model what unknown means."""
    hash_buckets: int | None = Field(default=None, ge=2, le=1 << 24)
    """Numbers by a hash instead of a vocabulary, so many for words and so many for characters. None: a vocabulary; for
    a sensitive text 65,536, so that none of its words is stored."""
    most_characters: int = Field(default=20_000, ge=1, le=10_000_000)
    """Characters of a text that are read."""
    lower: bool = True
    """Whether upper and lower case are the same."""


class NgramTensor(EncodedTensor):
    """Numbers of n-grams, each once: words first, characters from ``first_piece`` on."""

    first_piece: int


class TokenTensor(EncodedTensor):
    """Numbers of words as they stand."""

    words: tuple[str, ...] = Field(default=(), exclude=True, repr=False)
    """The vocabulary, numbered behind padding, unknown and start; empty where words are hashed."""


class TextPlan(Plan):
    """How a text becomes numbers; see ``Tokens`` for what each number means."""

    kind: Literal["text"] = "text"
    form: Form
    words: tuple[str, ...] = ()
    """Most frequent first."""
    pieces: tuple[str, ...] = ()
    length: int
    word_ngrams: int = 1
    characters: tuple[int, int] | None = None
    lower: bool = True
    most_characters: int
    buckets: int = 0
    idf: tuple[float, ...] = ()
    """For ``tfidf``: ``ln((1 + texts) / (1 + texts that hold it)) + 1`` of words, then of pieces."""
    approximate: bool = False
    """Whether there were too many different n-grams to count each exactly."""

    _made: Any = PrivateAttr(default=None)

    def reader(self) -> Tokens:
        """The layer that reads texts, made anew."""
        from kilnworks.components.features.text.tokens import Tokens

        return Tokens(
            self.words, self.pieces, self.length, self.word_ngrams, self.characters, self.form != "tokens", self.lower,
            self.most_characters, self.buckets,
        )  # fmt: skip

    def tensor(self, name: str, feature: Feature) -> EncodedTensor:
        """[length] numbers, or [entries] weights."""
        name, reader = keras_name(name), self.reader()
        if self.form == "tfidf":
            return EncodedTensor(name=name, shape=(len(self.idf),), dtype="float32", kind=NUMERIC)
        told: dict[str, Any] = {"name": name, "shape": (self.length,), "dtype": "int32", "vocabulary_size": reader.size}
        if self.form == "ngrams":
            return NgramTensor(**told, kind=NGRAMS, first_piece=reader.first_piece)
        return TokenTensor(**told, kind=TOKENS, words=self.words)

    def columns(self, name: str, feature: Feature, series: pl.Series, places: np.ndarray) -> np.ndarray:
        """See ``Plan``: the served layer itself, in batches."""
        import numpy as np
        import polars as pl
        import tensorflow as tf

        if self._made is None:
            signature = [tf.TensorSpec([None], tf.string)]
            self._made = tf.function(self._applied_layers(), input_signature=signature, autograph=False)
        texts = series.cast(pl.String).fill_null("")
        tensor = self.tensor(name, feature)
        out = np.empty((len(texts), *tensor.shape), tensor.dtype)
        for start in range(0, len(texts), BATCH):
            out[start : start + BATCH] = self._made(tf.constant(texts[start : start + BATCH].to_list(), tf.string))
        return out

    def layers(self, feature: Feature, raw: Any) -> Layers:
        """See ``Plan``."""
        return Layers(tensor=self._applied_layers()(raw))

    def _applied_layers(self) -> Any:
        """From texts to the tensor."""
        from kilnworks.components.features.text.tokens import TfIdf

        reader = self.reader()
        reader.build(None)
        weigh = TfIdf(self.idf) if self.form == "tfidf" else None
        return lambda texts: reader(texts) if weigh is None else weigh(reader(texts))


class Text(BuiltIn):
    """Texts that the contract marks with ``text: true``, or settings that ask for it."""

    takes: ClassVar[str] = "a text"
    own_settings = TextSettings

    form: Form = "tokens"
    settings: TextSettings = Field(default_factory=TextSettings)
    sensitive: bool = False

    @classmethod
    def encodings(cls, feature: Feature) -> frozenset[str]:
        """``tokens``, ``ngrams`` and ``tfidf``, and what no setting says of a text."""
        if feature.dtype != "string":
            return frozenset()
        asked = {"tokens", "ngrams", "tfidf"}
        return frozenset({"auto", *asked} if feature.text else asked)

    @classmethod
    def of(cls, feature: Feature, encode: Encoding, own: TextSettings, every: object) -> Self:
        """What the feature says."""
        told = {name: getattr(own, name) for name in TextSettings.model_fields}
        form = "tokens" if encode == "auto" else encode
        return cls.model_validate({"form": form, "settings": told, "sensitive": feature.sensitive})

    def observer(self, name: str, feature: Feature) -> Observer:
        """Counts n-grams."""
        return TextObserver(name, self)

    def first_plan(self) -> TextPlan:
        """What is known before any text was seen."""
        own = self.settings
        return TextPlan(
            form=self.form,
            length=own.text_length or LONGEST[self.form],
            word_ngrams=own.word_ngrams or (1 if self.form == "tokens" else 2),
            characters=own.character_ngrams,
            lower=own.lower,
            most_characters=own.most_characters,
            buckets=own.hash_buckets or (HASHED if self.sensitive and self.form != "tfidf" else 0),
        )


class TextObserver(Observer):
    """Counts the n-grams of the training texts."""

    def __init__(self, name: str, kind: Text) -> None:
        from kilnworks.components.features.text.counting import Counted

        self._name, self._kind, self._first = name, kind, kind.first_plan()
        self._counted = Counted(self._first.reader(), LONGEST[kind.form])

    def look(self, values: pl.Series) -> None:
        """See ``Observer``."""
        import polars as pl

        self._counted.look(values.cast(pl.String))

    def plan(self) -> Plan:
        """See ``Observer``."""
        seen, own, first = self._counted, self._kind.settings, self._first
        if not seen.words.grams:
            return DroppedPlan(reason="no word in the training split")
        length = own.text_length or min(LONGEST[first.form], seen.covering(COVERED)) + 1
        if first.buckets:
            return first.model_copy(update={"length": length})
        most = own.max_terms or (5_000 if first.form == "tfidf" else 50_000)
        words, pieces = (counts.best(own.min_texts, most) for counts in (seen.words, seen.pieces))
        if not words and not pieces:
            return DroppedPlan(reason=f"no word occurs in {own.min_texts} training texts")
        held = [seen.words.grams[w] for w in words] + [seen.pieces.grams[p] for p in pieces]
        idf = tuple(math.log((1 + seen.texts) / (1 + n)) + 1 for n in held) if first.form == "tfidf" else ()
        return first.model_copy(
            update={
                "words": tuple(words), "pieces": tuple(pieces), "length": length, "idf": idf,
                "approximate": seen.words.approximate or seen.pieces.approximate,
            }
        )  # fmt: skip
