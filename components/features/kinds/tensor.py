"""Numbers with a shape: standardised along the last axis, a tensor of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from kilnworks.components.features.encoded import NUMERIC, SEQUENCE, EncodedTensor, keras_name
from kilnworks.components.features.kinds.base import Layers, Observer, Plan
from kilnworks.components.features.kinds.built_in import BuiltIn, Encoding
from kilnworks.components.features.kinds.scalars import standardised
from kilnworks.components.features.raw import raw_array
from kilnworks.schemas.contract import Feature

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


class TensorPlan(Plan):
    """A float or integer tensor, standardised along its last axis; 0 where a number is missing or not finite."""

    kind: Literal["tensor"] = "tensor"
    mean: tuple[float, ...]
    variance: tuple[float, ...]

    def tensor(self, name: str, feature: Feature) -> EncodedTensor:
        """[D] are numbers, more axes a sequence."""
        kind = NUMERIC if len(feature.shape) == 1 else SEQUENCE
        return EncodedTensor(name=keras_name(name), shape=feature.shape, dtype="float32", kind=kind)

    def columns(self, name: str, feature: Feature, series: pl.Series, places: np.ndarray) -> np.ndarray:
        """See ``Plan``."""
        return standardised(raw_array(name, feature, series), self.mean, self.variance)

    def layers(self, feature: Feature, raw: Any) -> Layers:
        """See ``Plan``."""
        from keras import layers, ops

        values = ops.cast(raw, "float32")
        scaled = layers.Normalization(mean=list(self.mean), variance=list(self.variance), dtype="float32")(values)
        return Layers(tensor=ops.where(ops.isfinite(values), scaled, 0.0))


class Tensor(BuiltIn):
    """Numbers with a shape, images apart."""

    takes: ClassVar[str] = "an array of numbers"

    @classmethod
    def encodings(cls, feature: Feature) -> frozenset[str]:
        """What no setting says, or ``numeric``."""
        return frozenset({"auto", "numeric"} if feature.shape and feature.dtype != "image" else ())

    @classmethod
    def of(cls, feature: Feature, encode: Encoding, own: object, every: object) -> Self:
        """Nothing is set."""
        return cls()

    def observer(self, name: str, feature: Feature) -> Observer:
        """Moments along the last axis."""
        return TensorObserver(name, feature)


class TensorObserver(Observer):
    """Moments along the last axis."""

    def __init__(self, name: str, feature: Feature) -> None:
        from kilnworks.components.sketches.moments import Moments

        self._name, self._feature = name, feature
        self._moments = Moments()

    def look(self, values: pl.Series) -> None:
        """See ``Observer``."""
        from kilnworks.components.features.statistics import tensor_moments

        self._moments.merge(tensor_moments(raw_array(self._name, self._feature, values)))

    def plan(self) -> Plan:
        """See ``Observer``."""
        import numpy as np

        from kilnworks.components.features.kinds.learned import unusable, usable_variance

        useless = unusable(self._name, self._moments)
        if useless is not None:
            return useless
        mean, variance = np.atleast_1d(self._moments.mean), usable_variance(np.atleast_1d(self._moments.variance))
        return TensorPlan(mean=tuple(mean.tolist()), variance=tuple(variance.tolist()))
