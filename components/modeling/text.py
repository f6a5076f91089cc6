"""Texts as words in their order: embedded, then a mean, convolutions, a recurrent network or a transformer.

::

    words -> embedding (own, or pretrained vectors) -> core -> [N, F] --+
    other features --------------------------------------------------- +-> dense layers -> head of the task
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from kilnworks.components.features.encoded import CATEGORICAL, IMAGE, NUMERIC, SEQUENCE, SHARES, TOKENS, EncodedTensor
from kilnworks.components.features.kinds.text import TokenTensor
from kilnworks.components.modeling.base import DROPOUTS, Architecture, scope_name
from kilnworks.components.modeling.texts.synonyms import Synonyms
from kilnworks.components.modeling.texts.vectors import Vectors
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.search import Choice, Dimension

if TYPE_CHECKING:
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.tasks.base import Task

Core = Literal["mean", "cnn", "lstm", "gru", "transformer"]


class Text(Architecture):
    """A network over words. Wants ``FeatureSettings(encode="tokens")`` for each text, which ``text: true`` gives it.

    Words [N, T] of each text, and other columns, in; features [N, units[-1]] out. Cores: mean of embeddings,
    convolutions (Kim 2014), LSTM or GRU (Hochreiter & Schmidhuber 1997; Cho et al. 2014), transformer encoder
    (Vaswani et al. 2017). Use it where the order of words counts, or with pretrained vectors.
    """

    takes: ClassVar[frozenset[str]] = frozenset({TOKENS, NUMERIC, SHARES, CATEGORICAL, IMAGE, SEQUENCE})

    kind: Literal["text"] = "text"
    core: Core = "cnn"
    """What stands between the words and the dense layers: the mean of their embeddings, convolutions with the largest
    value of each filter (Kim 2014), a recurrent network, or a transformer encoder (Vaswani et al. 2017, normalized
    before each part)."""
    dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of units dropped after the embedding, between recurrent and attention layers, and after dense layers."""
    word_size: int = Field(default=64, ge=1, le=4096)
    """Dimensions of an embedded word; those of ``vectors`` where there are any."""
    units: tuple[Annotated[int, Field(ge=1)], ...] = (64,)
    """Width of each dense layer, in order."""
    filters: int = Field(default=64, ge=1)
    """For ``cnn``: filters of each width."""
    widths: tuple[Annotated[int, Field(ge=1, le=20)], ...] = Field(default=(3, 4, 5), min_length=1)
    """For ``cnn``: words that a filter sees."""
    layers: int = Field(default=1, ge=1, le=24)
    """For ``lstm``, ``gru`` and ``transformer``: how many stand above one another."""
    recurrent_units: int = Field(default=64, ge=1)
    """For ``lstm`` and ``gru``: width of each direction."""
    bidirectional: bool = True
    """For ``lstm`` and ``gru``: whether the text is read from both ends."""
    recurrent_dropout: float = Field(default=0.0, ge=0, lt=1)
    """For ``lstm`` and ``gru``: share of the state dropped between two words; the same in every step of a text."""
    heads: int = Field(default=4, ge=1)
    """For ``transformer``: heads of the attention; they share the dimensions of a word."""
    word_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Augmentation: share of the words that become unknown in training."""
    word_swap: float = Field(default=0.0, ge=0, lt=1)
    """Augmentation: share of the words that change places with the next one in training."""
    synonyms: Synonyms | None = None
    """Augmentation: words that may stand for one another in training."""
    vectors: Vectors | None = None
    """Pretrained vectors to begin with."""

    space: ClassVar[Mapping[str, Dimension]] = {
        "core": Choice(values=("mean", "cnn", "gru")),
        "word_size": Choice(values=(32, 64, 128)),
        "dropout": DROPOUTS,
    }

    @model_validator(mode="after")
    def _heads_share_a_word(self) -> Self:
        if self.core == "transformer" and self.vectors is None and self.word_size % self.heads:
            raise ValueError(f"word_size {self.word_size} is not divisible by {self.heads} heads")
        return self

    def trunk(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """The last dense layer [N, units[-1]].

        Raises:
            ConfigError: no input is a text in words.
        """
        texts = [t for t in encoded if t.kind == TOKENS]
        others = [t for t in encoded if t.kind != TOKENS]
        if not texts:
            raise ConfigError(
                f"model text for {', '.join(t.name for t in encoded)}, none of which is a text in words",
                'a text with encode="tokens"',
                'set features={"...": FeatureSettings(encode="tokens")} in the preprocessing, or use model: bag',
            )
        parts = [self._tower(t, inputs[t.name], names) for t in texts]
        return self.dense_layers(self.beside(parts, others, inputs, names), self.units, names)

    def _tower(self, tensor: EncodedTensor, numbers: Any, names: LayerNames) -> Any:
        """One text [N, T] as a vector [N, F]."""
        import keras

        from kilnworks.components.modeling.texts.sequences import WordNoise

        tag = scope_name(tensor.name)
        if self.synonyms is not None:
            numbers = self._synonyms(self.synonyms, tensor, names(f"synonyms_{tag}"))(numbers)
        if self.word_dropout or self.word_swap:
            numbers = WordNoise(self.word_dropout, self.word_swap, name=names(f"noise_{tag}"))(numbers)
        x = self._embedding(tensor, tag, names)(numbers)
        if self.dropout:
            x = keras.layers.SpatialDropout1D(self.dropout, name=names(f"word_dropout_{tag}"))(x)
        build = {"mean": self._mean, "cnn": self._cnn, "transformer": self._transformer}.get(self.core, self._recurrent)
        return build(x, numbers, tag, names)

    def _embedding(self, tensor: EncodedTensor, tag: str, names: LayerNames) -> Any:
        """The layer from numbers to vectors [N, T, E]."""
        import keras

        masks = self.core in ("lstm", "gru")
        size = tensor.vocabulary_size or 0
        name = names(f"words_{tag}")
        if self.vectors is None:
            return keras.layers.Embedding(size, self.word_size, mask_zero=masks, name=name)
        words = _words(tensor, "vectors")
        matrix, _ = self.vectors.matrix(words, size - len(words))
        layer = keras.layers.Embedding(
            size, matrix.shape[1], mask_zero=masks, trainable=not self.vectors.frozen, name=name
        )
        layer.build(None)
        layer.embeddings.assign(matrix)
        return layer

    def _synonyms(self, synonyms: Synonyms, tensor: EncodedTensor, name: str) -> Any:
        """The layer that replaces words, with its table."""
        from kilnworks.components.modeling.texts.sequences import SynonymNoise

        words = _words(tensor, "synonyms")
        table = synonyms.table(words, (tensor.vocabulary_size or 0) - len(words))
        layer = SynonymNoise(synonyms.share, *table.shape, name=name)
        layer.build(None)
        layer.table.assign(table)
        return layer

    def remarks(self, model: Any, fitted: FeatureTransform, task: Task) -> dict[str, Any]:
        """``vectors``: for each text, the share of the words of its vocabulary that have a pretrained vector."""
        if self.vectors is None:
            return {}
        covered = []
        for tensor in fitted.encoded:
            if isinstance(tensor, TokenTensor) and tensor.words:
                size = tensor.vocabulary_size or 0
                _, coverage = self.vectors.matrix(tensor.words, size - len(tensor.words))
                covered.append({"feature": tensor.name, "words": len(tensor.words), "coverage": coverage})
        return {"vectors": covered}

    def _mean(self, x: Any, numbers: Any, tag: str, names: LayerNames) -> Any:
        from kilnworks.components.modeling.texts.sequences import PoolWords

        return PoolWords("mean", name=names(f"mean_{tag}"))([x, numbers])

    def _cnn(self, x: Any, numbers: Any, tag: str, names: LayerNames) -> Any:
        import keras

        from kilnworks.components.modeling.texts.sequences import BlankPadding, PoolWords

        x = BlankPadding(name=names(f"blank_{tag}"))([x, numbers])
        found = []
        for width in self.widths:
            options = {"filters": self.filters, "kernel_size": width, "padding": "same"}
            features = self.activated(x, keras.layers.Conv1D, f"{tag}_{width}", names, **options)
            found.append(PoolWords("max", name=names(f"largest_{tag}_{width}"))([features, numbers]))
        return keras.layers.Concatenate(name=names(f"filters_{tag}"))(found) if len(found) > 1 else found[0]

    def _recurrent(self, x: Any, numbers: Any, tag: str, names: LayerNames) -> Any:
        import keras

        kind = keras.layers.LSTM if self.core == "lstm" else keras.layers.GRU
        for i in range(1, self.layers + 1):
            name = names(f"{self.core}_{tag}_{i}")
            layer = kind(
                self.recurrent_units,
                return_sequences=i < self.layers,
                dropout=self.dropout if i > 1 else 0.0,
                recurrent_dropout=self.recurrent_dropout,
                kernel_regularizer=self.regularizer(),
                name=name,
            )
            x = (keras.layers.Bidirectional(layer, name=names(f"both_{tag}_{i}")) if self.bidirectional else layer)(x)
        return x

    def _transformer(self, x: Any, numbers: Any, tag: str, names: LayerNames) -> Any:
        import keras

        from kilnworks.components.modeling.texts.sequences import Places, PoolWords, Words

        size = x.shape[-1]
        places = Places(name=names(f"places_{tag}"))(numbers)
        at = keras.layers.Embedding(numbers.shape[1], size, name=names(f"place_embedding_{tag}"))(places)
        x = keras.layers.Add(name=names(f"placed_{tag}"))([x, at])
        words = Words(name=names(f"is_word_{tag}"))(numbers)
        for i in range(1, self.layers + 1):
            x = self._block(x, words, f"{tag}_{i}", names)
        x = keras.layers.LayerNormalization(name=names(f"normed_{tag}"))(x)
        return PoolWords("mean", name=names(f"mean_{tag}"))([x, numbers])

    def _block(self, x: Any, words: Any, tag: str, names: LayerNames) -> Any:
        """Attention and two dense layers, each normalized before and added to what came in."""
        import keras

        size = x.shape[-1]
        normed = keras.layers.LayerNormalization(name=names(f"normed_a_{tag}"))(x)
        attention = keras.layers.MultiHeadAttention(
            self.heads, max(1, size // self.heads), dropout=self.dropout, name=names(f"attention_{tag}")
        )
        seen = attention(normed, normed, attention_mask=words)
        x = keras.layers.Add(name=names(f"attended_{tag}"))([x, seen])
        normed = keras.layers.LayerNormalization(name=names(f"normed_b_{tag}"))(x)
        wide = keras.layers.Dense(2 * size, "gelu", name=names(f"wide_{tag}"))(normed)
        narrow = keras.layers.Dense(size, name=names(f"narrow_{tag}"))(wide)
        if self.dropout:
            narrow = keras.layers.Dropout(self.dropout, name=names(f"dropout_b_{tag}"))(narrow)
        return keras.layers.Add(name=names(f"block_{tag}"))([x, narrow])


def _words(tensor: EncodedTensor, wanted: str) -> tuple[str, ...]:
    """The vocabulary of a text. Raises ``ConfigError`` where it has none."""
    words = tensor.words if isinstance(tensor, TokenTensor) else ()
    if not words:
        raise ConfigError(
            f"{wanted} for {tensor.name!r}, whose words are hashed", "a text with a vocabulary",
            "leave hash_buckets out; of a sensitive text no vocabulary is kept",
        )  # fmt: skip
    return words
