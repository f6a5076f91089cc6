"""Numbers of the numeric block: all of them in one pass, as columns and as layers.

``(f(x - origin) * factor - mean) / sqrt(variance)`` in float32, 0 where missing; ``f`` depends on the scale. A number
that is not finite counts as missing: no layer could answer for it, and a server gets it from anybody. One
``Normalization`` layer serves every number of a data set, which is why these are not computed one feature at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import Field

from kilnworks.components.features.calendar import CalendarPart, calendar_part
from kilnworks.components.features.kinds.base import Layers, Plan
from kilnworks.components.features.raw import MISSING_INT, misses_by_value, raw_array
from kilnworks.schemas.contract import Contract, Feature

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

Scale = Literal["standard", "minmax", "log1p", "quantile", "none"]
EPSILON = 1e-7
"""The smallest deviation that ``keras.layers.Normalization`` divides by."""


class ScalarsPlan(Plan):
    """A feature that is nothing but numbers of the block; they are computed together, below."""

    def columns(self, name: str, feature: Feature, series: pl.Series, places: np.ndarray) -> None:
        """Nothing besides the numbers."""

    def layers(self, feature: Feature, raw: Any) -> Layers:
        """Nothing besides the numbers."""
        return Layers()


class NumberPlan(ScalarsPlan):
    """A scalar that takes one place of the numeric block, and a second one with ``indicator``."""

    kind: Literal["number"] = "number"
    scale: Scale
    origin: int = 0
    """Subtracted from an integer before it becomes float32, which holds only 24 bits."""
    factor: float = 1.0
    """A power of two that brings very large or small values into the range of float32."""
    mean: float
    variance: float = Field(gt=0)
    knots: tuple[float, ...] = ()
    """For ``quantile`` and for the tensor of shares: ascending values at equal steps of the cumulative share, each
    once."""
    shares: tuple[float, ...] = ()
    """The cumulative share at each knot, 0 to 1."""
    indicator: bool

    def numbers(self, name: str) -> dict[str, Number]:
        """Itself."""
        return {name: Number(name, None, self)}


class Number(NamedTuple):
    """One number of the numeric block: a feature, or one part of a datetime."""

    feature: str
    part: CalendarPart | None
    plan: NumberPlan


def fill(
    contract: Contract,
    numbers: Sequence[Number],
    shared: Mapping[int, int],
    frame: pl.DataFrame,
    block: np.ndarray,
    shares: np.ndarray,
) -> None:
    """Write the numbers and behind them their indicators into the block, and the shares.

    Args:
        contract: says how each feature is sent.
        numbers: in the order of their places.
        shared: place of a number in the block -> its place in ``shares``.
        frame: rows with the columns of the contract.
        block: float32 [rows, at least numbers + indicators].
        shares: float32 [rows, len(shared)].
    """
    import numpy as np

    from kilnworks.components.features.quantiles import MIDDLE, interpolate

    flag = len(numbers)
    for place, (name, part, number) in enumerate(numbers):
        values = float32(name, contract.features[name], frame[name], number.origin, part)
        missing = ~np.isfinite(values)
        if place in shared:
            found = interpolate(values, np.array(number.knots, np.float32), np.array(number.shares, np.float32))
            shares[:, shared[place]] = np.where(missing, MIDDLE, found)
        block[:, place] = standardised(_scaled(values, number), (number.mean,), (number.variance,), missing)
        if number.indicator:
            block[:, flag] = missing
            flag += 1


def float32(
    name: str, feature: Feature, series: pl.Series, origin: int, part: CalendarPart | None = None
) -> np.ndarray:
    """The column, or a part of its datetimes, as float32 [rows] with NaN where missing, less the origin.

    Raises as ``raw.raw_array``.
    """
    import numpy as np

    raw = raw_array(name, feature, series)
    if raw.dtype != np.int64:
        return raw.astype(np.float32, copy=False)
    values: np.ndarray = ((calendar_part(raw, part) if part else raw) - origin).astype(np.float32)
    if misses_by_value(feature):
        values[raw == MISSING_INT] = np.nan
    return values


def standardised(
    values: np.ndarray, mean: tuple[float, ...], variance: tuple[float, ...], missing: np.ndarray | None = None
) -> np.ndarray:
    """``(values - mean) / deviation`` along the last axis (or of a single column), 0 where missing.

    Args:
        values: [rows], or [rows, ..., C].
        mean: one, or one for each of the C places.
        variance: likewise; at least 0.
        missing: bool, as ``values``; None = where these are not finite.

    Returns:
        float32, in the shape of ``values``.
    """
    import numpy as np

    deviation = np.maximum(np.sqrt(np.array(variance, np.float32)), np.float32(EPSILON))
    values = values.astype(np.float32, copy=False)
    with np.errstate(invalid="ignore"):
        out: np.ndarray = (values - np.array(mean, np.float32)) / deviation
    out[~np.isfinite(values) if missing is None else missing] = 0
    return out


def _scaled(values: np.ndarray, plan: NumberPlan) -> np.ndarray:
    """What comes before mean and variance."""
    import numpy as np

    from kilnworks.components.features.quantiles import interpolate

    if plan.scale == "log1p":
        wide = values.astype(np.float64)
        values = (np.sign(wide) * np.log1p(np.abs(wide))).astype(np.float32)
    if plan.scale == "quantile":
        values = interpolate(values, np.array(plan.knots, np.float32), np.array(plan.shares, np.float32))
    return values if plan.factor == 1.0 else values * np.float32(plan.factor)


def number_layers(
    contract: Contract, numbers: Sequence[Number], shared: Sequence[int], raw: Mapping[str, Any]
) -> tuple[list[Any], Any]:
    """The same as layers: the numbers ``[n, K]`` and their indicators ``[n, M]`` if any; and the shares ``[n, S]``.

    Args:
        contract: says how each feature is sent.
        numbers: at least one, in the order of their places.
        shared: places of those that also come in the tensor of shares.
        raw: Keras tensors by feature name.

    Returns:
        parts of the block, and the tensor of shares, None where no number has one.
    """
    from keras import layers, ops

    columns = [layer_float32(contract.features[n.feature], raw[n.feature], n.plan.origin, n.part) for n in numbers]
    values = ops.stack([_scaled_layers(c, n.plan) for c, n in zip(columns, numbers, strict=True)], axis=1)
    there = ops.isfinite(ops.stack(columns, axis=1))
    if any(n.plan.factor != 1.0 for n in numbers):
        values = layers.Rescaling([n.plan.factor for n in numbers], dtype="float32")(values)
    scaled = layers.Normalization(
        mean=[n.plan.mean for n in numbers], variance=[n.plan.variance for n in numbers], dtype="float32"
    )(values)
    parts = [ops.where(there, scaled, 0.0)]
    flags = [i for i, n in enumerate(numbers) if n.plan.indicator]
    if flags:
        parts.append(ops.cast(ops.logical_not(ops.take(there, flags, axis=1)), "float32"))
    shares = [_share_layers(columns[place], numbers[place].plan) for place in shared]
    return parts, ops.stack(shares, axis=1) if shares else None


def layer_float32(feature: Feature, raw: Any, origin: int, part: CalendarPart | None = None) -> Any:
    """A scalar, or a part of a datetime, as float32 with NaN where missing, less the origin."""
    from keras import ops

    if raw.dtype != "int64":
        return ops.cast(raw, "float32")
    whole = calendar_part(raw, part) if part else raw
    values = ops.cast(whole - origin if origin else whole, "float32")
    if misses_by_value(feature):
        return ops.where(ops.equal(raw, MISSING_INT), float("nan"), values)
    return values


def _scaled_layers(values: Any, plan: NumberPlan) -> Any:
    """What comes before factor, mean and variance."""
    from keras import ops

    from kilnworks.components.features.layers import QuantileScaling

    if plan.scale == "log1p":
        wide = ops.cast(values, "float64")
        return ops.cast(ops.sign(wide) * ops.log1p(ops.abs(wide)), "float32")
    if plan.scale == "quantile":
        return QuantileScaling(plan.knots, plan.shares, dtype="float32")(values)
    return values


def _share_layers(column: Any, plan: NumberPlan) -> Any:
    """The share of training values below; the middle where missing."""
    from keras import ops

    from kilnworks.components.features.layers import QuantileScaling
    from kilnworks.components.features.quantiles import MIDDLE

    share = QuantileScaling(plan.knots, plan.shares, dtype="float32")(column)
    return ops.where(ops.isfinite(column), share, float(MIDDLE))
