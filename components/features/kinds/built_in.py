"""What the kinds of this package have in common: they are chosen by dtype and ``encode``, and set by one flat table."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal, Self

from kilnworks.components.features.kinds.base import Kind
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Feature

Encoding = Literal[
    "auto", "numeric", "one_hot", "embedding", "buckets", "calendar", "moment", "tokens", "ngrams", "tfidf", "as_sent",
    "drop",
]  # fmt: skip


class BuiltIn(Kind):
    """A kind that ``fit`` chooses by itself."""

    takes: ClassVar[str] = "a feature"
    """What it is for, in messages: ``a number``."""
    own_settings: ClassVar[type[Config] | None] = None
    """The part of ``FeatureSettings`` that means something for it."""

    @classmethod
    @abstractmethod
    def encodings(cls, feature: Feature) -> frozenset[str]:
        """The values of ``encode`` by which it takes a feature like this; no other kind has one of them."""

    @classmethod
    @abstractmethod
    def of(cls, feature: Feature, encode: Encoding, own: Any, every: Any) -> Self:
        """With what the settings of the feature, and those of all features, say.

        Args:
            feature: what the contract says of it.
            encode: one of ``encodings(feature)``.
            own: ``FeatureSettings``; a kind names the part that it reads.
            every: ``PreprocessConfig``, likewise.
        """
