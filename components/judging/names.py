"""The metrics by task: their names and directions. Imports nothing heavy, so that settings can check names."""

import re
from typing import Literal

from schemas.errors import UnknownName

Task = Literal["binary", "multiclass", "regression"]

HIGHER_IS_BETTER: dict[str, bool] = {
    "auc": True,
    "average_precision": True,
    "accuracy": True,
    "balanced_accuracy": True,
    "precision": True,
    "recall": True,
    "f1": True,
    "log_loss": False,
    "brier": False,
    "macro_f1": True,
    "auc_ovr": True,
    "mae": False,
    "rmse": False,
    "r2": True,
    "median_ae": False,
    "mape": False,
}
"""Every fixed metric name and its direction; ``top_<k>_accuracy`` comes beside them."""

BY_TASK: dict[Task, tuple[str, ...]] = {
    "binary": (
        "auc",
        "average_precision",
        "accuracy",
        "balanced_accuracy",
        "precision",
        "recall",
        "f1",
        "log_loss",
        "brier",
    ),
    "multiclass": ("accuracy", "macro_f1", "auc_ovr", "log_loss"),
    "regression": ("mae", "rmse", "r2", "median_ae", "mape"),
}
"""Metrics of each task in the order of the report."""

_TOP = re.compile(r"top_[1-9][0-9]*_accuracy")


def top_name(k: int) -> str:
    """Name of the share of rows whose class is among the ``k`` most probable ones."""
    return f"top_{k}_accuracy"


def metric_names(task: Task, top_k: int) -> tuple[str, ...]:
    """Names of the metrics that ``task`` gets, in the order of the report."""
    extra = (top_name(top_k),) if task == "multiclass" else ()
    return (*BY_TASK[task], *extra)


def higher_is_better(name: str) -> bool:
    """Direction of a metric. Raises ``UnknownName`` for a name that is none."""
    check_name(name)
    return HIGHER_IS_BETTER.get(name, True)


def check_name(name: str, task: Task | None = None, top_k: int | None = None) -> None:
    """Refuse a metric that does not exist, or that ``task`` does not have.

    Raises:
        UnknownName: the message lists those that exist and names the nearest.
    """
    if task is None:
        if name not in HIGHER_IS_BETTER and not _TOP.fullmatch(name):
            raise UnknownName("metric", name, [*HIGHER_IS_BETTER, "top_<k>_accuracy"])
        return
    known = metric_names(task, top_k or 1)
    if name not in known:
        raise UnknownName(f"metric of a {task} task", name, known)
