"""What kinds of numbers learn alike: moments, quantiles, a scale that float32 can hold, and when nothing is usable."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from kilnworks.components.features.kinds.dropped import DroppedPlan
from kilnworks.components.features.kinds.scalars import NumberPlan, Scale
from kilnworks.components.features.raw import raw_input
from kilnworks.components.features.statistics import scalar_moments
from kilnworks.components.sketches.moments import Moments
from kilnworks.components.sketches.quantiles import Quantiles
from kilnworks.schemas.contract import Feature
from kilnworks.schemas.errors import DataInvalid
from kilnworks.schemas.magnitudes import EXACT_IN_FLOAT32, FLOAT32_MAX, FLOAT32_TINY

if TYPE_CHECKING:
    import polars as pl

QUANTILE_STEPS = 200


@dataclass
class SeenNumbers:
    """What the training rows say of a number."""

    moments: Moments = field(default_factory=Moments)
    logs: Moments = field(default_factory=Moments)
    """Of the signed logarithms; only for ``log1p``."""
    quantiles: Quantiles = field(default_factory=Quantiles)

    def look(self, numbers: pl.Series, *, logs: bool = False, quantiles: bool = False) -> None:
        """Take in a batch of Float64."""
        self.moments.merge(moments_of(numbers))
        if logs:
            self.logs.merge(moments_of(numbers.sign() * numbers.abs().log1p()))
        if quantiles:
            self.quantiles.add(numbers.fill_nan(None).drop_nulls().to_numpy())


def moments_of(numbers: pl.Series) -> Moments:
    """Moments of a Float64 series; NaN counts as missing."""
    return scalar_moments(numbers.to_frame())[numbers.name]


def as_float64(values: pl.Series) -> pl.Series:
    """Numbers as Float64; moments as seconds since 1970."""
    import polars as pl

    seconds = values.cast(pl.Datetime("us")).dt.epoch("s") if values.dtype.is_temporal() else values
    return seconds.cast(pl.Float64)


def unusable(name: str, moments: Moments) -> DroppedPlan | None:
    """Why a number teaches nothing; None where it does. Raises ``DataInvalid`` for one that float32 cannot hold."""
    if moments.count == 0:
        return DroppedPlan(reason="no value in the training split")
    _refuse_infinite(name, moments)
    if 0 < max(abs(moments.low), abs(moments.high)) < FLOAT32_TINY:
        return DroppedPlan(reason=f"every number is nearer to 0 than {FLOAT32_TINY:.2g}, which float32 holds as 0")
    return None


def number_plan(feature: Feature, scale: Scale, seen: SeenNumbers, indicator: bool, shares: bool) -> NumberPlan:
    """The plan of a number, with knots for the tensor of shares where they are asked for and there are enough."""
    plan = _by_scale(feature, scale, seen, indicator)
    if not shares or plan.knots or len(seen.quantiles.seen.values) < 3:
        return plan
    knots, share = _knots(seen.quantiles, plan.origin)
    return plan if len(knots) < 2 else plan.model_copy(update={"knots": knots, "shares": share})


def origin_of(feature: Feature, moments: Moments) -> int:
    """What is subtracted from whole numbers that float32 would round."""
    large = max(abs(moments.low), abs(moments.high)) >= EXACT_IN_FLOAT32
    return round(float(moments.mean)) if large and raw_input(feature).dtype == "int64" else 0


def usable_variance(variance: Any, mean: float = 0.0) -> np.ndarray:
    """1 in place of a variance that is 0 up to rounding: a value that never varied is not blown up when it does.

    ``variance``: of one number, or of each place of a tensor, [C]; up to 1e-14 of the squared ``mean`` counts as 0.
    """
    return np.where(variance <= 1e-14 * mean * mean, 1.0, variance)


def _by_scale(feature: Feature, scale: Scale, seen: SeenNumbers, indicator: bool) -> NumberPlan:
    """The plan of a number by its scale alone."""
    if scale == "log1p":
        return _scaled("log1p", 0, float(seen.logs.mean), float(seen.logs.variance), indicator)
    origin = origin_of(feature, seen.moments)
    low, high = seen.moments.low - origin, seen.moments.high - origin
    if scale == "none" or (scale == "quantile" and low == high):
        return NumberPlan(scale="none", origin=origin, mean=0.0 if scale == "none" else low, variance=1.0,
                          indicator=indicator)  # fmt: skip
    if scale == "minmax":
        return _scaled("minmax", origin, (low + high) / 2, ((high - low) / 2) ** 2, indicator)
    if scale == "quantile":
        knots, shares = _knots(seen.quantiles, origin)
        return NumberPlan(scale="quantile", origin=origin, mean=0.5, variance=0.25, knots=knots, shares=shares,
                          indicator=indicator)  # fmt: skip
    return _scaled("standard", origin, float(seen.moments.mean) - origin, float(seen.moments.variance), indicator)


def _scaled(
    scale: Literal["standard", "minmax", "log1p"], origin: int, mean: float, variance: float, indicator: bool
) -> NumberPlan:
    """Centre and width, brought into the range of float32 by a power of two where they are far from 1."""
    usable = float(usable_variance(np.array(variance), mean))
    exponent = round(math.log2(math.sqrt(usable)))
    factor = 1.0 if abs(exponent) < 16 else 2.0**-exponent
    return NumberPlan(scale=scale, origin=origin, factor=factor, mean=mean * factor,
                      variance=usable * factor * factor, indicator=indicator)  # fmt: skip


def _knots(quantiles: Quantiles, origin: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Distinct float32 knots and the cumulative share at each; a value that fills several steps gets their middle."""
    shares = np.linspace(0, 1, QUANTILE_STEPS + 1)
    values = (quantiles.at(shares) - origin).astype(np.float32)
    values = np.where(np.abs(values) < FLOAT32_TINY, np.float32(0), values)
    knots, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.bincount(where, weights=shares) / counts
    return tuple(knots.astype(np.float64).tolist()), tuple(middle.tolist())


def _refuse_infinite(name: str, moments: Moments) -> None:
    extreme = moments.high if abs(moments.high) >= abs(moments.low) else moments.low
    if abs(extreme) <= FLOAT32_MAX:
        return
    raise DataInvalid(
        f"{name!r} holds {extreme!r} in the training split",
        f"numbers that a float32 can hold, up to {FLOAT32_MAX:.2g}",
        "correct the rows, or give the feature a min and max so that validation finds them",
        [{"split": "train", "column": name, "rule": "finite float32", "severity": "critical", "unexpected": None,
          "checked": moments.count, "samples": [str(extreme)]}],
    )  # fmt: skip
