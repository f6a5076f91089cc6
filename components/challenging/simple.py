"""A trained model against models without a network, on the same rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kilnworks.components.challenging.both import bounds_of
from kilnworks.components.challenging.gain import Gain
from kilnworks.components.challenging.paired import influenced_gain
from kilnworks.components.challenging.settings import Challenge
from kilnworks.components.features.design_matrix import Matrix, matrix, used, width
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.judging.simple_models import CONSTANT, USUAL
from kilnworks.components.tasks.base import Answers, Task
from kilnworks.schemas.decision import Comparand
from kilnworks.schemas.words import figure, signed

if TYPE_CHECKING:
    import polars as pl

VALUES = 10_000_000
"""Values of all training rows together that simple models learn from, at most."""
COMPARED = 20_000
"""Rows behind the bounds of a difference, at most, evenly spread."""
FIRST_ORDER = 2_000
"""Rows from which the influence of each row says what a draw changes; of fewer the metric is computed anew."""
DRAWS = 300
LEVEL = 0.975
"""Confidence of each bound: the two hold the true difference 95 times in 100."""

Frames = Callable[[str], "Iterator[pl.DataFrame]"]
"""From a split to its raw rows, part by part."""


def simple_answers(
    task: Task,
    transform: FeatureTransform,
    frames: Frames,
    split: str,
    train_rows: int,
    most_rows: int,
    names: Collection[str] = USUAL,
) -> dict[str, Answers]:
    """What each simple model of the task answers to the rows of ``split``, [N, ...]; empty where there is none.

    Args:
        task: says which models there are.
        transform: the fitted preprocessing.
        frames: raw rows of a split.
        split: the one that is judged.
        train_rows: of the training split.
        most_rows: of them, learned from at most; evenly spread.
        names: of the models.
    """
    tensors = used(transform.encoded)
    if not tensors or not train_rows or not task.compared:
        return {}
    stride = max(1, -(-train_rows // max(1, min(most_rows, VALUES // width(tensors)))))
    parts, truths, seen = [], [], 0
    for frame in frames("train"):
        chosen = frame[(-seen) % stride :: stride]
        seen += frame.height
        truth, bad = task.judged_by(chosen)
        chosen, truth = chosen.filter(~bad), truth[~bad]
        if len(truth):
            parts.append(matrix(tensors, transform.encode(chosen)))
            truths.append(truth)
    if not parts:
        return {}
    models = task.simple_models(_stacked(parts), np.concatenate(truths), names)
    found: dict[str, list[Answers]] = {name: [] for name in models}
    for frame in frames(split):
        rows = matrix(tensors, transform.encode(frame))
        for name, model in models.items():
            found[name].append(model(rows))
    return {name: {key: np.concatenate([p[key] for p in each]) for key in each[0]} for name, each in found.items()}


def compared(
    task: Task, truth: np.ndarray, ours: Answers, others: Mapping[str, Answers], settings: JudgeSettings
) -> dict[str, Any]:
    """The metrics of simple models, and how much better ours is, for ``simple`` of ``evaluation.json``.

    Returns:
        ``{name: {"metrics": {metric: value}, "gains": {metric: {"value", "low", "high", "method", "rows"}}}}``.
        Values that the rows do not define are left out; a gain is positive where ours is better.
    """
    found = {}
    for name, answers in others.items():
        measured = {m.name: task.value(m, truth, answers, settings) for m in task.metrics_of(settings.top_k)}
        found[name] = {
            "metrics": {metric: value for metric, value in measured.items() if np.isfinite(value)},
            "gains": {metric: _gain(task, metric, truth, answers, ours, settings) for metric in task.compared},
        }
    return found


def checks(
    task: Task, simple: Mapping[str, Any], wanted: tuple[str, ...], values: Mapping[str, Any]
) -> list[Comparand]:
    """What the gate asks: shown to be better than the constant, and not shown to be worse than the others.

    Args:
        task: the first of ``compared`` is what has to be better; the others must not be worse than the constant's.
        simple: as ``compared`` gives it.
        wanted: names of simple models; one that there is not closes the gate.
        values: the metrics of ours: ``{name: {"value"}}``.
    """
    made = []
    for name in wanted:
        for place, metric in enumerate(task.compared):
            if place and name != CONSTANT:
                continue
            made.append(_check(metric, name, simple.get(name), values, surely=name == CONSTANT and not place))
    return made


def _check(
    metric: str, name: str, found: Mapping[str, Any] | None, values: Mapping[str, Any], *, surely: bool
) -> Comparand:
    """One comparison: with ``surely`` the low bound of the gain counts, else the high one."""
    what = f"gain in {metric} over the {name} model"
    gain = (found or {}).get("gains", {}).get(metric) or {}
    low, high, value = gain.get("low"), gain.get("high"), values.get(metric, {}).get("value")
    if found is None or low is None or high is None or value is None:
        why = "there is no such model for this task" if found is None else "these rows do not define it"
        return Comparand(name=what, measured=None, comparison=">=", wanted=0, passed=False, note=why)
    judged = low if surely else high
    side = "must be better beyond chance, so the low end counts" if surely else "must not be worse beyond chance"
    interval = f"95 % interval of the gain {signed(low)} to {signed(high)}"
    note = f"{figure(value)} against {figure(found['metrics'][metric])}, {interval}; {side}"
    passed = judged > 0 if surely else judged >= 0
    return Comparand(name=what, measured=judged, comparison=">=", wanted=0, passed=passed, note=note)


def _gain(
    task: Task, name: str, truth: np.ndarray, theirs: Answers, ours: Answers, settings: JudgeSettings
) -> dict[str, Any]:
    metric = next(m for m in task.metrics_of(settings.top_k) if m.name == name)
    stride = -(-len(truth) // COMPARED)
    some = [{key: np.asarray(value)[::stride] for key, value in each.items()} for each in (theirs, ours)]
    rows, sign = len(truth[::stride]), 1 if metric.better == "max" else -1
    known = [task.influence(name, truth[::stride], answers) for answers in some] if rows >= FIRST_ORDER else []
    if known and known[0] is not None and known[1] is not None:
        return _record(influenced_gain(known[0], known[1], sign, DRAWS, settings.seed, LEVEL), rows)
    challenge = Challenge(metric=name, level=LEVEL, resamples=DRAWS, seed=settings.seed)
    gain = bounds_of(challenge, metric, settings, truth[::stride], (task, some[0]), (task, some[1]))(challenge.level)
    return _record(gain, rows)


def _record(gain: Gain, rows: int) -> dict[str, Any]:
    numbers = {"value": gain.value, "low": gain.low, "high": gain.high}
    finite = {key: float(number) if np.isfinite(number) else None for key, number in numbers.items()}
    return {**finite, "method": gain.method, "rows": rows}


def _stacked(parts: list[Matrix]) -> Matrix:
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    from scipy.sparse import vstack

    return vstack(parts, format="csr")
