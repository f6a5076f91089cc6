"""Files too large to hold: rules are counted slice by slice, distributions come from rows spread over the file."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from kilnworks.components.quality.screening.files.reading import FileFacts
from kilnworks.components.quality.screening.files.text_file import TextFacts
from kilnworks.components.sources.files.endings import gzipped, kind_of_name
from kilnworks.components.sources.files.guard import reading
from kilnworks.components.sources.files.layout import refuse_repeated
from kilnworks.components.sources.files.table import scan_rows
from kilnworks.components.sources.files.text import TextFile
from kilnworks.components.sources.parquet import parquet_schema
from kilnworks.schemas.errors import DataUnreadable

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
    if not path.is_file():
        return False
    kind = kind_of_name(path.name)
    if kind == "parquet":
        try:
            with reading(path, "a whole Parquet file"):
                return int(pl.scan_parquet(path.absolute(), glob=False).select(pl.len()).collect().item()) > ROWS
        except DataUnreadable:
            return False
    return kind == "csv" and not gzipped(path.name) and path.stat().st_size > BYTES


def scan(path: Path, delimiter: str | None) -> tuple[pl.LazyFrame, FileFacts]:
    """The rows of a large file, not read yet, and what is known of the file.

    Raises:
        DataUnreadable: the file is broken.
        DataInvalid: a column is there twice.
    """
    suffix = path.suffix.lower()
    if kind_of_name(path.name) == "parquet":
        schema = parquet_schema(path)
        return pl.scan_parquet(path.absolute(), glob=False), FileFacts("parquet", suffix, tuple(schema))
    file = TextFile(path, separator=delimiter or ",")
    layout = file.layout()
    refuse_repeated(layout.names, path)
    found = file.inspect(layout)
    texts = dict.fromkeys(layout.physical, pl.String())
    lazy = scan_rows(path.absolute(), layout, texts, truncate_ragged_lines=True).select(layout.named)
    facts = TextFacts(
        layout.separator,
        ragged=tuple(line - layout.header_line for line, _ in found.wrong),
        ragged_count=found.wrong_count,
        last_short=found.last_short,
        nul=int(found.nul_line > 0),
    )
    return lazy, FileFacts("csv", suffix, tuple(layout.named), facts)


def height(lazy: pl.LazyFrame, path: Path) -> int:
    """Number of rows. Raises ``DataUnreadable`` where the file breaks off."""
    return int(_collected(lazy.select(pl.len()), path).item())


def slices(lazy: pl.LazyFrame, rows: int, path: Path) -> Iterator[tuple[int, pl.DataFrame]]:
    """The rows in order, ``SLICE`` at a time, with the number of rows before each.

    Raises:
        DataUnreadable: the file breaks off.
    """
    for start in range(0, rows, SLICE):
        yield start, _collected(lazy.slice(start, SLICE), path)


def repeats_of(lazy: pl.LazyFrame, column: str, path: Path) -> int:
    """How many rows have a value of the column that another row has too; missing ones apart."""
    value = pl.col(column)
    counted = lazy.select(value).filter(value.is_not_null() & (value.cast(pl.String) != "")).group_by(column).len()
    return int(_collected(counted.filter(pl.col("len") > 1).select(pl.col("len").sum()), path).item())


def _collected(lazy: pl.LazyFrame, path: Path) -> pl.DataFrame:
    try:
        return lazy.collect(engine="streaming")
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> DataUnreadable:
    reason = str(error).splitlines()[0][:200]
    return DataUnreadable(f"{path.name} cannot be read: {reason}", "a whole file", "send it again")


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
