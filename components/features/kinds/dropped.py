"""Features that the model does not see. They stay inputs of the served one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Self

from kilnworks.components.features.kinds.base import Layers, Observer, Plan, Settled
from kilnworks.components.features.kinds.built_in import BuiltIn, Encoding
from kilnworks.schemas.contract import Feature

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


class DroppedPlan(Plan):
    """Nothing of the feature reaches the model."""

    kind: Literal["dropped"] = "dropped"
    reason: str
    asked: bool = False
    """Whether the settings say so, and not the data."""

    def columns(self, name: str, feature: Feature, series: pl.Series, places: np.ndarray) -> None:
        """Nothing."""

    def layers(self, feature: Feature, raw: Any) -> Layers:
        """Nothing."""
        return Layers()


class Dropped(BuiltIn):
    """For ``encode: drop``."""

    @classmethod
    def encodings(cls, feature: Feature) -> frozenset[str]:
        """Any feature can be left out."""
        return frozenset({"drop"})

    @classmethod
    def of(cls, feature: Feature, encode: Encoding, own: object, every: object) -> Self:
        """Nothing is set."""
        return cls()

    def observer(self, name: str, feature: Feature) -> Observer:
        """Learns nothing."""
        return Settled(DroppedPlan(reason="left out by the settings", asked=True))
