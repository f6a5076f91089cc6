"""Loss and metrics of many rows, added up part by part."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

Loss = Callable[["np.ndarray", "np.ndarray"], Any]
"""Mean over rows of targets and outputs."""
AT_ONCE = 2**20
"""Numbers of an output that are given to a loss at a time, unless one row has more."""


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

    def each(self, target: np.ndarray, output: np.ndarray) -> np.ndarray | None:
        """The loss of each row, float64 [rows], of targets and outputs, [rows, ...] each, at least one row.

        None where the loss tells no more than the mean of the rows that it is given.
        """
        import keras
        import numpy as np

        if not isinstance(self._loss, keras.losses.Loss):
            return None
        some, usual = max(1, AT_ONCE * len(output) // output.size), self._loss.reduction
        self._loss.reduction = None
        try:
            found = [
                np.asarray(self._loss(target[at : at + some], output[at : at + some]), np.float64)
                for at in range(0, len(output), some)
            ]
        finally:
            self._loss.reduction = usual
        if any(values.ndim == 0 for values in found) or sum(map(len, found)) != len(output):
            return None
        return np.concatenate(found).reshape(len(output), -1).mean(axis=1)

    def means(self, target: np.ndarray, output: np.ndarray) -> dict[str, float]:
        """Numbers of these rows that average over rows, from [rows, ...] each; a place to keep what others need."""
        return {}

    def others(self) -> dict[str, float]:
        """The metrics besides the loss; NaN where not defined."""
        return {}

    def numbers(self) -> dict[str, float]:
        """Loss (without penalties) and metrics; NaN where not defined."""
        return {"loss": self.mean["loss"], **self.others()}
