"""What a trained model answers to the rows of a split, for those who judge it; and what stands beside the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.schemas.artifacts import CheckedExamples, Model
from kilnworks.schemas.errors import StepFailed

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from kilnworks.components.tasks.base import Answers, Task


@dataclass(frozen=True)
class SplitAnswers:
    """What came of one pass over a split.

    Attributes:
        frame: the columns to judge and slice by, [N] rows.
        answers: of the task, [N, ...] each.
        uncalibrated: the same without calibration; ``answers`` where there is none.
        explained: which features the answers lean on; empty for windows.
        looks: where the model looks, for images.
    """

    frame: pl.DataFrame
    answers: Answers
    uncalibrated: Answers
    explained: dict[str, Any]
    looks: dict[str, Any]


def split_answers(
    model: Model, task: Task, examples: CheckedExamples, split: str, slices: Sequence[str], settings: JudgeSettings
) -> SplitAnswers:
    """Ask the model for every row of a split; ``slices`` are columns that are wanted besides."""
    import numpy as np
    import polars as pl

    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.learning.explained import ROWS, explained
    from kilnworks.components.learning.predict import answering, forward, outputs, piece_rows
    from kilnworks.components.learning.windows import encoder_of
    from kilnworks.components.modeling.images.pictures import looks
    from kilnworks.components.modeling.kept import load_trained

    transform = FeatureTransform.load(model.transform)
    encoder = encoder_of(transform, type(task), examples)
    trained = load_trained(model)
    run, answered, plainly = forward(trained, transform), answering(task), answering(task.plain)
    needed = [*task.needed(model.contract), *slices] or [*model.contract.features][:1]
    columns = list(dict.fromkeys(needed))
    stride = max(1, examples.rows(split) // ROWS[1])
    frames, parts, plain, some, places, count = [], [], [], [], [], 0
    for file in examples.files(split):
        for frame in encoder.frames([file], piece_rows(transform)):
            output = outputs(run, encoder.encode(frame))
            parts.append(answered(output))
            if task.plain is not task:
                plain.append(plainly(output))
            frames.append(frame.select(columns))
            some.append(frame[::stride])
            places.append(np.arange(count, count + frame.height)[::stride])
            count += frame.height

    def ask(rows: pl.DataFrame) -> Answers:
        return answered(outputs(run, encoder.encode(rows)))

    def together(parts: Sequence[Answers]) -> Answers:
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    windows = model.contract.series is not None
    rows = pl.concat(some)
    told = {} if windows else explained(task, model.contract, rows, ask, settings)
    architecture = model.training.get("config", {}).get("model", {})
    answers = together(parts)
    uncalibrated = answers if task.plain is task else together(plain)
    of_rows = {name: values[np.concatenate(places)] for name, values in answers.items()} if not windows else {}
    seen = {} if windows else looks(trained, transform, task, rows, of_rows, architecture)
    return SplitAnswers(pl.concat(frames), answers, uncalibrated, told, seen)


def some_rows(
    model: Model, task: Task, examples: CheckedExamples, split: str, most: int
) -> tuple[dict[str, NDArray[Any]], NDArray[Any]]:
    """The encoded tensors of a split and what is learned besides, of at most so many rows, evenly spread."""
    import numpy as np

    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.learning.predict import piece_rows
    from kilnworks.components.learning.windows import encoder_of

    if split not in examples.splits or not examples.rows(split):
        raise StepFailed(f"split {split!r} has no rows", "rows to compare with", "change the split or its shares")
    transform = FeatureTransform.load(model.transform)
    encoder = encoder_of(transform, type(task), examples)
    stride, count = -(-examples.rows(split) // most), 0
    arrays, labels = [], []
    for frame in encoder.frames(examples.files(split), piece_rows(transform)):
        some = frame[(-count) % stride :: stride]
        count += frame.height
        if some.height:
            arrays.append(transform.encode(some))
            labels.append(type(task).learned(model.contract, some))
    return {name: np.concatenate([part[name] for part in arrays]) for name in arrays[0]}, np.concatenate(labels)


def encoded_rows(model: Model, task: Task, examples: CheckedExamples, split: str) -> Iterator[dict[str, NDArray[Any]]]:
    """The encoded rows of a split, part by part."""
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.learning.predict import piece_rows
    from kilnworks.components.learning.windows import encoder_of

    transform = FeatureTransform.load(model.transform)
    encoder = encoder_of(transform, type(task), examples)
    return (transform.encode(frame) for frame in encoder.frames(examples.files(split), piece_rows(transform)))
