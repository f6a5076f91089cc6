"""Columns of sequences that a source makes from columns of single numbers (``Source.sequences``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kilnworks.components.sources.columns import Column

if TYPE_CHECKING:
    import polars as pl

Made = Mapping[str, tuple[str, ...]]


def in_steps(columns: Mapping[str, Column], made: Made) -> dict[str, Column]:
    """The columns to read: in place of those that are made, a number for each of their steps."""
    found: dict[str, Column] = {}
    for name, column in columns.items():
        steps = {one: Column(one, "float", (), column.optional, column.sensitive) for one in made.get(name, ())}
        found |= steps or {name: column}
    return found


def with_sequences(frame: pl.DataFrame, columns: Mapping[str, Column], made: Made) -> pl.DataFrame:
    """The wanted columns in their order, sequences among them: float32, NaN where a step is missing."""
    import polars as pl

    wanted = [name for name in columns if name in made and set(made[name]) <= set(frame.columns)]
    if not wanted:
        return frame
    steps = {one for name in wanted for one in made[name]}
    joined = frame.with_columns(
        pl.concat_list(pl.col(one).cast(pl.Float32).fill_null(float("nan")) for one in made[name])
        .list.to_array(len(made[name]))
        .alias(name)
        for name in wanted
    )
    first = [name for name in columns if name in joined.columns]
    return joined.select(*first, *(name for name in joined.columns if name not in steps and name not in columns))
