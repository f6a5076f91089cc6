"""``fairness`` of ``evaluation.json``: for every column of slices the gaps between its groups, and their thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.judging.fairness.gaps import Side, gap, influenced, resampled, share
from kilnworks.components.judging.fairness.groups import (
    FALSE_POSITIVE,
    LEAST,
    ODDS,
    RATES,
    SELECTION,
    TRUE_POSITIVE,
    Group,
    counts,
    threshold_for,
)
from kilnworks.schemas.decision import Comparand

if TYPE_CHECKING:
    from kilnworks.components.judging.metric import Metric
    from kilnworks.components.judging.settings import JudgeSettings
    from kilnworks.components.judging.slices import Sliced
    from kilnworks.components.tasks.base import Answers, Task

SLOW_DRAWS = 200
"""Resamples of a metric that is computed anew for each."""
Array = NDArray[Any]


def measures(task: Task, metrics: Sequence[Metric]) -> list[str]:
    """What gaps can be named by: the rates where there is a positive class, and every metric."""
    rates = [*RATES, ODDS] if task.positive else []
    return [*rates, *(metric.name for metric in metrics)]


def fairness(
    task: Task,
    truth: Array,
    answers: Answers,
    groups: Sequence[Group],
    metrics: Sequence[Metric],
    wanted: Sequence[str],
    settings: JudgeSettings,
) -> dict[str, Any]:
    """Gaps between groups of rows, and thresholds by group.

    Args:
        task: of the model.
        truth: [N, ...].
        answers: of the model, [N, ...] each.
        groups: of rows that are large enough.
        metrics: of the task, and those of a user's own.
        wanted: measures that the gate asks for; slow ones are computed for these alone.
        settings: resamples, seed.

    Returns:
        ``gaps`` (``gaps.gap``) and ``thresholds``, empty without a positive class.
    """
    found = []
    flagged = task.flagged(answers)
    if flagged is not None:
        positive = truth == 1
        rates = {name: _rates(name, positive, flagged, groups, settings) for name in RATES}
        found += [*rates.values(), _odds(rates[TRUE_POSITIVE], rates[FALSE_POSITIVE])]
    for metric in metrics:
        sides = _sides(task, metric, truth, answers, groups, metric.name in wanted, settings)
        if sides or metric.name in wanted:
            found.append(gap(metric.name, sides))
    return {"gaps": found, "thresholds": _thresholds(task, truth, answers, flagged, groups)}


def of_columns(
    task: Task,
    truth: Array,
    answers: Answers,
    slices: Sequence[Sliced],
    metrics: Sequence[Metric],
    wanted: Sequence[str],
    settings: JudgeSettings,
) -> list[dict[str, Any]]:
    """``fairness`` of every column, with ``column`` and the groups that are too ``small``: ``[value, rows]`` each."""
    return [
        {
            "column": one.column,
            "small": [list(pair) for pair in one.small],
            **fairness(task, truth, answers, one.groups, metrics, wanted, settings),
        }
        for one in slices
    ]


def checks(
    found: Sequence[Mapping[str, Any]], limits: Mapping[str, float], use: Literal["value", "low"]
) -> list[Comparand]:
    """What the gate asks: that no column has a larger gap.

    Args:
        found: ``column`` and ``gaps`` of each column.
        limits: largest gap that passes, inclusive, by measure.
        use: ``value`` judges the measured gap, ``low`` the worse, here the high, end of its interval.
    """
    made = []
    for column in found:
        by_name = {one["measure"]: one for one in column["gaps"]}
        for name, limit in limits.items():
            one = by_name[name]
            judged = one["value"] if use == "value" else one["high"]
            note = str(one.get("reason", ""))
            if judged is not None:
                pair = (one["most"], one["least"]) if use == "value" else one["widest"]
                note = f"{pair[0]} against {pair[1]}, interval {one['low']:.3g} to {one['high']:.3g}"
            made.append(
                Comparand(
                    name=f"gap in {name} over {column['column']}",
                    measured=judged,
                    comparison="<=",
                    wanted=limit,
                    passed=judged is not None and judged <= limit,
                    note=note,
                )
            )
    return made


def _rates(
    name: str, positive: Array, flagged: Array, groups: Sequence[Group], settings: JudgeSettings
) -> dict[str, Any]:
    rng = np.random.default_rng(settings.seed)
    each = [(group.name, *counts(name, positive[group.rows], flagged[group.rows])) for group in groups]
    return gap(name, [share(who, count, of, settings.resamples, rng, LEAST) for who, count, of in each])


def _odds(*rates: Mapping[str, Any]) -> dict[str, Any]:
    """The larger one of two gaps, with the larger one of each bound; not defined where one of them is not."""
    undefined = next((one for one in rates if one["value"] is None), None)
    if undefined is not None:
        return {**undefined, "measure": ODDS}
    larger = max(rates, key=lambda one: float(one["value"]))
    widest = max(rates, key=lambda one: float(one["high"]))
    ends = {"low": max(one["low"] for one in rates), "high": widest["high"], "widest": widest["widest"]}
    return {**larger, "measure": ODDS, **ends}


def _sides(
    task: Task,
    metric: Metric,
    truth: Array,
    answers: Answers,
    groups: Sequence[Group],
    asked: bool,
    settings: JudgeSettings,
) -> list[Side]:
    """The metric in each group; empty where it is slow and nobody asks for it."""
    rng, draws = np.random.default_rng(settings.seed), settings.resamples

    def part(rows: NDArray[np.intp]) -> tuple[Array, Answers]:
        return truth[rows], {name: values[rows] for name, values in answers.items()}

    def value(rows: NDArray[np.intp]) -> float:
        return task.value(metric, *part(rows), settings) if len(rows) else float("nan")

    right = task.right(metric.name, truth, answers, settings) if metric.of is None else None
    if right is not None:
        each = [(group.name, int(right[group.rows].sum()), len(group.rows)) for group in groups]
        return [share(who, count, of, draws, rng, 1) for who, count, of in each]
    known = [_influence(task, metric, *part(group.rows)) for group in groups] if metric.name in task.headline else []
    if known and all(one is not None for one in known):
        pairs = [one for one in known if one is not None]
        return [influenced(g.name, *one, min(draws, SLOW_DRAWS), rng) for g, one in zip(groups, pairs, strict=True)]
    if not asked:
        return []
    again = partial(resampled, value=value, draws=min(draws, SLOW_DRAWS), rng=rng)
    return [again(group.name, group.rows) for group in groups]


def _influence(task: Task, metric: Metric, truth: Array, answers: Answers) -> tuple[float, Array] | None:
    """The metric of a group with the influence of its rows; NaN where the group has one class alone."""
    if task.positive and len(np.unique(truth)) < 2:
        return float("nan"), np.zeros(len(truth))
    return task.influence(metric.name, truth, answers) if metric.of is None else None


def _thresholds(
    task: Task, truth: Array, answers: Answers, flagged: Array | None, groups: Sequence[Group]
) -> list[dict[str, Any]]:
    """For each group its rates, and the thresholds at which it would have the rates of all groups together."""
    if flagged is None:
        return []
    scores, positive = np.asarray(task.told(answers)), truth == 1
    together = np.concatenate([group.rows for group in groups]) if groups else np.zeros(0, np.intp)
    wanted = {name: counts(name, positive[together], flagged[together]) for name in (SELECTION, TRUE_POSITIVE)}
    found = []
    for group in groups:
        here, said, score = positive[group.rows], flagged[group.rows], scores[group.rows]
        rates = {name: counts(name, here, said) for name in RATES}
        equal = {SELECTION: score, TRUE_POSITIVE: score[here]}
        found.append(
            {
                "group": group.name,
                "rows": len(group.rows),
                "positive": float(here.mean()),
                **{name: count / of if of else None for name, (count, of) in rates.items()},
                "thresholds": {
                    name: threshold_for(wanted[name][0] / wanted[name][1], some)
                    for name, some in equal.items()
                    if len(some) >= LEAST and wanted[name][1]
                },
            }
        )
    return found
