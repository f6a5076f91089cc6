"""The served path: Keras layers that turn raw inputs into encoded tensors.

Layers are built from the fitted plan, always in float32 whatever the global precision. ``encode.py`` computes the same.
"""

from __future__ import annotations

import re
from typing import Any

import keras
from keras import layers, ops

from components.features.calendar import CalendarPart, calendar_part
from components.features.layers import QuantileScaling, resizing
from components.features.plan import (
    NO_INTEGER,
    UNKNOWN_TEXT,
    BucketPlan,
    CategoryPlan,
    ImagePlan,
    Number,
    NumberPlan,
    TensorPlan,
    TransformPlan,
    indices,
    keras_name,
)
from components.features.quantiles import MIDDLE
from components.features.raw import MISSING_INT, misses_by_value
from components.features.raw import raw_inputs as served_inputs
from schemas.contract import Contract, Feature

Tensor = Any
_LAYER_NAMES = frozenset(
    [
        "absolute",
        "add",
        "cast",
        "category_encoding",
        "concatenate",
        "discretization",
        "equal",
        "floor_divide",
        "integer_lookup",
        "isnan",
        "log1p",
        "multiply",
        "normalization",
        "quantile_scaling",
        "rescaling",
        "reshape",
        "resizing",
        "sign",
        "stack",
        "string_lookup",
        "subtract",
        "take",
        "where",
    ]
)
"""What Keras calls the operations below; an input of such a name would clash with one of them."""


def input_name(name: str) -> str:
    """The name of a feature's Keras input: its own, unless Keras could mistake it for an operation of the graph."""
    clash = re.sub(r"_\d+$", "", name) in _LAYER_NAMES
    return keras_name(name) + ("|" if clash else "")


def raw_inputs(contract: Contract) -> dict[str, Tensor]:
    """See ``FeatureTransform.raw_inputs``."""
    return {
        name: keras.Input(shape, dtype=dtype, name=input_name(name))
        for name, (dtype, shape) in served_inputs(contract).items()
    }


def transform_model(plan: TransformPlan) -> keras.Model:
    """The whole preprocessing as a Keras model: raw inputs by ``input_name`` -> encoded tensors by name."""
    raw = raw_inputs(plan.contract)
    inputs = {input_name(n): tensor for n, tensor in raw.items()}
    return keras.Model(inputs, encode_graph(plan, raw), name=f"{plan.contract.name}_transform")


def encode_graph(plan: TransformPlan, raw: dict[str, Tensor]) -> dict[str, Tensor]:
    """See ``FeatureTransform.apply``."""
    parts, own = _numbers(plan, raw)
    for name, feature in plan.contract.features.items():
        match plan.features[name]:
            case CategoryPlan() | BucketPlan() as category:
                index = _index(feature, category, raw[name])
                if category.output == "embedding":
                    own[keras_name(name)] = ops.cast(index, "int32")
                else:
                    parts.append(_one_hot(index, indices(category)))
            case TensorPlan() as tensor:
                own[keras_name(name)] = _tensor(raw[name], tensor)
            case ImagePlan() as image:
                own[keras_name(name)] = _pixels(raw[name], image)
            case _:
                continue
    block = {plan.block_name: parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=1)} if parts else {}
    return {**block, **own}


def _numbers(plan: TransformPlan, raw: dict[str, Tensor]) -> tuple[list[Tensor], dict[str, Tensor]]:
    """The scalars of the block ``[n, K]`` and their indicators ``[n, M]``; and the shares ``[n, S]`` by name."""
    numbers = list(plan.numbers.values())
    if not numbers:
        return [], {}
    columns = [_float32(plan.contract.features[n.feature], raw[n.feature], n.plan.origin, n.part) for n in numbers]
    values = ops.stack([_scaled(c, n.plan) for c, n in zip(columns, numbers, strict=True)], axis=1)
    missing = ops.isnan(ops.stack(columns, axis=1))
    if any(n.plan.factor != 1.0 for n in numbers):
        values = layers.Rescaling([n.plan.factor for n in numbers], dtype="float32")(values)
    scaled = layers.Normalization(
        mean=[n.plan.mean for n in numbers], variance=[n.plan.variance for n in numbers], dtype="float32"
    )(values)
    parts = [ops.where(missing, 0.0, scaled)]
    flags = [i for i, n in enumerate(numbers) if n.plan.indicator]
    if flags:
        parts.append(ops.cast(ops.take(missing, flags, axis=1), "float32"))
    return parts, _shares(plan, numbers, columns)


def _shares(plan: TransformPlan, numbers: list[Number], columns: list[Tensor]) -> dict[str, Tensor]:
    """The tensor of shares by name, where the plan has one."""
    found = []
    for place in plan.shared:
        number, column = numbers[place].plan, columns[place]
        share = QuantileScaling(number.knots, number.shares, dtype="float32")(column)
        found.append(ops.where(ops.isnan(column), float(MIDDLE), share))
    return {plan.shares_name: ops.stack(found, axis=1)} if found else {}


def _float32(feature: Feature, raw: Tensor, origin: int, part: CalendarPart | None = None) -> Tensor:
    """A scalar, or a part of a datetime, as float32 with NaN where missing, less the origin."""
    if raw.dtype != "int64":
        return ops.cast(raw, "float32")
    whole = calendar_part(raw, part) if part else raw
    values = ops.cast(whole - origin if origin else whole, "float32")
    if misses_by_value(feature):
        return ops.where(ops.equal(raw, MISSING_INT), float("nan"), values)
    return values


def _scaled(values: Tensor, plan: NumberPlan) -> Tensor:
    """What comes before factor, mean and variance."""
    if plan.scale == "log1p":
        wide = ops.cast(values, "float64")
        return ops.cast(ops.sign(wide) * ops.log1p(ops.abs(wide)), "float32")
    if plan.scale == "quantile":
        return QuantileScaling(plan.knots, plan.shares, dtype="float32")(values)
    return values


def _index(feature: Feature, plan: CategoryPlan | BucketPlan, raw: Tensor) -> Tensor:
    """Index of every row ``[n]``; 0 where missing or unknown."""
    if isinstance(plan, BucketPlan):
        values = _float32(feature, raw, plan.origin)
        bucket = layers.Discretization(bin_boundaries=list(plan.boundaries), dtype="float32")(values)
        return ops.where(ops.isnan(values), 0, bucket + 1)
    if feature.dtype == "string":
        return layers.StringLookup(vocabulary=list(plan.values), oov_token=UNKNOWN_TEXT, mask_token=None)(raw)
    if raw.dtype == "float32":
        raw = ops.cast(ops.where(ops.isnan(raw), float(NO_INTEGER), raw), "int64")
    return layers.IntegerLookup(vocabulary=list(plan.values), oov_token=NO_INTEGER, mask_token=None)(raw)


def _one_hot(index: Tensor, depth: int) -> Tensor:
    """``[n, depth]``; by way of ``[n, 1]``, because Keras takes a single row ``[1]`` for one value of one row."""
    column = ops.reshape(index, (-1, 1))
    return layers.CategoryEncoding(num_tokens=depth, output_mode="one_hot", dtype="float32")(column)


def _tensor(raw: Tensor, plan: TensorPlan) -> Tensor:
    values = ops.cast(raw, "float32")
    scaled = layers.Normalization(mean=list(plan.mean), variance=list(plan.variance), dtype="float32")(values)
    return ops.where(ops.isnan(values), 0.0, scaled)


def _pixels(raw: Tensor, plan: ImagePlan) -> Tensor:
    if plan.size is not None:
        raw = resizing(plan.size)(ops.cast(raw, "float32"))
    return layers.Rescaling(plan.factor, plan.offset, dtype="float32")(raw)
