"""The served path: Keras layers that turn raw inputs into encoded tensors.

Layers are built from the fitted plan, always in float32 whatever the global precision. ``encode.py`` computes the same.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import keras
from keras import ops

from kilnworks.components.features.encoded import keras_name
from kilnworks.components.features.kinds.base import Layers, Plan
from kilnworks.components.features.kinds.scalars import number_layers
from kilnworks.components.features.plan import TransformPlan
from kilnworks.components.features.raw import raw_inputs as served_inputs
from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.errors import ConfigError

Tensor = Any
OWN_LAYERS = frozenset({"get_item", "quantile_scaling"})
"""Operations that are neither in ``keras.ops`` nor in ``keras.layers``."""


@cache
def operation_names() -> frozenset[str]:
    """What Keras may call an operation of a graph; an input of such a name would clash with it."""
    layers = {re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", n).lower() for n in dir(keras.layers)}
    return OWN_LAYERS | layers | {name for name in dir(ops) if not name.startswith("_")}


def input_name(name: str) -> str:
    """The name of a feature's Keras input: its own, unless Keras could mistake it for an operation of the graph."""
    clash = re.sub(r"_\d+$", "", name) in operation_names()
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
    numbers = list(plan.numbers.values())
    parts, shares = number_layers(plan.contract, numbers, plan.shared, raw) if numbers else ([], None)
    own = {plan.shares_name: shares} if shares is not None else {}
    for name, feature in plan.contract.features.items():
        one = plan.features[name]
        made = one.layers(feature, raw[name])
        _refuse_other(name, feature, one, made)
        if made.places is not None:
            parts.append(made.places)
        if made.tensor is not None:
            own[keras_name(name)] = made.tensor
    parts += [derived.layers(plan.contract, raw) for derived in plan.derived.values()]
    block = {plan.block_name: parts[0] if len(parts) == 1 else ops.concatenate(parts, axis=1)} if parts else {}
    return {**block, **own}


def _refuse_other(name: str, feature: Feature, plan: Plan, made: Layers) -> None:
    """Raise where a plan makes other places or another tensor than it announces."""
    tensor, width = plan.tensor(name, feature), len(plan.places(name))
    wanted = ((width,) if width else None, tensor.shape if tensor is not None else None)
    got = tuple(tuple(x.shape[1:]) if x is not None else None for x in made)
    if got != wanted:
        raise ConfigError(
            f"kind {plan.title} makes layers of shapes {got} for {name!r} (places, tensor)",
            f"what its places() and tensor() say: {wanted}",
            "mend layers(), places() or tensor() of the kind",
        )
