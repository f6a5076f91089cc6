"""Rows from Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.files.content import read_head, refuse_empty, refuse_other
from kilnworks.components.sources.files.endings import ENDINGS
from kilnworks.components.sources.files.guard import reading
from kilnworks.components.sources.paths import find_files
from kilnworks.schemas.errors import DataUnreadable
from kilnworks.schemas.words import listed

if TYPE_CHECKING:
    import polars as pl

WHOLE = "a whole Parquet file"


class ParquetSource(Source):
    """One Parquet file, a folder of them, or a glob. Lists and encoded images may stand in a column."""

    kind: Literal["parquet"] = "parquet"
    path: str
    """A file, a folder (``*.parquet``, ``*.pq``), or a glob with ``*``; relative to the current directory, in a
    definition to the project. What exists under this very name is meant, whatever characters it holds."""

    def __str__(self) -> str:
        """The path, for messages."""
        return self.path

    def files(self) -> list[Path]:
        """The Parquet files, sorted by name."""
        return find_files(self.path, ENDINGS["parquet"])

    def column_names(self, split: str | None = None) -> list[str]:
        """The columns of the first file, then those that only others have."""
        return list(dict.fromkeys(name for file in self.files() for name in parquet_schema(file)))

    def batches(self, names: list[str], wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """Batches file by file, in the dtypes of the files."""
        import polars as pl

        rows = 0
        for file in self.files():
            found = list(parquet_schema(file))
            lacking = [name for name in names if name not in found]
            if lacking:
                raise DataUnreadable(
                    f"{file} lacks {listed(lacking)}; its columns are {listed(found)}",
                    f"the columns of the other files of {self.path}",
                    "give all files the same columns, in any order",
                )
            with reading(file, WHOLE):
                lazy = pl.scan_parquet(file.absolute(), glob=False).select(names)
                for batch in lazy.collect_batches(chunk_size=wanted.batch_rows, maintain_order=True):
                    rows += batch.height
                    yield batch.rechunk()
        if rows == 0:
            raise DataUnreadable(
                f"{self.path}: columns and no rows", "at least one row", "check how the file was written"
            )


def parquet_schema(file: Path) -> dict[str, pl.DataType]:
    """Columns and dtypes of a file. Raises ``DataUnreadable`` where it is empty, broken or something else."""
    import polars as pl

    head = read_head(file)
    refuse_empty(file, head)
    refuse_other(file, head, "parquet")
    with reading(file, WHOLE):
        return dict(pl.scan_parquet(file.absolute(), glob=False).collect_schema())
