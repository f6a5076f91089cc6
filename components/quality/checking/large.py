"""Files too large to hold: rules are counted slice by slice, distributions come from rows spread over the file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from components.quality.checking.reading import FileFacts
from components.quality.checking.text_file import TextFacts
from schemas.errors import DataUnreadable

BYTES = 512 * 2**20
"""Text files above this size, in bytes, are not held in memory as a whole."""
ROWS = 2_000_000
"""Parquet files with more rows than this are not held in memory as a whole."""
SLICE = 250_000
"""Rows of a slice."""
RUN = 1000
"""Neighbouring rows that are taken together."""


def is_large(path: Path) -> bool:
    """Whether a file is to be read in slices."""
    if path.suffix.lower() in (".parquet", ".pq"):
        try:
            return int(pl.scan_parquet(path).select(pl.len()).collect().item()) > ROWS
        except (pl.exceptions.PolarsError, OSError):
            return False
    return path.is_file() and path.stat().st_size > BYTES and path.suffix.lower() in (".csv", ".tsv", ".txt")


def scan(path: Path, delimiter: str | None) -> tuple[pl.LazyFrame, FileFacts]:
    """The rows of a large file, not read yet, and what is known of the file.

    Raises:
        DataUnreadable: the file is broken.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in (".parquet", ".pq"):
            lazy = pl.scan_parquet(path)
            return lazy, FileFacts("parquet", suffix, tuple(lazy.collect_schema().names()))
        separator = delimiter or ","
        lazy = pl.scan_csv(path, separator=separator, infer_schema=False, truncate_ragged_lines=True)
        return lazy, FileFacts("csv", suffix, tuple(lazy.collect_schema().names()), TextFacts(separator))
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0][:200]
        raise DataUnreadable(f"{path.name} cannot be read: {reason}", "a whole file", "send it again") from None


def slices(lazy: pl.LazyFrame, rows: int) -> Iterator[tuple[int, pl.DataFrame]]:
    """The rows in order, ``SLICE`` at a time, with the number of rows before each."""
    for start in range(0, rows, SLICE):
        yield start, lazy.slice(start, SLICE).collect(engine="streaming")


def spread(part: pl.DataFrame, start: int, rows: int, wanted: int) -> pl.DataFrame:
    """Those rows of a slice that belong to about ``wanted`` rows of the file: runs of a thousand neighbours, evenly.

    Args:
        part: the slice.
        start: rows of the file before it.
        rows: rows of the file.
        wanted: rows to be taken of the whole file.
    """
    every = max(1, rows * RUN // wanted)
    position = np.arange(start, start + part.height)
    return part.filter(pl.Series(position % every < RUN))
