"""``compression.json``: the model as it was and the smaller one, in one table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

from kilnworks.components.challenging.trained import trained_answers
from kilnworks.components.compressing.footprint import Opened, milliseconds, of_saved_model
from kilnworks.components.compressing.sides import Answered
from kilnworks.components.exporting.checked import checked_rows
from kilnworks.components.exporting.signatures import save
from kilnworks.components.features.raw import raw_arrays
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.modeling.compact.int8 import as_stored
from kilnworks.components.modeling.kept import load_trained
from kilnworks.components.tasks.choose import task_of

if TYPE_CHECKING:
    import numpy as np

    from kilnworks.schemas.artifacts import CheckedExamples, Model

FILE = "compression.json"
ROWS = 64
"""Different rows that requests whose time is taken are made of."""


def answered(model: Model, examples: CheckedExamples, split: str) -> Answered:
    """What a trained model answers to a split."""
    return Answered(*trained_answers(model, examples, split))


def requests(model: Model, examples: CheckedExamples, split: str) -> dict[str, np.ndarray]:
    """Some rows of a split as a client sends them, by feature name."""
    task, transform = task_of(model), FeatureTransform.load(model.transform)
    rows = checked_rows(task, transform, examples, split, ROWS)
    return raw_arrays(task.served(model.contract), task.requests(rows))


def saved(model: Model, folder: Path) -> Path:
    """Write a model as a SavedModel into a folder, which is made anew; returns it."""
    rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    save(task_of(model), FeatureTransform.load(model.transform), as_stored(model, load_trained(model)), folder)
    return folder


def served_sides(before: Model, now: Model, raw: Mapping[str, np.ndarray], work: Path) -> list[dict[str, Any]]:
    """Size and speed of both as SavedModels, which are written into ``work`` for it."""
    folders = [saved(model, work / name) for model, name in ((before, "before"), (now, "now"))]
    opened = [Opened(folder) for folder in folders]
    try:
        times = milliseconds(opened, raw)
    finally:
        for one in opened:
            one.close()
    found = [{**of_saved_model(f), "milliseconds": t} for f, t in zip(folders, times, strict=True)]
    for folder in folders:
        rmtree(folder, ignore_errors=True)
    return found
