"""What the kinds of this package have in common: they are chosen by dtype and ``encode``, and set by one flat table."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

from kilnworks.components.features.kinds.base import Kind
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Feature

if TYPE_CHECKING:
    from kilnworks.components.features.settings import FeatureSettings, PreprocessConfig


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
    def of(cls, feature: Feature, own: FeatureSettings, config: PreprocessConfig) -> Self:
        """With what the settings of the feature, and those of all features, say."""
