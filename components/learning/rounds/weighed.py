"""How much each of two models inside of one counts in its answer: what the validation rows say.

::

    answers of both [N, 2, O] -> loss of share * first + (1 - share) * second, share from 0 to 1 -> the least

It is one number from some rows: a grid finds it, held near a half where they are few, and of equals the one that is
nearest to a half.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from kilnworks.components.modeling.base import Architecture
from kilnworks.components.tasks.base import Task

SHARES = 21
"""Of the first model that are tried, from 0 to 1."""


class Weighing:
    """The shares of two models inside of a trained one, where its architecture has ``weighed_parts``.

    Args:
        architecture: of the model.
        task: whose loss counts.
        model: that was trained with validation rows aside.
        answers: what a model gives for these rows, [N, 2, O]; None where there are none.
        labels: of these rows, encoded, [N].
    """

    def __init__(
        self,
        architecture: Architecture,
        task: Task,
        model: Any,
        answers: Callable[[Any], np.ndarray | None],
        labels: Callable[[], np.ndarray],
    ) -> None:
        self._architecture, self._task = architecture, task
        members = architecture.weighed_parts(model, task)
        found = None if members is None else answers(members[0])
        self.share = None if found is None else best_share(found, labels(), task)
        """Of the first model, 0 to 1; None where there is nothing to weigh."""

    def given(self, model: Any) -> Any:
        """The model, in which both now count by their shares."""
        members = None if self.share is None else self._architecture.weighed_parts(model, self._task)
        if self.share is not None and members is not None:
            members[1].set_weights([np.array([self.share, 1.0 - self.share], np.float32)])
        return model

    def told(self) -> dict[str, Any]:
        """For ``training.json``."""
        return {} if self.share is None else {"shares": [round(self.share, 2), round(1.0 - self.share, 2)]}


def best_share(answers: np.ndarray, truth: np.ndarray, task: Task) -> float:
    """The share ``s`` of the first model with the least loss of the task plus ``(2 s - 1)^2 / N``.

    The second part is a normal distribution of shares around a half before any row is seen, of standard deviation
    0.35: it holds what ten rows say near the plain mean, and counts for nothing with some hundred (decision 326).

    Args:
        answers: finished answers of both, [N, 2, O].
        truth: encoded labels, [N].
        task: whose loss counts.
    """
    loss, target = task.loss(), task.target(truth)
    shares = sorted(np.linspace(0.0, 1.0, SHARES), key=lambda share: abs(share - 0.5))
    pull = 1.0 / len(answers)
    found = [
        float(np.mean(loss(target, s * answers[:, 0] + (1.0 - s) * answers[:, 1]))) + pull * (2.0 * s - 1.0) ** 2
        for s in shares
    ]
    return float(shares[int(np.argmin(found))])
