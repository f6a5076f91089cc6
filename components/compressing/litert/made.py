"""The artifact of a conversion: the file, a program that runs it, and what it was held against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kilnworks.components.compressing.footprint import Opened, milliseconds, of_saved_model, packed
from kilnworks.components.compressing.litert.conversion import Converted, convert
from kilnworks.components.compressing.litert.example import how_to
from kilnworks.components.compressing.litert.running import Interpreter
from kilnworks.components.compressing.report import ROWS, answered, saved
from kilnworks.components.compressing.sides import Answered, check_measured, splits_of
from kilnworks.components.exporting.checked import checked_rows
from kilnworks.components.exporting.skew import expected_answers
from kilnworks.components.features.raw import raw_arrays
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.learning.predict import forward, outputs, piece_rows
from kilnworks.components.modeling.kept import load_trained
from kilnworks.components.tasks.choose import task_of
from kilnworks.schemas.errors import SkewDetected
from kilnworks.schemas.files import write_text

if TYPE_CHECKING:
    import polars as pl

    from kilnworks.components.judging.settings import JudgeSettings
    from kilnworks.components.tasks.base import Task
    from kilnworks.schemas.artifacts import CheckedExamples, Model

MODEL, HOW = "model.tflite", "litert.py"


def converted(
    model: Model,
    examples: CheckedExamples,
    out: Path,
    settings: JudgeSettings,
    split: str,
    skew_rows: int,
    tolerance: float,
) -> dict[str, Any]:
    """Write ``model.tflite`` and ``litert.py``; returns the content of ``compression.json``.

    Raises:
        ConfigError: a model that LiteRT has no operations for, or that is not judged on rows.
        SkewDetected: the interpreter answers otherwise than the trained model.
    """
    task, transform, trained = task_of(model), FeatureTransform.load(model.transform), load_trained(model)
    check_measured(task, settings, None)
    splits = splits_of(examples, split)
    made = convert(task, transform, trained)
    (out / MODEL).write_bytes(made.content)
    interpreter = Interpreter(made)
    rows = checked_rows(task, transform, examples, split, skew_rows)
    encoded = task.encoded_rows(task.requests(rows), transform)
    apart = _held(task, _given(task, made, transform, rows, interpreter), outputs(forward(trained), encoded), tolerance)
    write_text(out / HOW, how_to(task, made))
    metrics = {s: _metrics(model, examples, s, task, transform, made, interpreter, settings) for s in splits}
    served = Opened(saved(model, out / ".before"))
    try:
        times = _times(task, transform, made, served, interpreter, rows)
    finally:
        served.close()
    before = of_saved_model(out / ".before")
    _remove(out / ".before")
    after = {"bytes": (out / MODEL).stat().st_size, "packed": packed([out / MODEL])}
    models = [
        {"name": name, **side, "milliseconds": t, "metrics": {s: metrics[s][place] for s in splits}}
        for place, (name, side, t) in enumerate(zip(("trained", "litert"), (before, after), times, strict=True))
    ]
    what = "raw features in" if made.part == "whole" else f"encoded tensors in, because {made.why}"
    return {
        "to": "litert",
        "split": split,
        "models": models,
        "part": made.part,
        "said": f"{MODEL}: {what}; largest difference {apart:.2g} on {rows.height:,} {split} rows",
        "inputs": {key: {"name": n, "dtype": d, "shape": list(s)} for key, (n, d, s) in made.inputs.items()},
        "outputs": list(made.outputs),
        "classes": list(task.class_texts),
        "skew": {"rows": rows.height, "max_difference": apart, "tolerance": tolerance},
    }


def _given(
    task: Task, made: Converted, transform: FeatureTransform, rows: pl.DataFrame, interpreter: Interpreter
) -> dict[str, np.ndarray]:
    """The interpreter's answers to rows of the examples."""
    return interpreter.all(_arrays(task, made, transform, rows))


def _arrays(task: Task, made: Converted, transform: FeatureTransform, rows: pl.DataFrame) -> Mapping[str, np.ndarray]:
    requests = task.requests(rows)
    if made.part == "whole":
        return raw_arrays(task.served(transform.contract), requests)
    return task.encoded_rows(requests, transform)


def _held(task: Task, got: Mapping[str, np.ndarray], output: np.ndarray, tolerance: float) -> float:
    """The largest difference of a number. Raises ``SkewDetected``."""
    wanted = expected_answers(task, output)
    worst = 0.0
    for name, values in got.items():
        apart = task.difference(name, values, wanted)
        row = int(np.argmax(apart))
        if not float(apart[row]) <= tolerance:
            raise SkewDetected(
                f"answer {name!r}, row {row}: LiteRT's interpreter gives {values[row]}, the model {wanted[name][row]}",
                f"the same within {tolerance:g}",
                "do not use the file; raise `tolerance` of the conversion only knowingly",
                {"output": name, "row": row, "max_difference": str(float(apart[row])), "tolerance": tolerance},
            )
        worst = max(worst, float(apart[row])) if values.dtype.kind == "f" else worst
    return worst


def _metrics(
    model: Model,
    examples: CheckedExamples,
    split: str,
    task: Task,
    transform: FeatureTransform,
    made: Converted,
    interpreter: Interpreter,
    settings: JudgeSettings,
) -> list[dict[str, float]]:
    """Of the trained model, and of the file, on the same rows."""
    before = answered(model, examples, split)
    parts: list[dict[str, np.ndarray]] = []
    for frame in _frames(task, transform, examples, split):
        _, bad = task.judged_by(frame)
        parts.append({n: v[~bad] for n, v in _given(task, made, transform, frame, interpreter).items()})
    answers = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    judged = {name: answers[name] for name in task.judged if name in answers}
    return [one.metrics(settings) for one in (before, Answered(task, before.truth, judged))]


def _frames(task: Task, transform: FeatureTransform, examples: CheckedExamples, split: str) -> Iterator[pl.DataFrame]:
    from kilnworks.components.learning.windows import encoder_of

    return encoder_of(transform, type(task), examples).frames(examples.files(split), piece_rows(transform))


def _times(
    task: Task, transform: FeatureTransform, made: Converted, served: Opened, interpreter: Interpreter,
    rows: pl.DataFrame,
) -> list[dict[str, float]]:  # fmt: skip
    """Milliseconds of both; where the file takes encoded tensors, its time is without the preprocessing."""
    some = rows.head(ROWS)
    raw = raw_arrays(task.served(transform.contract), task.requests(some))
    own = _arrays(task, made, transform, some)
    together = {("raw", n): v for n, v in raw.items()} | {("own", n): v for n, v in own.items()}

    def side(kind: str, ask: Any) -> Any:
        return lambda request: ask({name: values for (of, name), values in request.items() if of == kind})

    return milliseconds([side("raw", served), side("own", interpreter)], together)


def _remove(folder: Path) -> None:
    from shutil import rmtree

    rmtree(folder)
