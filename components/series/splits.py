"""The splits of examples as one grid, in the order of time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kilnworks.components.series.grid import Grid
from kilnworks.schemas.artifacts import Examples

if TYPE_CHECKING:
    import polars as pl

ORDER = ("train", "val", "test")


def parts_of(examples: Examples) -> list[str]:
    """The splits with rows, in the order of time."""
    return [s for s in ORDER if s in examples.splits and examples.rows(s)]


def grid_of(examples: Examples) -> Grid:
    """All rows of the examples."""
    import polars as pl

    columns = examples.contract.columns
    frames = (pl.scan_parquet(examples.files(s), glob=False).select(columns) for s in parts_of(examples))
    return Grid.of(examples.contract, [frame.collect() for frame in frames])


def split_windows(examples: Examples, split: str, rows: int) -> Iterator[pl.DataFrame]:
    """Windows of a split whose horizons follow one another, at most ``rows`` at a time."""
    grid, series = grid_of(examples), examples.contract.series
    assert series is not None
    return grid.windows(grid.origins(parts_of(examples).index(split), series.horizon), rows)
