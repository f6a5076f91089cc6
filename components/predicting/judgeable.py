"""The truth of a split, and answers that can be held against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kilnworks.schemas.errors import StepFailed

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from kilnworks.components.tasks.base import Answers, Task
    from kilnworks.schemas.contract import Contract


def truth_of(frame: pl.DataFrame, task: Task, contract: Contract, split: str) -> NDArray[Any]:
    """What the answers are compared with, [N, ...].

    Raises:
        StepFailed: the split has rows that cannot be judged.
    """
    import polars as pl

    truth, bad = task.judged_by(frame)
    if bad.any():
        rows = frame.filter(pl.Series(bad)).select(task.needed(contract))
        samples = [row[0] if len(row) == 1 else row for row in rows.unique().head(3).rows()]
        raise StepFailed(
            f"{bad.sum()} labels of split {split!r} cannot be judged, e.g. {samples}",
            task.wanted,
            "check the label in the contract and in the source",
        )
    return truth


def check_answers(task: Task, answers: Answers, rows: int) -> None:
    """Refuse answers of another shape, or that are not finite. Raises ``StepFailed``."""
    import numpy as np

    shapes = {answer.name: (rows, *answer.shape) for answer in task.answered}
    for name in answers:
        if name in shapes and answers[name].shape != shapes[name]:
            raise StepFailed(
                f"{name} of shape {list(answers[name].shape)}", f"shape {list(shapes[name])}", "check the model's head"
            )
        lost = int((~np.isfinite(answers[name])).reshape(rows, -1).any(axis=1).sum())
        if lost:
            raise StepFailed(
                f"{lost} of {rows} predictions are NaN or infinite",
                "a finite prediction for every row",
                "look at the learning curves; a lower learning rate or clipping usually helps",
            )
