"""Which feature each column of a model belongs to, where the encoded tensors stand side by side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kilnworks.components.features.transform import FeatureTransform


def feature_columns(transform: FeatureTransform) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Names of the features that have columns, and for each column the position of its feature among them, [D].

    What is derived from several features stands behind them, by the name that the settings give it.
    """
    plan = transform.plan
    numbers = [number.feature for number in plan.numbers.values()]
    missing = [number.feature for number in plan.numbers.values() if number.plan.indicator]
    places = [name for name, feature in plan.features.items() for _ in feature.places(name)]
    derived = [name for name, one in plan.derived.items() for _ in one.places(name)]
    owners = [*numbers, *missing, *places, *derived]
    owners += [numbers[place] for place in plan.shared]
    for name, feature in plan.features.items():
        tensor = feature.tensor(name, plan.contract.features[name])
        owners += [name] * math.prod(tensor.shape) if tensor else []
    features = tuple(name for name in (*plan.features, *plan.derived) if name in set(owners))
    return features, tuple(features.index(name) for name in owners)


def column_names(transform: FeatureTransform) -> tuple[str, ...]:
    """A name for each column, in the order of ``feature_columns``: ``tenure``, ``Contract=One year``, ``image 12``."""
    plan = transform.plan
    numbers = list(plan.numbers)
    names = [*numbers, *(f"{key} is missing" for key, number in plan.numbers.items() if number.plan.indicator)]
    for name, feature in plan.features.items():
        names += feature.places(name)
    for name, one in plan.derived.items():
        names += one.places(name)
    names += [f"{numbers[place]} by rank" for place in plan.shared]
    for name, feature in plan.features.items():
        tensor = feature.tensor(name, plan.contract.features[name])
        size = math.prod(tensor.shape) if tensor else 0
        names += [name] if size == 1 else [f"{name} {place}" for place in range(size)]
    return tuple(names)
