"""Loss and metrics of many rows, added up part by part."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

Loss = Callable[["np.ndarray", "np.ndarray"], Any]
"""Mean over rows of targets and outputs."""


class Totals:
    """The numbers of a task over all rows that were added, exactly as over all at once up to the last digits.

    A task with further numbers derives: ``means`` of a part that average over rows, and ``others`` from what it keeps.
    """

    def __init__(self, loss: Loss) -> None:
        self._loss = loss
        self.rows = 0
        self.mean: dict[str, float] = {}

    def add(self, target: np.ndarray, output: np.ndarray) -> None:
        """Take in targets (see ``Task.target``) and outputs of the model, [rows, ...] each, at least one row."""
        self.rows += len(target)
        means = {"loss": float(self._loss(target, output)), **self.means(target, output)}
        for name, value in means.items():
            before = self.mean.get(name, 0.0)
            self.mean[name] = before + (value - before) * (len(target) / self.rows)

    def means(self, target: np.ndarray, output: np.ndarray) -> dict[str, float]:
        """Numbers of these rows that average over rows, from [rows, ...] each; a place to keep what others need."""
        return {}

    def others(self) -> dict[str, float]:
        """The metrics besides the loss; NaN where not defined."""
        return {}

    def numbers(self) -> dict[str, float]:
        """Loss (without penalties) and metrics; NaN where not defined."""
        return {"loss": self.mean["loss"], **self.others()}
