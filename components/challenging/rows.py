"""The rows that two models are compared on: the truth, and what both say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kilnworks.components.challenging.served import Incomparable
from kilnworks.components.judging.metric import Metric
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.base import Task
from kilnworks.schemas.words import listed

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

Side = tuple[Task, "Mapping[str, np.ndarray]"]
"""A task and the answers that it judges."""


@dataclass(frozen=True)
class Both:
    """Truth [N, ...], the answers of both models to these rows, and columns of them to slice by."""

    truth: np.ndarray
    champion: Side
    challenger: Side
    frame: pl.DataFrame

    def of(self, rows: Any) -> Both:
        """The same of these rows, int [n]."""
        champion, challenger = (
            (task, {name: value[rows] for name, value in answers.items()})
            for task, answers in (self.champion, self.challenger)
        )
        frame = self.frame[rows] if self.frame.width else self.frame
        return Both(self.truth[rows], champion, challenger, frame)

    def values(self, metric: Metric, settings: JudgeSettings) -> tuple[float, float]:
        """The metric of the champion and of the challenger."""
        before, now = (
            task.value(metric, self.truth, answers, settings) for task, answers in (self.champion, self.challenger)
        )
        return before, now


def of_shared_classes(both: Both) -> tuple[Both, str]:
    """Where the classes have changed, the rows of those that both models know; with words for what has.

    Both are judged as if there were the shared classes alone: what either gives to another one is spread over these.

    Raises:
        Incomparable: no row has a class that both know.
    """
    import numpy as np

    (old, before), (new, now) = both.champion, both.challenger
    if not new.tells_classes_of(old):
        return both, ""
    shared = [name for name in new.class_texts if name in old.class_texts]
    rows = np.flatnonzero(np.isin(both.truth, [new.class_texts.index(name) for name in shared]))
    if not len(rows):
        raise Incomparable("no row has a class that both models tell")
    sides = [(new, new.realigned(task, answers, shared)) for task, answers in ((old, before), (new, now))]
    return Both(both.truth, sides[0], sides[1], both.frame).of(rows), _changed(old, new, len(both.truth) - len(rows))


def _changed(old: Task, new: Task, left_out: int) -> str:
    """What has become of the classes."""
    added = [name for name in new.class_texts if name not in old.class_texts]
    gone = [name for name in old.class_texts if name not in new.class_texts]
    parts = [f"new are {listed(added)}"] if added else []
    parts += [f"gone are {listed(gone)}"] if gone else []
    rows = f", {left_out:,} rows of new classes are left out" if left_out else ""
    return f"the classes have changed ({'; '.join(parts) or 'in another order'}{rows})"
