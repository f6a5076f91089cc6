"""Rows from JSON lines: one object a line."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.files.endings import ENDINGS
from kilnworks.components.sources.paths import find_files
from kilnworks.schemas.errors import DataUnreadable

if TYPE_CHECKING:
    import polars as pl


class JsonLinesSource(Source):
    """One file of JSON lines, a folder of them, or a glob.

    A field that an object lacks is missing, wherever in the file it first appears; so are ``null`` and ``NaN``. A field
    whose values have several types is read as text, and then as what the contract says.
    """

    kind: Literal["jsonl"] = "jsonl"
    path: str
    """A file, a folder (``*.jsonl``, ``*.ndjson``, ``*.jsonlines``, ``*.json``, also ``.gz``), or a glob with ``*``;
    relative to the current directory, in a definition to the project. What exists under this very name is meant,
    whatever characters it holds."""

    def __str__(self) -> str:
        """The path, for messages."""
        return self.path

    def files(self) -> list[Path]:
        """The files, sorted by name."""
        return find_files(self.path, ENDINGS["jsonl"])

    def column_names(self, split: str | None = None) -> list[str]:
        """The fields of all objects of all files, in the order in which they appear."""
        from kilnworks.components.sources.files.json_lines import fields

        return list(fields(self.files()))

    def batches(self, names: list[str], wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """Batches file by file; a column has one dtype throughout."""
        import polars as pl

        from kilnworks.components.sources.files.json_lines import column, fields, rows

        files, seen = self.files(), 0
        holds = fields(files)
        for file in files:
            objects = (row for _, row in rows(file))
            while some := list(islice(objects, wanted.batch_rows)):
                seen += len(some)
                yield pl.DataFrame([column(n, [row.get(n) for row in some], holds.get(n, "nothing")) for n in names])
        if seen == 0:
            raise DataUnreadable(f"{self.path} holds no row", "one JSON object a line", "check how it was written")

    def place(self, row: int, column: str, split: str | None = None) -> str:
        """``line 17 of FILE``."""
        from kilnworks.components.sources.files.json_lines import rows

        for file in self.files():
            for number, _ in rows(file):
                if row == 0:
                    return f"line {number} of {file}"
                row -= 1
        return f"row {row + 1}"
