"""Numbers: one place of the numeric block each, and a second one that says where they are missing.

The plan and what it computes lie in ``scalars.py``, because parts of datetimes are such numbers too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

from kilnworks.components.features.kinds.base import Observer, Plan
from kilnworks.components.features.kinds.built_in import BuiltIn, Encoding
from kilnworks.components.features.kinds.scalars import Scale
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Feature

if TYPE_CHECKING:
    import polars as pl


class NumberSettings(Config):
    """What can be set of one number."""

    scale: Scale = "standard"
    """For numbers: ``standard`` mean 0 and variance 1, ``minmax`` 0 to 1 over the training split, ``log1p`` the
    signed logarithm and then ``standard``, ``quantile`` the share of training values below, 0 to 1, ``none`` as is."""


class AllNumbers(Config):
    """What can be set of all numbers at once."""

    missing_indicator: bool = True
    """Whether a nullable number gets a second column that is 1 where the value is missing. Only where the training
    split has missing values: an indicator that never varies teaches nothing."""
    shares: bool = False
    """Whether each number with three values or more also comes as the share of training values below it, in a tensor
    of its own: for architectures that embed numbers, such as ``tabular``."""


class Number(BuiltIn):
    """Floats, whole numbers without ``allowed``, truth values, and seconds since 1970."""

    takes: ClassVar[str] = "a number"
    own_settings = NumberSettings

    scale: Scale = "standard"
    """See ``NumberSettings``."""
    indicator: bool = True
    """See ``AllNumbers.missing_indicator``."""
    shares: bool = False
    """See ``AllNumbers``."""

    @classmethod
    def encodings(cls, feature: Feature) -> frozenset[str]:
        """``numeric``, and what no setting says."""
        if feature.shape or feature.dtype not in ("float", "int", "bool", "datetime"):
            return frozenset()
        categorical = feature.dtype == "int" and feature.allowed is not None
        return frozenset({"numeric"} if categorical else {"auto", "numeric"})

    @classmethod
    def of(cls, feature: Feature, encode: Encoding, own: NumberSettings, every: AllNumbers) -> Self:
        """The scale of the feature, the rest for all."""
        return cls(scale=own.scale, indicator=every.missing_indicator, shares=every.shares)

    def observer(self, name: str, feature: Feature) -> Observer:
        """Moments, and quantiles where they are used."""
        return NumberObserver(self, name, feature)


class NumberObserver(Observer):
    """Moments of a number, of its logarithm, and quantiles, as far as the settings need them."""

    def __init__(self, kind: Number, name: str, feature: Feature) -> None:
        from kilnworks.components.features.kinds.learned import SeenNumbers

        self._kind, self._name, self._feature = kind, name, feature
        self._seen = SeenNumbers()

    def look(self, values: pl.Series) -> None:
        """See ``Observer``."""
        from kilnworks.components.features.kinds.learned import as_float64

        kind = self._kind
        quantiles = kind.shares or kind.scale == "quantile"
        self._seen.look(as_float64(values), logs=kind.scale == "log1p", quantiles=quantiles)

    def plan(self) -> Plan:
        """See ``Observer``."""
        from kilnworks.components.features.kinds.learned import number_plan, unusable

        kind, moments = self._kind, self._seen.moments
        missing = kind.indicator and self._feature.nullable and moments.missing > 0
        useless = unusable(self._name, moments)
        return useless or number_plan(self._feature, kind.scale, self._seen, missing, kind.shares)
