"""Both models asked on the same rows, as they are served: raw columns in, answers out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kilnworks.components.challenging.paired import Gain, resampled_gain, share_gain
from kilnworks.components.challenging.settings import Challenge
from kilnworks.components.challenging.verdict import Verdict, decided, unmeasured
from kilnworks.components.judging.metric import Metric
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.choose import choose, read_task
from kilnworks.schemas.artifacts import CheckedExamples
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, KilnworksError, StepFailed, UnknownName
from kilnworks.schemas.files import read_json
from kilnworks.schemas.saved_contract import read_saved
from kilnworks.schemas.wire import CONTRACT_FILE, TASK_FILE
from kilnworks.schemas.words import listed

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from kilnworks.components.predicting.pieces import Ask

PIECE_BYTES = 64 * 2**20
"""Of raw inputs that are asked at once, about."""
MOST_PIECE = 1024


class Incomparable(Exception):
    """Why two models cannot be compared, as a clause."""


@dataclass(frozen=True)
class Served:
    """A published model: how it is asked, what it takes and what it tells."""

    ask: Ask
    contract: Contract
    task: Task


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
    new = _opened(challenger)
    metric = _metric(challenge, new.task, settings)
    try:
        if metric is None:
            raise Incomparable(f"a {new.task.kind} task has no metric")
        if type(new.task).tried is not Task.tried:
            raise Incomparable(f"a {new.task.kind} is judged by trials of its own, not by answers to the same rows")
        old = _of_champion(champion)
        _check_alike(old, new, examples)
        truth, before, now = _answers(challenge, examples, split, old, new)
        values = tuple(m.task.value(metric, truth, a, settings) for m, a in ((old, before), (new, now)))
        gain = gain_of(challenge, metric, settings, truth, (old.task, before), (new.task, now))
        if gain.value != gain.value:
            raise Incomparable(f"{metric.name} is not defined for these {len(truth)} rows")
    except Incomparable as error:
        return unmeasured(challenge, str(error))
    return decided(challenge, metric, (values[0], values[1]), gain, len(truth), split)


def _metric(challenge: Challenge, task: Task, settings: JudgeSettings) -> Metric | None:
    """The one to compare; None where the task has none. Raises ``UnknownName``."""
    own = [metric.named(name, task.class_texts) for name, metric in settings.metrics.items()]
    known = {metric.name: metric for metric in (*task.metrics_of(settings.top_k), *own)}
    name = challenge.metric or next((n for n in task.headline if n in known), next(iter(known), None))
    if name is not None and name not in known:
        raise UnknownName(f"metric of a {task.kind} task to compare by", name, known)
    return None if name is None else known[name]


def _opened(saved_model: Path) -> Served:
    from kilnworks.components.predicting.champion import asked

    contract, _ = read_saved(read_json(saved_model / CONTRACT_FILE))
    path = saved_model / TASK_FILE
    task = read_task(path) if path.is_file() else choose(contract).of(contract)
    return Served(asked(saved_model), contract, task)


def _of_champion(saved_model: Path) -> Served:
    """The champion, which may be of an earlier release or lack code that is gone: whatever stops it is said."""
    try:
        return _opened(saved_model)
    except Exception as error:
        raise Incomparable(f"the champion does not open: {_first_line(error)}") from error


def _check_alike(old: Served, new: Served, examples: CheckedExamples) -> None:
    """Refuse models that tell different things, and a champion that takes what these rows do not have."""
    if old.task.kind != new.task.kind:
        raise Incomparable(f"the champion is of a {old.task.kind} task, this one of a {new.task.kind} task")
    told = [(label and (label.name, label.classes)) for label in (old.task.label, new.task.label)]
    if told[0] != told[1]:
        raise Incomparable("the champion predicts another label, or other classes")
    if getattr(old.task, "series", None) != getattr(new.task, "series", None):
        raise Incomparable("the champion forecasts another series: step, window, horizon, group or what is known ahead")
    theirs, here = old.contract.features, examples.contract
    missing = [name for name in theirs if name not in here.features and name not in new.contract.features]
    if missing:
        raise Incomparable(f"the champion takes columns that these rows do not have: {listed(missing)}")
    kinds = {**here.features, **new.contract.features}
    other = [n for n, f in theirs.items() if not _takes(f, kinds[n])]
    if other:
        raise Incomparable(f"the champion takes other values of {listed(other)}")


def _takes(wanted: Any, there: Any) -> bool:
    """Whether a feature of the champion's contract can be given a column of the new one."""
    same = wanted.dtype == there.dtype or (wanted.dtype, there.dtype) == ("float", "int")
    return same and wanted.shape == there.shape


def _answers(
    challenge: Challenge, examples: CheckedExamples, split: str, old: Served, new: Served
) -> tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Truth, and the judged answers of both, for the rows that are compared."""
    import numpy as np

    def not_finite(answers: np.ndarray) -> int:
        return int((~np.isfinite(answers)).reshape(len(answers), -1).any(axis=1).sum())

    truths: list[np.ndarray] = []
    parts: tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]] = ([], [])
    for frame in _frames(challenge, examples, split):
        truth, bad = new.task.judged_by(frame)
        if bad.any():
            raise Incomparable(f"{int(bad.sum())} labels cannot be judged")
        truths.append(truth)
        parts[0].append(_by_champion(old, frame))
        parts[1].append(_judged(new, frame))
    if not truths:
        raise Incomparable(f"split {split!r} has no rows")
    joined = [{name: np.concatenate([p[name] for p in side]) for name in side[0]} for side in parts]
    lost = [max(not_finite(answers) for answers in side.values()) for side in joined]
    if lost[1]:
        wanted, fix = "a finite answer to every row", "look at the learning curves of the run"
        raise StepFailed(f"the new model answers {lost[1]} rows with no finite number", wanted, fix)
    if lost[0]:
        raise Incomparable(f"the champion answers {lost[0]} rows with no finite number")
    return np.concatenate(truths), joined[0], joined[1]


def _by_champion(old: Served, frame: pl.DataFrame) -> dict[str, Any]:
    try:
        return _judged(old, frame)
    except Exception as error:
        raise Incomparable(f"the champion does not answer these rows: {_first_line(error)}") from error


def _judged(model: Served, frame: pl.DataFrame) -> dict[str, Any]:
    """The answers that the task looks at, for rows of the examples."""
    import numpy as np

    from kilnworks.components.features.raw import raw_arrays

    answers = model.ask(raw_arrays(model.contract, model.task.requests(frame)))
    return {name: np.asarray(answers[name]) for name in model.task.judged}


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


def gain_of(
    challenge: Challenge,
    metric: Metric,
    settings: JudgeSettings,
    truth: np.ndarray,
    old: tuple[Task, Mapping[str, np.ndarray]],
    new: tuple[Task, Mapping[str, np.ndarray]],
) -> Gain:
    """How much better the new answers are."""
    import numpy as np

    if metric.of is None:
        right = [task.right(metric.name, truth, answers, settings) for task, answers in (old, new)]
        if right[0] is not None and right[1] is not None:
            return share_gain(right[0], right[1], challenge.level)

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
    return resampled_gain(values, len(truth), sign, challenge.resamples, challenge.seed, challenge.level)


def _first_line(error: Exception) -> str:
    text = error.got if isinstance(error, KilnworksError) else f"{type(error).__name__}: {error}"
    return (text.splitlines() or [""])[0][:200]
