"""Rows from Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from components.sources.base import Source, Wanted
from components.sources.paths import find_files
from schemas.errors import DataUnreadable

if TYPE_CHECKING:
    import polars as pl


class ParquetSource(Source):
    """One Parquet file, a folder of them, or a glob. Lists and encoded images may stand in a column."""

    kind: Literal["parquet"] = "parquet"
    path: str
    """A file, a folder (``*.parquet``) or a glob; relative to the current directory."""

    def __str__(self) -> str:
        """The path, for messages."""
        return self.path

    def files(self) -> list[Path]:
        """The Parquet files, sorted by name."""
        return find_files(self.path, (".parquet", ".pq"))

    def column_names(self, split: str | None = None) -> list[str]:
        """The columns of the first file. Each file is checked again when it is read."""
        return list(self._schema(self.files()[0]))

    def batches(self, names: list[str], wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """Batches file by file, in the dtypes of the files."""
        import polars as pl

        rows = 0
        for file in self.files():
            lacking = [name for name in names if name not in self._schema(file)]
            if lacking:
                raise DataUnreadable(
                    f"{file} lacks {', '.join(lacking)}",
                    "the columns of the first file",
                    "give all files the same columns",
                )
            try:
                for batch in (
                    pl.scan_parquet(file)
                    .select(names)
                    .collect_batches(chunk_size=wanted.batch_rows, maintain_order=True)
                ):
                    rows += batch.height
                    yield batch.rechunk()
            except (pl.exceptions.PolarsError, OSError) as error:
                raise _broken(file, error) from None
        if rows == 0:
            raise DataUnreadable(
                f"{self.path}: columns and no rows", "at least one row", "check how the file was written"
            )

    def _schema(self, file: Path) -> dict[str, pl.DataType]:
        import polars as pl

        if file.stat().st_size == 0:
            raise DataUnreadable(f"{file} is empty", "a Parquet file", "check how the file was written")
        try:
            return dict(pl.read_parquet_schema(file))
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _broken(file, error) from None


def _broken(file: Path, error: Exception) -> DataUnreadable:
    message = str(error).partition("\n")[0]
    return DataUnreadable(f"{file}: {message}", "a whole Parquet file", "write or copy the file again")
