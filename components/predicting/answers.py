"""Answers of a model as rows of a table: the class and every class's probability, or the value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from schemas.contract import Contract


def answer_frame(contract: Contract, outputs: Mapping[str, np.ndarray[Any, Any]]) -> pl.DataFrame:
    """One row an input row.

    Args:
        contract: its label says the task and the classes.
        outputs: ``probabilities`` [n, K] and ``class`` [n] for classification, ``score`` [n] for regression.

    Returns:
        Columns ``class`` and ``probability_<class>``, or ``value``.
    """
    label = contract.label
    if label is None or label.classes is None:
        return pl.DataFrame({"value": np.asarray(outputs["score"]).reshape(-1).astype(np.float64)})
    probabilities = np.asarray(outputs["probabilities"])
    names = [value.decode() if isinstance(value, bytes) else str(value) for value in outputs["class"].tolist()]
    columns: dict[str, Any] = {"class": names}
    for i, name in enumerate(label.classes):
        columns[f"probability_{name}"] = probabilities[:, i].astype(np.float64)
    return pl.DataFrame(columns)
