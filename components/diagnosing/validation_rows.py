"""A closer look at a trained model on its validation rows: what the verdict asks for that a training does not tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from kilnworks.components.challenging.simple import compared, simple_answers
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.judging.simple_models import BOOSTED, CONSTANT, LINEAR
from kilnworks.components.learning.arrays import Encoder
from kilnworks.components.learning.predict import piece_rows, predict
from kilnworks.components.predicting.of_split import split_answers
from kilnworks.components.tasks.choose import task_of
from kilnworks.schemas.artifacts import CheckedExamples, Model

if TYPE_CHECKING:
    from kilnworks.components.judging.metric import Metric
    from kilnworks.components.tasks.base import Answers, Task

ROWS = 10_000
"""Training rows that other models learn from, at most."""
SHUFFLED = 1000
"""Validation rows of which all features but one are shuffled, at most; evenly spread, for rows may be sorted."""
CONFIDENT, FEWEST = 0.2, 25
"""Share of the validation rows with the most confident answers, and how many these are at least."""
Z = 1.959964


def look(model: Model, examples: CheckedExamples, seed: int) -> dict[str, Any]:
    """``leans``, ``confident`` and ``simple`` of ``facts.Facts``, each empty where rows are not judged one by one.

    Args:
        model: trained.
        examples: that it was trained on; the test rows are not read.
        seed: of shuffles.
    """
    task = task_of(model)
    nothing: dict[str, Any] = {"leans": {}, "confident": {}, "simple": {}}
    if "val" not in examples.splits or not examples.rows("val") or not task.compared or model.contract.series:
        return nothing
    settings = JudgeSettings(seed=seed)
    found = split_answers(model, task, examples, "val", (), settings)
    truth, bad = task.judged_by(found.frame)
    if bad.any():
        return nothing
    metric = next(m for m in task.metrics_of(settings.top_k) if m.name == task.compared[0])
    simple = _simple(model, task, examples, truth, found.answers, settings)
    lacked = _lacked(metric, simple.get(CONSTANT, {}))
    return {
        "leans": _leans(model, task, examples, found.explained, metric, lacked, settings),
        "confident": confident(task, truth, found.answers, settings),
        "simple": _better(metric, simple, lacked),
    }


def confident(task: Task, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> dict[str, float]:
    """How many of the most confident answers are wrong; empty where answers are no probabilities of classes.

    Where labels are wrong at random, even the surest rows have the wrong label as often as others (Menon et al. 2015);
    where classes overlap, errors lie where the model is in doubt. ``low`` is Wilson's lower 95 % bound (1927).
    """
    right = task.right("accuracy", truth, answers, settings)
    probabilities = np.asarray(answers.get("probabilities", np.empty(0)))
    many = int(CONFIDENT * len(truth))
    if right is None or probabilities.ndim != 2 or many < FEWEST:
        return {}
    surest = np.argsort(-probabilities.max(axis=1), kind="stable")[:many]
    wrong = float(np.mean(~right[surest]))
    middle, wide = wrong + Z**2 / (2 * many), Z * np.sqrt(wrong * (1 - wrong) / many + Z**2 / (4 * many**2))
    low = float((middle - wide) / (1 + Z**2 / many))
    return {"rows": many, "wrong": wrong, "low": max(0.0, low), "all": float(np.mean(~right))}


def _simple(
    model: Model, task: Task, examples: CheckedExamples, truth: np.ndarray, ours: Answers, settings: JudgeSettings
) -> dict[str, Any]:
    transform = FeatureTransform.load(model.transform)
    encoder, rows = Encoder(transform, type(task)), piece_rows(transform)
    others = simple_answers(
        task,
        transform,
        lambda split: encoder.frames(examples.files(split), rows),
        "val",
        examples.rows("train"),
        ROWS,
        (CONSTANT, LINEAR, BOOSTED),
    )
    return compared(task, truth, ours, others, settings)


def _lacked(metric: Metric, constant: Mapping[str, Any]) -> tuple[float, float] | None:
    """What a constant answer reaches, and how much it lacks of a perfect one; None where that is not defined."""
    value = constant.get("metrics", {}).get(metric.name)
    perfect = 1.0 if metric.better == "max" else 0.0
    return None if value is None or value == perfect else (value, abs(perfect - value))


def _better(metric: Metric, simple: Mapping[str, Any], lacked: tuple[float, float] | None) -> dict[str, Any]:
    """How much better others are than ours, as a share of what the constant lacks."""
    found = {}
    for name in (LINEAR, BOOSTED):
        gain = simple.get(name, {}).get("gains", {}).get(metric.name, {})
        if lacked is not None and all(gain.get(end) is not None for end in ("value", "low", "high")):
            less = {"value": gain["value"], "low": gain["high"], "high": gain["low"]}
            found[name] = {end: -value / lacked[1] for end, value in less.items()}
    return found


def _leans(
    model: Model,
    task: Task,
    examples: CheckedExamples,
    explained: dict[str, Any],
    metric: Metric,
    lacked: tuple[float, float] | None,
    settings: JudgeSettings,
) -> dict[str, Any]:
    """Importance on validation rows, and what the strongest feature reaches alone.

    Empty where that is a text: it is what the model is to read, and no leak of the label.
    """
    import polars as pl

    features = explained.get("features", [])
    if not features or lacked is None or model.contract.features[features[0]["name"]].text:
        return {}
    columns = list(dict.fromkeys([*model.contract.features, *task.needed(model.contract)]))
    every = -(-examples.rows("val") // SHUFFLED)
    rows = pl.scan_parquet(examples.files("val"), glob=False).select(columns).gather_every(every).collect()
    truth, _ = task.judged_by(rows)
    order = np.random.default_rng(settings.seed).permutation(rows.height)
    others = [name for name in model.contract.features if name != features[0]["name"]]
    mixed = rows.with_columns(rows[name][order].alias(name) for name in others)
    sign = 1 if metric.better == "max" else -1

    def skill(frame: pl.DataFrame) -> float:
        return sign * (task.value(metric, truth, predict(model, frame), settings) - lacked[0]) / lacked[1]

    whole, alone = skill(rows), skill(mixed)
    if not np.isfinite([whole, alone]).all():
        return {}
    return {"metric": metric.name, "features": features, "skill": whole, "alone": alone}
