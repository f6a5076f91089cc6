"""Numbers by ranges of about equally many training values: an index, as categories have it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from kilnworks.components.features.kinds.base import Observer, Plan
from kilnworks.components.features.kinds.built_in import BuiltIn, Encoding
from kilnworks.components.features.kinds.category import AllCategories
from kilnworks.components.features.kinds.dropped import DroppedPlan
from kilnworks.components.features.kinds.indexed import IndexedPlan, Output
from kilnworks.components.features.kinds.scalars import float32, layer_float32
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Feature

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


class BucketSettings(Config):
    """What can be set of one number by ranges."""

    buckets: int = Field(default=10, ge=2, le=1000)
    """For ``buckets``: ranges of about equally many training values; fewer where values repeat."""


class BucketPlan(IndexedPlan):
    """A number by ranges: index ``1 + (number of boundaries <= x)``; 0 where missing or not finite."""

    kind: Literal["buckets"] = "buckets"
    boundaries: tuple[float, ...] = Field(min_length=1)
    origin: int = 0
    output: Output

    @property
    def labels(self) -> list[str]:
        """``?`` and the ranges."""
        edges = [f"{b + self.origin:g}" for b in self.boundaries]
        ranges = [f"[{low}, {high})" for low, high in itertools.pairwise(edges)]
        return ["?", f"< {edges[0]}", *ranges, f">= {edges[-1]}"]

    @property
    def indices(self) -> int:
        """The ranges and 0."""
        return len(self.boundaries) + 2

    def index(self, name: str, feature: Feature, series: pl.Series) -> np.ndarray:
        """See ``IndexedPlan``."""
        import numpy as np

        values = float32(name, feature, series, self.origin)
        index = np.searchsorted(np.array(self.boundaries, np.float32), values, side="right").astype(np.int32) + 1
        return np.where(np.isfinite(values), index, 0).astype(np.int32, copy=False)

    def index_layers(self, feature: Feature, raw: Any) -> Any:
        """See ``IndexedPlan``."""
        from keras import layers, ops

        values = layer_float32(feature, raw, self.origin)
        bucket = layers.Discretization(bin_boundaries=list(self.boundaries), dtype="float32")(values)
        return ops.where(ops.isfinite(values), bucket + 1, 0)


class Buckets(BuiltIn):
    """For ``encode: buckets``."""

    takes: ClassVar[str] = "a number by ranges (encode: buckets)"
    own_settings = BucketSettings

    buckets: int = 10
    """See ``BucketSettings``."""
    one_hot_up_to: int = 16

    @classmethod
    def encodings(cls, feature: Feature) -> frozenset[str]:
        """Single numbers and datetimes, where the settings say so."""
        number = feature.dtype in ("float", "int", "datetime") and not feature.shape
        return frozenset({"buckets"} if number else ())

    @classmethod
    def of(cls, feature: Feature, encode: Encoding, own: BucketSettings, every: AllCategories) -> Self:
        """How many."""
        return cls(buckets=own.buckets, one_hot_up_to=every.one_hot_up_to)

    def observer(self, name: str, feature: Feature) -> Observer:
        """Quantiles."""
        return BucketObserver(self, name, feature)


class BucketObserver(Observer):
    """Moments and quantiles of a number."""

    def __init__(self, kind: Buckets, name: str, feature: Feature) -> None:
        from kilnworks.components.features.kinds.learned import SeenNumbers

        self._kind, self._name, self._feature = kind, name, feature
        self._seen = SeenNumbers()

    def look(self, values: pl.Series) -> None:
        """See ``Observer``."""
        from kilnworks.components.features.kinds.learned import as_float64

        self._seen.look(as_float64(values), quantiles=True)

    def plan(self) -> Plan:
        """Boundaries at equal steps of the cumulative share, each once."""
        from kilnworks.components.features.kinds.learned import origin_of, unusable

        useless = unusable(self._name, self._seen.moments)
        if useless is not None:
            return useless
        origin = origin_of(self._feature, self._seen.moments)
        boundaries = self._boundaries(origin)
        if not boundaries:
            return DroppedPlan(reason="one value only, nothing to divide into buckets")
        few = len(boundaries) + 1 <= self._kind.one_hot_up_to
        return BucketPlan(boundaries=boundaries, origin=origin, output="one_hot" if few else "embedding")

    def _boundaries(self, origin: int) -> tuple[float, ...]:
        import numpy as np

        inner = np.linspace(0, 1, self._kind.buckets + 1)[1:-1]
        edges = np.unique((self._seen.quantiles.at(inner) - origin).astype(np.float32))
        edges = edges[edges > np.float32(self._seen.moments.low - origin)]
        return tuple(edges.astype(np.float64).tolist())
