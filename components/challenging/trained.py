"""Two trained models on the same rows of a split, before either is exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kilnworks.components.challenging.both import bounds_of
from kilnworks.components.challenging.gain import Gain
from kilnworks.components.challenging.settings import Challenge
from kilnworks.components.judging.metric import Metric
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.choose import task_of
from kilnworks.schemas.artifacts import Examples, Model

if TYPE_CHECKING:
    import numpy as np

    from kilnworks.components.tasks.base import Task


def trained_gain(before: Model, now: Model, examples: Examples, split: str) -> tuple[Metric, float, float, Gain] | None:
    """How much better one model is than another, by the first metric of their task that is named in headlines.

    Args:
        before: a model.
        now: another one of the same task.
        examples: rows that both take.
        split: which of them.

    Returns:
        The metric, its value for both, and the gain with its bounds; None where the task has no metric.
    """
    settings, challenge = JudgeSettings(), Challenge()
    old, new = trained_answers(before, examples, split), trained_answers(now, examples, split)
    task = new[0]
    known = {metric.name: metric for metric in task.metrics_of(settings.top_k)}
    name = next((name for name in task.headline if name in known), next(iter(known), None))
    if name is None:
        return None
    metric, truth = known[name], new[1]
    values = [one.value(metric, truth, answers, settings) for one, _, answers in (old, new)]
    gain = bounds_of(challenge, metric, settings, truth, (old[0], old[2]), (task, new[2]))(challenge.level)
    return metric, values[0], values[1], gain


def trained_answers(model: Model, examples: Examples, split: str) -> tuple[Task, np.ndarray, dict[str, Any]]:
    """The task, the truth and the judged answers of a model to the rows of a split that can be judged, [rows]."""
    import numpy as np
    import polars as pl

    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.learning.predict import answered, forward, outputs, piece_rows
    from kilnworks.components.learning.windows import encoder_of
    from kilnworks.components.modeling.kept import load_trained

    task, transform = task_of(model), FeatureTransform.load(model.transform)
    encoder = encoder_of(transform, type(task), examples)
    run = forward(load_trained(model), transform)
    columns = list(dict.fromkeys([*task.needed(model.contract)])) or [*model.contract.features][:1]
    frames, parts = [], []
    for frame in encoder.frames(examples.files(split), piece_rows(transform)):
        parts.append(outputs(run, encoder.encode(frame)))
        frames.append(frame.select(columns))
    truth, bad = task.judged_by(pl.concat(frames))
    answers = {name: np.asarray(value)[~bad] for name, value in answered(task, np.concatenate(parts)).items()}
    return task, truth[~bad], answers
