"""A model and the smaller one made of it: metrics of both on the same rows, and what was lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kilnworks.components.challenging.both import bounds_of
from kilnworks.components.challenging.settings import Challenge
from kilnworks.components.challenging.verdict import Verdict, decided
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.schemas.decision import DecisionRecord
from kilnworks.schemas.errors import ConfigError, UnknownName
from kilnworks.schemas.words import listed

if TYPE_CHECKING:
    from kilnworks.components.tasks.base import Task
    from kilnworks.schemas.artifacts import CheckedExamples


@dataclass(frozen=True)
class Answered:
    """What a model answers to the rows of a split.

    Attributes:
        task: of the model.
        truth: [N, ...].
        answers: the judged answers by name, [N, ...] each.
    """

    task: Task
    truth: np.ndarray
    answers: Mapping[str, np.ndarray]

    def metrics(self, settings: JudgeSettings) -> dict[str, float]:
        """Every metric that the rows define."""
        found = {
            m.name: self.task.value(m, self.truth, self.answers, settings) for m in self.task.all_metrics(settings)
        }
        return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def check_measured(task: Task, settings: JudgeSettings, metric: str | None) -> None:
    """Refuse a model whose loss of quality cannot be measured on rows.

    Raises:
        ConfigError: its task has no metric, or is judged by trials of its own.
        UnknownName: it has no metric of that name.
    """
    from kilnworks.components.tasks.base import Task as Base

    names = [one.name for one in task.all_metrics(settings)]
    if type(task).tried is not Base.tried or not names:
        raise ConfigError(
            f"compressing a model of {task.kind}, which is not judged by answers to rows",
            "a metric on rows, by which the loss of quality is measured",
            "leave the compression out",
        )
    if metric is not None and metric not in names:
        raise UnknownName(f"metric of a {task.kind} task", metric, names)


def splits_of(examples: CheckedExamples, judged: str) -> list[str]:
    """``val`` and the split that is judged, where they have rows. Raises ``ConfigError`` where that one has none."""
    if judged not in examples.splits or not examples.rows(judged):
        there = [split for split in examples.splits if examples.rows(split)]
        raise ConfigError(
            f"split {judged!r} has no rows to compare on", f"one of {listed(there)}", "correct `split` of the step"
        )
    return [s for s in dict.fromkeys(["val", judged]) if s in examples.splits and examples.rows(s)]


def lost(before: Answered, now: Answered, settings: JudgeSettings, challenge: Challenge, split: str) -> Verdict:
    """Hold the smaller model against the one it was made of, on the same rows.

    Args:
        before: the answers of the model as it was.
        now: those of the smaller one, to the same rows.
        settings: metrics of one's own and the seed.
        challenge: the metric (by default the first headline metric of the task), the rule and the margin.
        split: whose rows they are, for the words.
    """
    metrics = {one.name: one for one in now.task.all_metrics(settings)}
    headline = next((name for name in now.task.headline if name in metrics), next(iter(metrics)))
    metric = metrics[challenge.metric or headline]
    values = [one.task.value(metric, one.truth, one.answers, settings) for one in (before, now)]
    gain = bounds_of(challenge, metric, settings, now.truth, (before.task, before.answers), (now.task, now.answers))(
        challenge.level
    )
    if not np.isfinite(gain.value):
        raise ConfigError(
            f"{metric.name} is not defined for the {len(now.truth)} rows of {split!r}",
            "rows that define it, such as both classes",
            "name another `metric` or `split`",
        )
    return decided(challenge, metric, (values[0], values[1]), gain, len(now.truth), split)


def gate(found: Verdict, kind: str) -> DecisionRecord:
    """The decision record: whether the smaller model goes on."""
    wanted = {
        "not_worse": "goes on unless it is shown to be worse than the trained one",
        "non_inferior": "goes on once it is shown not to be worse than the trained one",
    }
    margin, level = found.margin or 0.0, found.level or 0.0
    less = "take less away (`sparsity`), train longer after it (`settle_epochs`), " if kind == "pruned" else ""
    return DecisionRecord(
        gate="compression",
        passed=found.live,
        rule=f"a model made {kind} {wanted[found.rule]} by more than {margin:.3g} of {found.metric}, "
        f"at {100 * level:g} % confidence",
        reason=found.text,
        next_action="" if found.live else f"{less}allow more `max_loss`, or leave the compression out",
        details=found.record(),
    )
