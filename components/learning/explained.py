"""What a trained model leans on: permutation importance, and partial dependence of the strongest features.

A feature is as important as the metric falls when its values are shuffled among the rows (Breiman 2001; Fisher, Rudin &
Dominici 2019). Partial dependence is the mean answer with a feature set to one value in every row (Friedman 2001). Both
ask the model about rows that it may never see together; features that go with each other share their importance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.base import Answers, Task
from kilnworks.schemas.contract import Contract, Feature

if TYPE_CHECKING:
    import polars as pl

ASKED = 20_000
"""Rows that the model is asked about for all shuffled features together, about."""
ROWS = (100, 1000)
"""Fewest and most rows that are shuffled."""
MOST = 60
"""Features that are looked at, at most: the first ones."""
DRAWN = 4
"""Features whose partial dependence is drawn, at most."""
POINTS, AVERAGED = 12, 200
"""Values of a feature that are set, and rows that are averaged over."""

Ask = Callable[["pl.DataFrame"], Answers]
"""From raw rows to judged answers."""


def explained(
    task: Task, contract: Contract, rows: pl.DataFrame, ask: Ask, settings: JudgeSettings, resamples: int = 0
) -> dict[str, Any]:
    """Importance and partial dependence for ``explained`` of ``evaluation.json``; empty where nothing can be shuffled.

    Args:
        task: of the model; its first metric of ``compared`` is what falls.
        contract: with the features.
        rows: some that are judged, with features and label.
        ask: the model.
        settings: seed, and ``top_k`` of the metrics.
        resamples: bootstrap samples of the rows, the same for all features, behind an interval of each fall; 0: none.

    Returns:
        ``{"metric", "rows", "features": [{"name", "fall", "low", "high"}], "partial": [{"name", "x", "y"}]}``; the
        strongest first, ends only with ``resamples``. A fall is positive where the model is worse without the feature;
        ``x`` are numbers or texts.
    """
    names = [n for n, f in contract.features.items() if not f.shape and n in rows.columns][:MOST]
    if len(names) < 2 or not task.compared or not rows.height:
        return {}
    metric = next(m for m in task.metrics_of(settings.top_k) if m.name == task.compared[0])
    some = rows.head(int(np.clip(ASKED // len(names), *ROWS)))
    truth, bad = task.judged_by(some)
    some, truth = some.filter(~bad), truth[~bad]
    sign, answers = (1 if metric.better == "max" else -1), ask(some)
    whole = task.value(metric, truth, answers, settings)
    rng = np.random.default_rng(settings.seed)
    shuffled = [some.with_columns(some[name][rng.permutation(some.height)].alias(name)) for name in names]
    parts = _asked(ask, shuffled)
    values = [task.value(metric, truth, part, settings) for part in parts]

    def fell(name: str) -> dict[str, float]:
        """The 95 % interval of the fall by one feature."""
        part, draws = parts[names.index(name)], np.random.default_rng([settings.seed, 1])
        found = []
        for _ in range(resamples):
            at = draws.integers(0, len(truth), len(truth))
            before, after = (
                task.value(metric, truth[at], {n: values[at] for n, values in one.items()}, settings)
                for one in (answers, part)
            )
            found.append(sign * (before - after))
        known = np.array(found)[np.isfinite(found)] if found else np.empty(0)
        return (
            dict(zip(("low", "high"), map(float, np.quantile(known, [0.025, 0.975])), strict=True))
            if len(known)
            else {}
        )

    lost = [(name, sign * (whole - value)) for name, value in zip(names, values, strict=True)]
    falls = sorted(((name, fall) for name, fall in lost if np.isfinite(fall)), key=lambda pair: -pair[1])
    found = [{"name": name, "fall": float(fall), **fell(name)} for name, fall in falls]
    strongest = [name for name, fall in falls if fall > 0 and _drawable(contract.features[name])]
    return {
        "metric": metric.name,
        "rows": some.height,
        "features": found,
        "partial": _partial(task, some.head(AVERAGED), strongest[:DRAWN], ask),
    }


def _drawable(feature: Feature) -> bool:
    """Whether values may be shown, and make an axis."""
    return not (feature.sensitive or feature.text or feature.dtype == "datetime")


def _partial(task: Task, rows: pl.DataFrame, names: list[str], ask: Ask) -> list[dict[str, Any]]:
    import polars as pl

    drawn = []
    for name in names:
        values = _values(rows[name])
        set_to = [rows.with_columns(pl.lit(v, dtype=rows.schema[name]).alias(name)) for v in values]
        means = [task.told(answers) for answers in _asked(ask, set_to)]
        if len(values) > 1 and all(mean is not None for mean in means):
            told = [float(np.mean(np.asarray(mean))) for mean in means]
            drawn.append({"name": name, "x": values, "y": told})
    return drawn


def _values(series: pl.Series) -> list[Any]:
    """Quantiles of numbers, 2 % to 98 %, or the most frequent values of others."""
    known = series.drop_nulls()
    if series.dtype.is_numeric():
        kinds = known.unique().sort()
        if len(kinds) <= POINTS:
            return list(kinds.to_list())
        shares = np.linspace(0.02, 0.98, POINTS)
        return sorted({known.quantile(float(share), "nearest") for share in shares})
    return list(known.alias("value").value_counts(sort=True)["value"].head(POINTS).to_list())


def _asked(ask: Ask, frames: list[pl.DataFrame]) -> list[Answers]:
    """The answers to each of some frames of one height, in one go."""
    import polars as pl

    answers, height = ask(pl.concat(frames)), frames[0].height
    return [
        {name: values[i * height : (i + 1) * height] for name, values in answers.items()} for i in range(len(frames))
    ]
