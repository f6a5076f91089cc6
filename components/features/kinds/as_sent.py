"""Features that reach the model as a client sends them: texts as texts, for a model that reads them by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from kilnworks.components.features.encoded import AS_SENT, EncodedTensor, keras_name
from kilnworks.components.features.kinds.base import Layers, Observer, Plan, Settled
from kilnworks.components.features.kinds.built_in import BuiltIn, Encoding
from kilnworks.components.features.raw import raw_array, raw_input
from kilnworks.schemas.contract import Feature

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


class AsSentPlan(Plan):
    """A tensor of its own with the dtype, the shape and the marks of missing values of ``raw_input``."""

    kind: Literal["as_sent"] = "as_sent"

    def tensor(self, name: str, feature: Feature) -> EncodedTensor:
        """As it is served."""
        dtype, shape = raw_input(feature)
        return EncodedTensor(name=keras_name(name), shape=shape, dtype=dtype, kind=AS_SENT)

    def columns(self, name: str, feature: Feature, series: pl.Series, places: np.ndarray) -> np.ndarray:
        """See ``Plan``. Texts as objects."""
        return raw_array(name, feature, series)

    def layers(self, feature: Feature, raw: Any) -> Layers:
        """See ``Plan``."""
        return Layers(tensor=raw)


class AsSent(BuiltIn):
    """For ``encode: as_sent``."""

    takes: ClassVar[str] = "what is sent"

    @classmethod
    def encodings(cls, feature: Feature) -> frozenset[str]:
        """Any feature can be handed on."""
        return frozenset({"as_sent"})

    @classmethod
    def of(cls, feature: Feature, encode: Encoding, own: object, every: object) -> Self:
        """Nothing is set."""
        return cls()

    def observer(self, name: str, feature: Feature) -> Observer:
        """Learns nothing."""
        return Settled(AsSentPlan())
