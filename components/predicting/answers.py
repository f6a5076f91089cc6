"""Answers of a model as rows of a table: what its task makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kilnworks.components.tasks.base import Task

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


def answer_frame(task: Task, outputs: Mapping[str, np.ndarray[Any, Any]]) -> pl.DataFrame:
    """One row an input row, with the columns of ``Task.table``; such as ``class`` and ``probability_<class>``."""
    return task.table(outputs)
