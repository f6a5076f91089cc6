"""Rows from CSV files."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.columns import Column
from kilnworks.components.sources.files.endings import ENDINGS
from kilnworks.components.sources.files.guard import reading
from kilnworks.components.sources.files.layout import Layout, refuse_repeated
from kilnworks.components.sources.files.table import scan_rows
from kilnworks.components.sources.files.text import TextFile
from kilnworks.components.sources.paths import find_files
from kilnworks.schemas.errors import DataUnreadable
from kilnworks.schemas.number_format import NumberFormat
from kilnworks.schemas.words import listed

if TYPE_CHECKING:
    import polars as pl

NULL_TEXTS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")


class CsvSource(Source):
    """One CSV file, a folder of them, or a glob; each file with a header of the same columns, in any order.

    Lines without any content (blank, or separators only) are no rows, and blank lines may stand above the header.
    A first line ``sep=;``, as Excel writes it, says what stands between the fields of that file. A column without a
    name is passed over.
    """

    empty_is_null: ClassVar[bool] = True

    kind: Literal["csv"] = "csv"
    path: str
    """A file, a folder (``*.csv``, ``*.tsv``, ``*.tab``, ``*.txt``, also ``.gz``), or a glob with ``*``; relative to
    the current directory, in a definition to the project. What exists under this very name is meant, whatever
    characters it holds."""
    separator: str = Field(default=",", min_length=1, max_length=1)
    """The character between fields; a tabulator is ``"\\t"``."""
    encoding: str = "utf-8"
    """Name of the text encoding, as Python knows it. Others than UTF-8 are decoded in memory, one file at a time."""
    null_values: tuple[str, ...] = NULL_TEXTS
    """Texts that mean "missing" in columns that are not text; in text columns only an empty field does."""
    decimal_comma: bool = False
    """Whether numbers are written 1,5 instead of 1.5 in every column without ``number_formats`` of its own."""
    datetime_formats: dict[str, str] = Field(default_factory=dict)
    """How datetimes are written that are not ISO 8601, by column, as Polars reads them: ``{"sold": "%d.%m.%Y"}``."""

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            return codecs.lookup(value).name
        except LookupError:
            raise ValueError("no such text encoding; try utf-8, cp1252, latin-1 or utf-16") from None

    def __str__(self) -> str:
        """The path, for messages."""
        return self.path

    def files(self) -> list[Path]:
        """The CSV files, sorted by name."""
        return find_files(self.path, ENDINGS["csv"])

    def absent_texts(self) -> tuple[str, ...]:
        """The texts set as ``null_values``."""
        return self.null_values

    def number_format(self, column: Column) -> NumberFormat | None:
        """The column's own, else a decimal comma where ``decimal_comma`` says so."""
        return super().number_format(column) or (NumberFormat(decimal=",") if self.decimal_comma else None)

    def column_names(self, split: str | None = None) -> list[str]:
        """The names of the columns, blank ones too: those of the first file, then those that only others have."""
        names: list[str] = []
        for file in self.files():
            found = self._file(file).layout().names
            names += [name for name in found if name not in names] if names else found
        return names

    def batches(self, names: list[str], wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """Batches file by file. Numbers are parsed by the reader; where that fails, text is read and cast later."""
        rows = 0
        for file in self.files():
            for batch in self._file_batches(file, names, wanted):
                rows += batch.height
                yield batch
        if rows == 0:
            raise DataUnreadable(
                f"{self.path}: a header and no rows", "at least one row", "check how the file was written"
            )

    def place(self, row: int, column: str, split: str | None = None) -> str:
        """``line 17 of FILE``: found by counting rows again, only for messages."""
        import polars as pl

        for file in self.files():
            layout = self._file(file).layout()
            header = layout.physical
            lines = self._scan(file, layout, dict.fromkeys(header, pl.String())).with_row_index("\0line").collect()
            kept = lines.filter(_filled(header)).get_column("\0line")
            if row < len(kept):
                above = lines.head(kept[row]).select(header)
                breaks = above.select(pl.sum_horizontal(pl.all().str.count_matches("\n").sum())).item() or 0
                return f"line {kept[row] + layout.above + 1 + breaks} of {file}"
            row -= len(kept)
        return f"row {row + 1}"

    def _file_batches(self, file: Path, names: list[str], wanted: Wanted) -> Iterator[pl.DataFrame]:
        import polars as pl

        text = self._file(file)
        layout = text.layout()
        self._refuse_lacking(file, layout, names)
        text.refuse_ragged(layout)
        texts: dict[str, Any] = dict.fromkeys(layout.physical, pl.String())
        native = {"float": pl.Float64(), "int": pl.Int64()}
        plain = {n for n, column in wanted.columns.items() if self.number_format(column) is None}
        typed = {n: native.get(wanted.columns[n].dtype, t) if n in plain else t for n, t in texts.items()}
        seen = 0
        with reading(file, "a CSV file that can be read", "correct the file"):
            try:
                for batch in self._collect(file, layout, typed, names, wanted.batch_rows, 0):
                    seen += batch.height
                    yield batch
            except pl.exceptions.PolarsError as error:
                if "could not parse" not in str(error):
                    raise
                yield from self._collect(file, layout, texts, names, wanted.batch_rows, seen)

    def _collect(
        self, file: Path, layout: Layout, schema: dict[str, Any], names: list[str], rows: int, skip: int
    ) -> Iterator[pl.DataFrame]:
        frame = self._scan(file, layout, schema).filter(_filled(list(schema))).select(names)
        for batch in (frame.slice(skip) if skip else frame).collect_batches(chunk_size=rows, maintain_order=True):
            yield batch.rechunk()

    def _scan(self, file: Path, layout: Layout, schema: dict[str, Any]) -> pl.LazyFrame:
        return scan_rows(self._file(file).content(), layout, schema)

    def _file(self, file: Path) -> TextFile:
        return TextFile(file, self.encoding, self.separator)

    def _refuse_lacking(self, file: Path, layout: Layout, names: list[str]) -> None:
        """Raise where a file has not all of the columns, or one of them twice."""
        refuse_repeated(layout.names, file, names)
        lacking = [name for name in names if name not in layout.names]
        if lacking:
            raise DataUnreadable(
                f"{file} lacks {listed(lacking)}; its columns are {listed(layout.names)}",
                f"the columns of the other files of {self.path}",
                "give all files the same columns, in any order, and each a header",
            )


def _filled(header: list[str]) -> pl.Expr:
    """Rows in which any field is filled; a blank line is no row. One column alone may be empty."""
    import polars as pl

    return ~pl.all_horizontal(pl.col(header).is_null()) if len(header) > 1 else pl.lit(True)
