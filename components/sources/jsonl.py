"""Rows from JSON lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from components.sources.base import Source, Wanted
from components.sources.paths import find_files
from schemas.errors import DataUnreadable

if TYPE_CHECKING:
    import polars as pl


class JsonLinesSource(Source):
    """One file of JSON lines, a folder of them, or a glob. A field that an object lacks is missing."""

    kind: Literal["jsonl"] = "jsonl"
    path: str
    """A file, a folder (``*.jsonl``, ``*.ndjson``) or a glob; relative to the current directory."""

    def __str__(self) -> str:
        """The path, for messages."""
        return self.path

    def files(self) -> list[Path]:
        """The files, sorted by name."""
        return find_files(self.path, (".jsonl", ".ndjson", ".jsonlines"))

    def column_names(self, split: str | None = None) -> list[str]:
        """The fields of the first 1,000 objects of every file."""
        names: dict[str, None] = {}
        for file in self.files():
            names.update(dict.fromkeys(self._schema(file)))
        return list(names)

    def batches(self, names: list[str], wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """Batches file by file. A column whose values have several types is read as text and cast later."""
        import polars as pl

        for file in self.files():
            schema = self._schema(file)
            missing = {name: pl.String() for name in names if name not in schema}
            try:
                yield from self._collect(file, {**schema, **missing}, names, wanted.batch_rows)
            except pl.exceptions.PolarsError as error:
                raise _broken(file, error) from None

    def place(self, row: int, column: str, split: str | None = None) -> str:
        """``line 17 of FILE``."""
        for file in self.files():
            with file.open(encoding="utf-8") as handle:
                filled = [number for number, line in enumerate(handle, 1) if line.strip()]
            if row < len(filled):
                return f"line {filled[row]} of {file}"
            row -= len(filled)
        return f"row {row + 1}"

    def _collect(self, file: Path, schema: dict[str, Any], names: list[str], rows: int) -> Iterator[pl.DataFrame]:
        import polars as pl

        lines = pl.scan_ndjson(file, schema=schema, ignore_errors=False).select(names)
        for batch in lines.collect_batches(chunk_size=rows, maintain_order=True):
            yield batch.rechunk()

    def _schema(self, file: Path) -> dict[str, Any]:
        """Dtypes by field, from the first 1,000 lines; text where types are mixed."""
        import polars as pl

        if file.stat().st_size == 0:
            raise DataUnreadable(f"{file} is empty", "one JSON object a line", "check how the file was written")
        try:
            return dict(pl.scan_ndjson(file, infer_schema_length=1000).collect_schema())
        except pl.exceptions.PolarsError as error:
            raise _broken(file, error) from None


def _broken(file: Path, error: Exception) -> DataUnreadable:
    """Name the first line that is not a JSON object, or say what the reader said."""
    with file.open(encoding="utf-8", errors="replace") as handle:
        for number, line in enumerate(handle, 1):
            try:
                value = json.loads(line) if line.strip() else {}
            except ValueError as wrong:
                return DataUnreadable(
                    f"{file}: line {number} is not JSON: {wrong}", "one JSON object a line", "correct the line"
                )
            if not isinstance(value, dict):
                return DataUnreadable(
                    f"{file}: line {number} is {type(value).__name__}, not an object",
                    "one JSON object a line",
                    "correct the line",
                )
    return DataUnreadable(
        f"{file}: {str(error).partition(chr(10))[0]}", "one JSON object a line, of the same types", "correct the file"
    )
