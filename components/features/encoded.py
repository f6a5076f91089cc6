"""What the trainable model receives: one entry for each encoded input."""

from typing import Literal

from kilnworks.schemas.config import Config

NUMERIC, SHARES, CATEGORICAL, IMAGE, SEQUENCE = "numeric", "shares", "categorical", "image", "sequence"
AS_SENT = "as_sent"
TOKENS, NGRAMS = "tokens", "ngrams"
TEXT = "string"
"""The dtype of texts; in NumPy they are objects."""


class EncodedTensor(Config):
    """One encoded input of the trainable model."""

    name: str
    """Name of the Keras input and key of the dict that ``FeatureTransform.encode`` returns."""
    shape: tuple[int, ...]
    """Shape of one row, without the batch axis; ``()`` for an embedding index."""
    dtype: Literal["float32", "int32", "int64", "bool", "uint8", "string"]
    """``float32`` or ``int32``, except for ``as_sent``."""
    kind: str
    """``numeric`` [D] standardised numbers, indicators and one-hots; ``shares`` [D] each number as the
    share of training values below it, 0 to 1; ``categorical`` [] index to embed;
    ``image`` [H, W, C]; ``sequence`` [T, ..., C] standardised along the last axis; ``tokens`` [T] numbers of
    words as they stand and ``ngrams`` [T] of n-grams, each once, 0 where a text has ended; ``as_sent`` what a
    client sends, in its dtype and shape. A kind of feature from elsewhere may
    have one of its own, for an architecture that says that it takes it."""
    vocabulary_size: int | None = None
    """For ``categorical``, ``tokens`` and ``ngrams``: number of different indices, index 0 included."""


def keras_name(name: str) -> str:
    """A feature name as Keras accepts it: a slash would be read as a scope."""
    return name.replace("/", "|")
