"""Contracts beside models that an earlier release saved, when patterns were those of Python's ``re``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kilnworks.schemas.contract import Contract
from kilnworks.schemas.patterns import fault_of


def read_saved(tree: Mapping[str, Any]) -> tuple[Contract, list[str]]:
    """The contract, and a line for each pattern in it that cannot be read any more and is not checked.

    A contract that is written or inferred today is refused with such a pattern; a model that answers already must not
    stop answering for it. Every other rule holds.

    Args:
        tree: the JSON object beside the model.

    Raises:
        ValueError: the contract is wrong in another way.
    """
    dropped = []
    features = dict(tree.get("features") or {})
    for name, feature in features.items():
        pattern = feature.get("regex") if isinstance(feature, Mapping) else None
        fault = fault_of(pattern) if isinstance(pattern, str) else None
        if fault is not None:
            features[name] = {**feature, "regex": None}
            dropped.append(f"column {name!r}: the pattern {pattern!r} is not checked: {fault}")
    return Contract.model_validate({**tree, "features": features} if dropped else dict(tree)), dropped
