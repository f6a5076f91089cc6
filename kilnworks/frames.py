"""Rows as people hold them in Python, and as Kilnworks reads them."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kilnworks.schemas.errors import DataUnreadable, KilnworksError

if TYPE_CHECKING:
    import polars as pl


_KINDS = "give a Polars or pandas frame, a mapping of columns, a list of rows as mappings, or the path of a file"


@contextmanager
def as_polars(rows: Any) -> Iterator[Path]:
    """A file with the rows, for as long as the block runs; the file itself where ``rows`` is a path.

    Raises:
        DataUnreadable: no table, one without rows, or one whose columns hold values of several types.
    """
    if isinstance(rows, str | os.PathLike) and os.fspath(rows):
        yield Path(rows)
        return
    frame = _frame(rows)
    if frame.is_empty():
        raise DataUnreadable("a table without rows", "at least one row", "look at how the rows were selected")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        frame.write_parquet(path)
        try:
            yield path
        except KilnworksError as error:  # nobody knows that file
            raise error.reworded(error.got.replace(f"{path}: ", "").replace(str(path), "the frame")) from error


def as_given(frame: pl.DataFrame, rows: Any) -> Any:
    """Answers as a frame of the kind that the rows were."""
    if not is_pandas(rows):
        return frame
    answers = frame.to_pandas()
    answers.index = rows.index
    return answers


def is_pandas(rows: Any) -> bool:
    """Whether this is a pandas frame; does not import pandas."""
    pandas = sys.modules.get("pandas")
    return pandas is not None and isinstance(rows, pandas.DataFrame)


def _frame(rows: Any) -> pl.DataFrame:
    import polars as pl

    if isinstance(rows, pl.LazyFrame):
        collected: pl.DataFrame = rows.collect()
        return collected
    if isinstance(rows, pl.DataFrame):
        return rows
    try:
        if is_pandas(rows):
            frame: pl.DataFrame = pl.from_pandas(rows)
            return frame
        if isinstance(rows, Mapping | Sequence) and not isinstance(rows, str | bytes):
            return pl.DataFrame(rows, infer_schema_length=None)
    except Exception as error:  # of Polars and of pyarrow, each in its own words
        reason = str(error).strip().partition("\n")[0]
        raise DataUnreadable(
            f"rows that are no table: {reason}", "one type of value in each column", "convert the column that is named"
        ) from error
    raise DataUnreadable(f"rows as {type(rows).__name__}", "rows of a table", _KINDS)
