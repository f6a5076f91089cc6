"""Both models asked on the same rows, as they are served: raw columns in, answers out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kilnworks.components.challenging.gain import Gain
from kilnworks.components.challenging.paired import resampled, share_gain
from kilnworks.components.challenging.rows import Both, of_shared_classes
from kilnworks.components.challenging.served import (
    Incomparable,
    Served,
    by_champion,
    check_alike,
    judged_answers,
    of_champion,
    opened,
)
from kilnworks.components.challenging.settings import Challenge
from kilnworks.components.challenging.verdict import Verdict, decided, margin_of, unmeasured, with_slices
from kilnworks.components.judging.metric import Metric
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.base import Task
from kilnworks.schemas.artifacts import CheckedExamples
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, StepFailed, UnknownName
from kilnworks.schemas.words import listed

if TYPE_CHECKING:
    import numpy as np
    import polars as pl


PIECE_BYTES = 64 * 2**20
"""Of raw inputs that are asked at once, about."""
MOST_PIECE = 1024
SLICE_ROWS = 30
"""Fewest rows of a slice, where the evaluation says nothing else."""


def challenged(
    challenge: Challenge,
    settings: JudgeSettings,
    examples: CheckedExamples,
    split: str,
    champion: Path,
    challenger: Path,
) -> Verdict:
    """Measure both SavedModels on a split and decide.

    Args:
        challenge: the rule.
        settings: of the run's evaluation: metrics of one's own, ``top_k``.
        examples: of the challenger's run.
        split: the rows, such as ``test``.
        champion: the live SavedModel.
        challenger: the one that is to take its place.

    Raises:
        UnknownName: ``metric`` is none of the task, nor one of the evaluation's own.
        KilnworksError: the challenger does not answer.
    """
    new = opened(challenger)
    metric = _metric(challenge, new.task, settings)
    try:
        if metric is None:
            raise Incomparable(f"a {new.task.kind} task has no metric")
        if type(new.task).tried is not Task.tried:
            raise Incomparable(f"a {new.task.kind} is judged by trials of its own, not by answers to the same rows")
        old = of_champion(champion)
        check_alike(old, new, examples)
        both = _answers(challenge, examples, split, old, new, _columns(challenge, settings, examples.contract))
        both, changed = of_shared_classes(both)
        bounds = bounds_of(challenge, metric, settings, both.truth, both.champion, both.challenger)
        gain = bounds(challenge.level)
        if gain.value != gain.value:
            raise Incomparable(f"{metric.name} is not defined for these {len(both.truth)} {new.task.unit}")
    except Incomparable as error:
        return unmeasured(challenge, str(error))
    verdict = decided(challenge, metric, both.values(metric, settings), gain, len(both.truth), split, new.task.unit)
    if changed:
        verdict = replace(verdict, text=f"{verdict.text}; {changed}")
    if not both.frame.width:
        return verdict
    return with_slices(verdict, _by_slice(challenge, metric, settings, both, examples.contract))


def _metric(challenge: Challenge, task: Task, settings: JudgeSettings) -> Metric | None:
    """The one to compare; None where the task has none. Raises ``UnknownName``."""
    known = {metric.name: metric for metric in task.all_metrics(settings)}
    name = challenge.metric or next((n for n in task.headline if n in known), next(iter(known), None))
    if name is not None and name not in known:
        raise UnknownName(f"metric of a {task.kind} task to compare by", name, known)
    return None if name is None else known[name]


def _answers(
    challenge: Challenge, examples: CheckedExamples, split: str, old: Served, new: Served, columns: Sequence[str]
) -> Both:
    """Truth, the judged answers of both, and these columns, for the rows that are compared."""
    import numpy as np
    import polars as pl

    def not_finite(answers: np.ndarray) -> int:
        return int((~np.isfinite(answers)).reshape(len(answers), -1).any(axis=1).sum())

    truths: list[np.ndarray] = []
    frames: list[pl.DataFrame] = []
    parts: tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]] = ([], [])
    for frame in _frames(challenge, examples, split):
        truth, bad = new.task.judged_by(frame)
        if bad.any():
            raise Incomparable(f"{int(bad.sum())} labels cannot be judged")
        truths.append(truth)
        frames.append(frame.select(columns))
        parts[0].append(by_champion(old, frame))
        parts[1].append(judged_answers(new, frame))
    if not truths:
        raise Incomparable(f"split {split!r} has no rows")
    joined = [{name: np.concatenate([p[name] for p in side]) for name in side[0]} for side in parts]
    lost = [max(not_finite(answers) for answers in side.values()) for side in joined]
    if lost[1]:
        wanted, fix = "a finite answer to every row", "look at the learning curves of the run"
        raise StepFailed(f"the new model answers {lost[1]} rows with no finite number", wanted, fix)
    if lost[0]:
        raise Incomparable(f"the champion answers {lost[0]} rows with no finite number")
    return Both(np.concatenate(truths), (old.task, joined[0]), (new.task, joined[1]), pl.concat(frames))


def _frames(challenge: Challenge, examples: CheckedExamples, split: str) -> Iterator[pl.DataFrame]:
    """The rows to compare on, in pieces."""
    import polars as pl

    if split not in examples.splits:
        raise ConfigError(f"no split {split!r}", listed(examples.splits), "correct `split` of the evaluation")
    if examples.contract.series is not None:
        from kilnworks.components.series.splits import split_windows

        yield from split_windows(examples, split, MOST_PIECE)
        return
    stride = -(-examples.rows(split) // challenge.rows)
    seen = 0
    for file in examples.files(split):
        frame = pl.read_parquet(file, glob=False)
        chosen = frame[(-seen) % stride :: stride] if stride > 1 else frame
        seen += frame.height
        size = int(chosen.estimated_size()) // max(1, chosen.height)
        yield from chosen.iter_slices(max(1, min(MOST_PIECE, PIECE_BYTES // max(1, size))))


def bounds_of(
    challenge: Challenge,
    metric: Metric,
    settings: JudgeSettings,
    truth: np.ndarray,
    old: tuple[Task, Mapping[str, np.ndarray]],
    new: tuple[Task, Mapping[str, np.ndarray]],
) -> Callable[[float], Gain]:
    """How much better the new answers are, with bounds of the confidence that is asked for; measured once."""
    import numpy as np

    if metric.of is None:
        right = [task.right(metric.name, truth, answers, settings) for task, answers in (old, new)]
        if right[0] is not None and right[1] is not None:
            return partial(share_gain, right[0], right[1])

    weighed = [task.weighed(metric.name, truth, answers) for task, answers in (old, new)]

    def values(rows: Any) -> tuple[float, float]:
        """The metric of both models over these rows, with repeats."""
        if weighed[0] is not None and weighed[1] is not None:
            times = np.bincount(rows, minlength=len(truth))
            return weighed[0](times), weighed[1](times)
        some = truth[rows]
        before, now = (
            task.value(metric, some, {name: answer[rows] for name, answer in answers.items()}, settings)
            for task, answers in (old, new)
        )
        return before, now

    sign = 1 if metric.better == "max" else -1
    return resampled(values, len(truth), sign, challenge.resamples, challenge.seed).at


def _columns(challenge: Challenge, settings: JudgeSettings, contract: Contract) -> tuple[str, ...]:
    """Columns to slice by: those of the evaluation where none are named. Raises ``UnknownName``, ``ConfigError``."""
    columns = challenge.slices if challenge.slices is not None else tuple(getattr(settings, "slices", ()))
    if columns:
        from kilnworks.components.judging.slices import check_columns

        check_columns(columns, contract)
    return columns


def _by_slice(
    challenge: Challenge, metric: Metric, settings: JudgeSettings, both: Both, contract: Contract
) -> list[dict[str, Any]]:
    """What is shown of each slice of the rows that were compared."""
    from kilnworks.components.challenging.per_slice import Bounds, judged, measured

    def measure(rows: Any) -> tuple[tuple[float, float], Bounds]:
        some = both.of(rows)
        bounds = bounds_of(challenge, metric, settings, some.truth, some.champion, some.challenger)
        return some.values(metric, settings), bounds

    least = int(getattr(settings, "slice_min_rows", SLICE_ROWS))
    found = measured(both.frame, both.frame.columns, contract, least, measure)
    margin = margin_of(challenge, metric, both.values(metric, settings)[0])
    return judged(found, margin, challenge.level, 1 if metric.better == "max" else -1)
