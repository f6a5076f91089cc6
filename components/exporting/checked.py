"""The rows of a split on which an exported model is held against the trained one, before odd ones are added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kilnworks.schemas.errors import DataUnreadable, UnknownName

if TYPE_CHECKING:
    import polars as pl

    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.tasks.base import Task
    from kilnworks.schemas.artifacts import CheckedExamples


def checked_rows(
    task: Task, transform: FeatureTransform, examples: CheckedExamples, split: str, most: int
) -> pl.DataFrame:
    """The first ``most`` rows of a split; of a series, windows.

    Raises:
        UnknownName: no such split.
        DataUnreadable: it has no rows.
    """
    import polars as pl

    from kilnworks.components.learning.windows import WindowEncoder, encoder_of

    if split not in examples.splits:
        raise UnknownName("split", split, examples.splits)
    encoder = encoder_of(transform, type(task), examples)
    if isinstance(encoder, WindowEncoder):
        windows = next(encoder.frames(examples.files(split), most))
        return windows.select(list(transform.contract.features))
    columns = list(examples.contract.features)
    rows = pl.scan_parquet(examples.files(split), glob=False).select(columns).head(most).collect()
    if rows.is_empty():
        raise DataUnreadable(
            f"split {split!r} has no rows to check the exported model with",
            "at least one row",
            "name another split in the settings of the step",
        )
    return rows
