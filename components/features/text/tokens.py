"""The layer that reads texts: strings in, whole numbers out. Training runs it in batches, the served graph holds it.

::

    text -> cut -> valid UTF-8 -> NFC -> lower case -> words and signs -> n-grams -> numbers [n, length]

Numbers: 0 padding on the right, 1 unknown, 2 start (always at place 0, so that no text is all padding), then the
vocabulary in its order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from kilnworks.components.features.text.nfc import composed

PADDING, UNKNOWN, START, FIRST = 0, 1, 2, 3
"""Numbers with a meaning of their own, and that of the first entry of the vocabulary."""
BETWEEN = " "
"""What stands between the words of an n-gram."""
_NO_WORD_BREAKS = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
"""Scripts that write no spaces: each character is a word."""
_WORD_OR_SIGN = r"[\p{L}\p{M}\p{N}_]+(?:'[\p{L}\p{M}]+)*|[!?]+|\.{2,}|[^\s\p{L}\p{M}\p{N}_]"


@keras.saving.register_keras_serializable(package="kilnworks")
class Tokens(keras.layers.Layer):
    """Texts [n] to numbers [n, length], int32.

    Args:
        words: known words and word n-grams; number ``FIRST + place``.
        pieces: known n-grams of characters, numbered behind the words.
        length: numbers a text; the rest is cut off.
        word_ngrams: longest n-gram of words.
        characters: shortest and longest n-gram of characters within a word and its edges; None for none.
        distinct: whether each number stands once a text, in the order of its first place; else as the words stand.
        lower: whether upper and lower case are the same.
        most_characters: characters of a text that are read.
        buckets: instead of a vocabulary, numbers by a hash (FarmHash64), so many for words and so many for characters.
    """

    def __init__(
        self,
        words: Sequence[str] = (),
        pieces: Sequence[str] = (),
        length: int = 200,
        word_ngrams: int = 1,
        characters: Sequence[int] | None = None,
        distinct: bool = False,
        lower: bool = True,
        most_characters: int = 20_000,
        buckets: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"trainable": False, **kwargs, "dtype": "int32"})
        self.words, self.pieces = list(words), list(pieces)
        self.length, self.word_ngrams, self.distinct, self.lower = length, word_ngrams, distinct, lower
        self.characters = tuple(characters) if characters else None
        self.most_characters, self.buckets = most_characters, buckets
        self.word_table: Any = None
        self.piece_table: Any = None

    def build(self, input_shape: Any) -> None:
        """Make the lookup tables."""
        if not self.buckets:
            self.word_table = _table(self.words, FIRST)
            self.piece_table = _table(self.pieces, FIRST + len(self.words)) if self.characters else None
        self.built = True

    @property
    def size(self) -> int:
        """How many different numbers there are."""
        known = 2 * self.buckets if self.buckets and self.characters else self.buckets
        return FIRST + (known or len(self.words) + len(self.pieces))

    @property
    def first_piece(self) -> int:
        """The number of the first n-gram of characters."""
        return FIRST + (self.buckets or len(self.words))

    def call(self, inputs: Any) -> Any:
        """Number the texts."""
        import tensorflow as tf

        words, pieces = self.grams(inputs)
        numbers = self._numbers(words, self.word_table, FIRST, 0 if self.distinct else UNKNOWN)
        if self.distinct and self.word_ngrams == 1 and not self.characters:
            numbers = tf.where(numbers == 0, UNKNOWN, numbers)
        if pieces is not None:
            numbers = tf.concat([numbers, self._numbers(pieces, self.piece_table, self.first_piece, 0)], 1)
        if self.distinct:
            numbers = _once(numbers, self.size)
        start = tf.fill([tf.shape(inputs)[0], 1], START)
        return tf.concat([tf.RaggedTensor.from_tensor(start), numbers], 1).to_tensor(PADDING, shape=[None, self.length])

    def grams(self, texts: Any) -> tuple[Any, Any]:
        """Word n-grams of each text [n, ...] as ragged strings, and those of its characters; None where not asked."""
        import tensorflow as tf

        words = tf.strings.split(self.spaced(texts))
        widths = list(range(1, self.word_ngrams + 1))
        grams = tf.strings.ngrams(words, widths, separator=BETWEEN) if self.word_ngrams > 1 else words
        if self.characters is None:
            return grams, None
        each = tf.strings.unicode_split(tf.strings.join([" ", words, " "]), "UTF-8")
        low, high = self.characters
        parts = tf.strings.ngrams(each, list(range(low, high + 1)), separator="")
        return grams, parts.merge_dims(1, 2)

    def spaced(self, texts: Any) -> Any:
        """Texts [n] in their normal form, a space around every word and sign."""
        import tensorflow as tf

        cut = tf.strings.substr(texts, 0, 4 * self.most_characters)  # bytes: a text of many megabytes ends here
        valid = tf.strings.unicode_transcode(cut, "UTF-8", "UTF-8", errors="replace")
        text = composed(tf.strings.substr(valid, 0, self.most_characters, unit="UTF8_CHAR"))
        text = tf.strings.regex_replace(text, r"[\s\p{Z}\p{Cc}]+", " ")  # before lower, which ends a text at a NUL
        if self.lower:
            text = tf.strings.lower(text, encoding="utf-8")
        text = tf.strings.regex_replace(text, r"\p{Cf}", "")
        text = tf.strings.regex_replace(text, "[\u2019\u02bc]", "'")
        text = tf.strings.regex_replace(text, _NO_WORD_BREAKS, r" \0 ")
        return tf.strings.regex_replace(text, _WORD_OR_SIGN, r" \0 ")

    def _numbers(self, grams: Any, table: Any, first: int, unknown: int) -> Any:
        """Ragged int32; ``unknown`` where the vocabulary has it not."""
        import tensorflow as tf

        flat = grams.flat_values
        if self.buckets:
            return grams.with_flat_values(first + tf.cast(tf.strings.to_hash_bucket_fast(flat, self.buckets), tf.int32))
        found = table.lookup(flat)
        return grams.with_flat_values(tf.where(found == 0, unknown, found))

    def compute_output_spec(self, inputs: Any) -> Any:
        """[n, length] int32."""
        return keras.KerasTensor((inputs.shape[0], self.length), "int32")

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        own = ("words", "pieces", "length", "word_ngrams", "characters", "distinct", "lower", "most_characters",
               "buckets")  # fmt: skip
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}


@keras.saving.register_keras_serializable(package="kilnworks")
class TfIdf(keras.layers.Layer):
    """Numbers of a text [n, length], each once, to its TF-IDF weights [n, size], of length 1 where any is known.

    Args:
        idf: weight of each entry of the vocabulary, from ``FIRST`` on.
    """

    def __init__(self, idf: Sequence[float], **kwargs: Any) -> None:
        super().__init__(**{"trainable": False, **kwargs, "dtype": "float32"})
        self.idf = list(idf)

    def call(self, inputs: Any) -> Any:
        """Weigh and scatter."""
        import tensorflow as tf

        rows, size = tf.shape(inputs)[0], FIRST + len(self.idf)
        weights = tf.concat([tf.zeros([FIRST]), tf.constant(self.idf, tf.float32)], 0)
        each = tf.gather(weights, inputs)
        norm = tf.sqrt(tf.reduce_sum(tf.square(each), axis=1, keepdims=True))
        places = tf.stack([tf.broadcast_to(tf.range(rows)[:, tf.newaxis], tf.shape(inputs)), inputs], axis=-1)
        return tf.scatter_nd(places, tf.math.divide_no_nan(each, norm), [rows, size])[:, FIRST:]

    def compute_output_spec(self, inputs: Any) -> Any:
        """[n, size] float32."""
        return keras.KerasTensor((inputs.shape[0], len(self.idf)), "float32")

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "idf": self.idf}


def _table(known: Sequence[str], first: int) -> Any:
    """Text to number, 0 where it is not known."""
    import tensorflow as tf

    with tf.init_scope():
        keys = tf.constant(list(known), tf.string)
        values = tf.range(first, first + len(known), dtype=tf.int32)
        return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), 0)


def _once(numbers: Any, size: int) -> Any:
    """Ragged numbers [n, ...] with each number of a row at its first place only, and without 0."""
    import tensorflow as tf

    rows, flat = tf.cast(numbers.value_rowids(), tf.int64), tf.cast(numbers.flat_values, tf.int64)
    known = flat > 0
    keys = tf.unique(tf.boolean_mask(rows * size + flat, known)).y
    values = tf.cast(keys % size, tf.int32)
    return tf.RaggedTensor.from_value_rowids(values, keys // size, nrows=numbers.nrows())
