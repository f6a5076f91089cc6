"""Answers of a model as rows of a table: what its task makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from components.tasks.choose import choose

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from schemas.contract import Contract


def answer_frame(contract: Contract, outputs: Mapping[str, np.ndarray[Any, Any]]) -> pl.DataFrame:
    """One row an input row, with the columns of ``Task.table``; such as ``class`` and ``probability_<class>``."""
    return choose(contract).of(contract).table(outputs)
