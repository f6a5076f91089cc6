"""Columns of dates that a source makes from columns of their parts (``Source.moments``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kilnworks.components.dates.parts import moment_of
from kilnworks.components.sources.columns import Column

if TYPE_CHECKING:
    import polars as pl


def in_parts(columns: Mapping[str, Column], made: Mapping[str, tuple[str, ...]]) -> dict[str, Column]:
    """The columns to read: in place of those that are made, their parts."""
    found = {name: column for name, column in columns.items() if name not in made}
    for name in columns:
        for part in made.get(name, ()):
            found.setdefault(part, Column(part, "key", optional=columns[name].optional))
    return found


def with_moments(
    frame: pl.DataFrame, columns: Mapping[str, Column], made: Mapping[str, tuple[str, ...]]
) -> pl.DataFrame:
    """The wanted columns in their order, those that are made among them."""
    wanted = [name for name in columns if name in made and set(made[name]) <= set(frame.columns)]
    if not wanted:
        return frame
    joined = frame.with_columns(moment_of(name, [frame[part] for part in made[name]]) for name in wanted)
    return joined.select(name for name in columns if name in joined.columns)
