"""The fast path: encoded arrays from the columns of a data frame, without TensorFlow, equal to the Keras graph.

Every step repeats what the layers of ``graph.py`` compute, in the same float32 arithmetic. The cost is a few passes
over each column; texts are compared once for each different value, not once for each row.
"""

import math
from collections.abc import Collection

import numpy as np
import polars as pl

from components.features.calendar import CalendarPart, calendar_part
from components.features.packed import packed_images
from components.features.plan import (
    BucketPlan,
    CategoryPlan,
    ImagePlan,
    NumberPlan,
    TensorPlan,
    TransformPlan,
    indices,
    keras_name,
)
from components.features.quantiles import MIDDLE, interpolate
from components.features.raw import MISSING_INT, misses_by_value, raw_array
from schemas.contract import Feature
from schemas.errors import DataInvalid
from schemas.words import listed

EPSILON = np.float32(1e-7)
"""The smallest deviation that ``keras.layers.Normalization`` divides by."""
RESIZE_ROWS = 1024
RESIZE_BYTES = 32 * 2**20
"""Float32 pixels that are resized at once, before or after, unless a single image has more."""


def encode_frame(plan: TransformPlan, frame: pl.DataFrame, packed: bool = False) -> dict[str, np.ndarray]:
    """See ``FeatureTransform.encode``. Numbers near the end of float32 overflow silently, as they do in the graph."""
    with np.errstate(over="ignore", invalid="ignore"):
        return _encode(plan, frame, packed_images(plan) if packed else {})


def _encode(plan: TransformPlan, frame: pl.DataFrame, packed: Collection[str]) -> dict[str, np.ndarray]:
    missing = [n for n in plan.contract.features if n not in frame.columns]
    if missing:
        raise DataInvalid(f"no column {listed(missing)}", f"the features of {plan.contract.name}", "add the columns")
    block = np.zeros((frame.height, len(plan.block)), np.float32)
    shares = np.zeros((frame.height, len(plan.shared)), np.float32)
    own: dict[str, np.ndarray] = {plan.shares_name: shares} if plan.shared else {}
    place = _fill_numbers(plan, frame, block, shares)
    rows = np.arange(frame.height)
    for name, feature in plan.contract.features.items():
        match plan.features[name]:
            case CategoryPlan() | BucketPlan() as category:
                index = _index(name, feature, category, frame[name])
                if category.output == "embedding":
                    own[keras_name(name)] = index
                    continue
                block[rows, place + index] = 1
                place += indices(category)
            case TensorPlan() as tensor:
                own[keras_name(name)] = _standardised(
                    raw_array(name, feature, frame[name]), tensor.mean, tensor.variance
                )
            case ImagePlan() as image:
                raw = raw_array(name, feature, frame[name])
                own[keras_name(name)] = raw if keras_name(name) in packed else _pixels(raw, image)
            case _:
                continue
    return {plan.block_name: block, **own} if block.shape[1] else own


def _fill_numbers(plan: TransformPlan, frame: pl.DataFrame, block: np.ndarray, shares: np.ndarray) -> int:
    """Write the scalars and their indicators into the block, and the shares; returns the next free place."""
    numbers = plan.numbers
    flag = len(numbers)
    share_of = {place: i for i, place in enumerate(plan.shared)}
    for place, (name, part, number) in enumerate(numbers.values()):
        values = _float32(name, plan.contract.features[name], frame[name], number.origin, part)
        missing = np.isnan(values)
        if place in share_of:
            found = interpolate(values, np.array(number.knots, np.float32), np.array(number.shares, np.float32))
            shares[:, share_of[place]] = np.where(missing, MIDDLE, found)
        block[:, place] = _standardised(_scaled(values, number), (number.mean,), (number.variance,), missing)
        if number.indicator:
            block[:, flag] = missing
            flag += 1
    return flag


def _float32(
    name: str, feature: Feature, series: pl.Series, origin: int, part: CalendarPart | None = None
) -> np.ndarray:
    """The column, or a part of its datetimes, as float32 with NaN where missing, less the origin."""
    raw = raw_array(name, feature, series)
    if raw.dtype != np.int64:
        return raw.astype(np.float32, copy=False)
    values = ((calendar_part(raw, part) if part else raw) - origin).astype(np.float32)
    if misses_by_value(feature):
        values[raw == MISSING_INT] = np.nan
    return values


def _scaled(values: np.ndarray, plan: NumberPlan) -> np.ndarray:
    """What comes before mean and variance."""
    if plan.scale == "log1p":
        wide = values.astype(np.float64)
        values = (np.sign(wide) * np.log1p(np.abs(wide))).astype(np.float32)
    if plan.scale == "quantile":
        values = interpolate(values, np.array(plan.knots, np.float32), np.array(plan.shares, np.float32))
    return values if plan.factor == 1.0 else values * np.float32(plan.factor)


def _standardised(
    values: np.ndarray, mean: tuple[float, ...], variance: tuple[float, ...], missing: np.ndarray | None = None
) -> np.ndarray:
    """``(values - mean) / deviation`` along the last axis (or of a single column), 0 where missing."""
    deviation = np.maximum(np.sqrt(np.array(variance, np.float32)), EPSILON)
    values = values.astype(np.float32, copy=False)
    out = (values - np.array(mean, np.float32)) / deviation
    out[np.isnan(values) if missing is None else missing] = 0
    return out


def _index(name: str, feature: Feature, plan: CategoryPlan | BucketPlan, series: pl.Series) -> np.ndarray:
    """int32 index of every row."""
    if isinstance(plan, BucketPlan):
        values = _float32(name, feature, series, plan.origin)
        index = np.searchsorted(np.array(plan.boundaries, np.float32), values, side="right").astype(np.int32) + 1
        return np.where(np.isnan(values), 0, index).astype(np.int32, copy=False)
    if feature.dtype == "string":
        known = pl.Enum(list(map(str, plan.values)))
        codes = series.cast(pl.String).cast(known, strict=False).to_physical().cast(pl.Int32)
        return (codes + 1).fill_null(0).to_numpy()
    raw = raw_array(name, feature, series)
    return _integer_index(np.where(np.isnan(raw), 0, raw).astype(np.int64), plan) * ~np.isnan(raw)


def _integer_index(values: np.ndarray, plan: CategoryPlan) -> np.ndarray:
    vocabulary = np.array(plan.values, np.int64)
    order = np.argsort(vocabulary)
    where = np.minimum(np.searchsorted(vocabulary, values, sorter=order), len(vocabulary) - 1)
    found = order[where]
    return np.where(vocabulary[found] == values, found + 1, 0).astype(np.int32)


def _pixels(raw: np.ndarray, plan: ImagePlan) -> np.ndarray:
    """float32 pixels, resized and scaled."""
    if plan.size is not None:
        raw = _resized(raw, plan.size)
    out = raw.astype(np.float32) * np.float32(plan.factor)
    out += np.float32(plan.offset)
    return out


def _resized(images: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The Keras layer itself, in batches: its interpolation has no equal in NumPy."""
    from components.features.layers import resizing

    layer = resizing(size)
    out = np.empty((len(images), *size, images.shape[-1]), np.float32)
    widest = 4 * max(math.prod(images.shape[1:]), math.prod(out.shape[1:]))
    step = max(1, min(RESIZE_ROWS, RESIZE_BYTES // widest))
    for start in range(0, len(images), step):
        out[start : start + step] = layer(images[start : start + step].astype(np.float32))
    return out
