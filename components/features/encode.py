"""The fast path: encoded arrays from the columns of a data frame, without TensorFlow, equal to the Keras graph.

Every kind of feature repeats what its layers compute, in the same float32 arithmetic. The cost is a few passes over
each column.
"""

import numpy as np
import polars as pl

from kilnworks.components.features.encoded import TEXT, keras_name
from kilnworks.components.features.kinds.base import Plan
from kilnworks.components.features.kinds.scalars import fill
from kilnworks.components.features.plan import TransformPlan
from kilnworks.components.features.raw import raw_array
from kilnworks.schemas.contract import Feature
from kilnworks.schemas.errors import ConfigError, DataInvalid
from kilnworks.schemas.words import listed


def encode_frame(plan: TransformPlan, frame: pl.DataFrame, packed: bool = False) -> dict[str, np.ndarray]:
    """See ``FeatureTransform.encode``. Numbers near the end of float32 overflow silently, as they do in the graph."""
    with np.errstate(over="ignore", invalid="ignore"):
        return _encode(plan, frame, packed)


def _encode(plan: TransformPlan, frame: pl.DataFrame, packed: bool) -> dict[str, np.ndarray]:
    missing = [n for n in plan.contract.features if n not in frame.columns]
    if missing:
        raise DataInvalid(f"no column {listed(missing)}", f"the features of {plan.contract.name}", "add the columns")
    numbers = list(plan.numbers.values())
    block = np.zeros((frame.height, len(plan.block)), np.float32)
    shares = np.zeros((frame.height, len(plan.shared)), np.float32)
    fill(plan.contract, numbers, {place: i for i, place in enumerate(plan.shared)}, frame, block, shares)
    found: dict[str, np.ndarray] = {plan.block_name: block} if block.shape[1] else {}
    if plan.shared:
        found[plan.shares_name] = shares
    place = len(numbers) + sum(n.plan.indicator for n in numbers)
    for name, feature in plan.contract.features.items():
        one, series = plan.features[name], frame[name]
        end = place + len(one.places(name))
        own = raw_array(name, feature, series) if packed and one.packs else one.columns(
            name, feature, series, block[:, place:end]
        )  # fmt: skip
        _refuse_other(name, feature, one, own, packed and one.packs)
        if own is not None:
            found[keras_name(name)] = own
        place = end
    for derived in plan.derived.values():
        end = place + derived.count
        block[:, place:end] = derived.columns(plan.contract, frame)
        place = end
    return found


def _refuse_other(name: str, feature: Feature, plan: Plan, own: np.ndarray | None, packed: bool) -> None:
    """Raise where a plan gives another tensor than it announces."""
    announced = plan.tensor(name, feature)
    got = (own.shape[1:], "packed" if packed else _dtype(own)) if own is not None else None
    wanted = (announced.shape, "packed" if packed else announced.dtype) if announced is not None else None
    if got != wanted:
        raise ConfigError(
            f"kind {plan.title} gives {_said(got)} for {name!r}",
            f"what its tensor() says: {_said(wanted)}",
            "mend columns() or tensor() of the kind",
        )


def _dtype(array: np.ndarray) -> str:
    return TEXT if array.dtype == object else str(array.dtype)


def _said(tensor: tuple[tuple[int, ...], str] | None) -> str:
    return f"{tensor[1]} of shape {list(tensor[0])} a row" if tensor is not None else "no tensor"
