"""Rows from CSV files."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from components.sources.base import Source, Wanted
from components.sources.columns import Column
from components.sources.paths import find_files
from schemas.errors import DataUnreadable
from schemas.number_format import NumberFormat

if TYPE_CHECKING:
    import polars as pl

NULL_TEXTS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL")


class CsvSource(Source):
    """One CSV file, a folder of them, or a glob; each file with a header of the same columns.

    Lines without any content (blank, or separators only) are no rows.
    """

    kind: Literal["csv"] = "csv"
    path: str
    """A file, a folder (``*.csv``, ``*.tsv``, ``*.txt``, also ``.gz``) or a glob; relative to the current directory."""
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
        return find_files(self.path, (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz"))

    def date_formats(self) -> dict[str, str]:
        """Those set as ``datetime_formats``."""
        return self.datetime_formats

    def absent_texts(self) -> tuple[str, ...]:
        """The texts set as ``null_values``."""
        return self.null_values

    def number_format(self, column: Column) -> NumberFormat | None:
        """The column's own, else a decimal comma where ``decimal_comma`` says so."""
        return super().number_format(column) or (NumberFormat(decimal=",") if self.decimal_comma else None)

    def column_names(self, split: str | None = None) -> list[str]:
        """The header of the first file; those of the others must be the same."""
        first, *others = self.files()
        header = self._header(first)
        for other in others:
            if (there := self._header(other)) != header:
                raise DataUnreadable(
                    f"{other}: header {', '.join(there)}",
                    f"the header of {first}: {', '.join(header)}",
                    "give all files the same columns in the same order",
                )
        return header

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

        header = self.column_names()
        for file in self.files():
            lines = self._scan(file, dict.fromkeys(header, pl.String())).with_row_index("\0line").collect()
            kept = lines.filter(_filled(header)).get_column("\0line")
            if row < len(kept):
                above = lines.head(kept[row]).select(header)
                breaks = above.select(pl.sum_horizontal(pl.all().str.count_matches("\n").sum())).item() or 0
                return f"line {kept[row] + 2 + breaks} of {file}"
            row -= len(kept)
        return f"row {row + 1}"

    def _file_batches(self, file: Path, names: list[str], wanted: Wanted) -> Iterator[pl.DataFrame]:
        import polars as pl

        texts: dict[str, Any] = dict.fromkeys(self._header(file), pl.String())
        native = {"float": pl.Float64(), "int": pl.Int64()}
        plain = {n for n, column in wanted.columns.items() if self.number_format(column) is None}
        typed = {n: native.get(wanted.columns[n].dtype, t) if n in plain else t for n, t in texts.items()}
        seen = 0
        try:
            for batch in self._collect(file, typed, names, wanted.batch_rows, 0):
                seen += batch.height
                yield batch
        except pl.exceptions.PolarsError as error:
            if "could not parse" not in str(error):
                raise self._broken(file, error) from None
            yield from self._text_batches(file, texts, names, wanted.batch_rows, seen)

    def _text_batches(
        self, file: Path, texts: dict[str, Any], names: list[str], rows: int, skip: int
    ) -> Iterator[pl.DataFrame]:
        import polars as pl

        try:
            yield from self._collect(file, texts, names, rows, skip)
        except pl.exceptions.PolarsError as error:
            raise self._broken(file, error) from None

    def _collect(
        self, file: Path, schema: dict[str, Any], names: list[str], rows: int, skip: int
    ) -> Iterator[pl.DataFrame]:
        frame = self._scan(file, schema).filter(_filled(list(schema))).select(names)
        for batch in (frame.slice(skip) if skip else frame).collect_batches(chunk_size=rows, maintain_order=True):
            yield batch.rechunk()

    def _scan(self, file: Path, schema: dict[str, Any]) -> pl.LazyFrame:
        import polars as pl

        if self.encoding == "utf-8":
            content: Path | io.BytesIO = file
        else:
            content = io.BytesIO(self._text(file).encode())
        return pl.scan_csv(
            content,
            separator=self.separator,
            schema=schema,
            infer_schema=False,
        )

    def _text(self, file: Path) -> str:
        import gzip

        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        try:
            return content.decode(self.encoding)
        except UnicodeDecodeError as error:
            raise _wrong_encoding(file, self.encoding, content, error.start) from None

    def _header(self, file: Path) -> list[str]:
        """The first line as names. Raises ``DataUnreadable`` for an empty file or bytes of another encoding."""
        import gzip

        opener: Any = gzip.open if file.suffix == ".gz" else open
        encoding = "utf-8-sig" if self.encoding == "utf-8" else self.encoding
        try:
            with opener(file, "rt", encoding=encoding, newline="") as handle:
                header = next(csv.reader(handle, delimiter=self.separator), [])
        except UnicodeError:
            self._text(file)
            raise
        except OSError as error:
            raise DataUnreadable(
                f"{file}: {error.strerror or error}", "a readable CSV file", "check the file"
            ) from None
        if not header or header == [""]:
            raise DataUnreadable(f"{file} is empty", "a header and rows", "check how the file was written")
        return header

    def _broken(self, file: Path, error: Exception) -> DataUnreadable:
        """What is wrong with a file that the reader gave up on: its encoding, a line with too many fields, or else."""
        message = str(error).partition("\n")[0]
        width = len(self._header(file))
        reader = csv.reader(io.StringIO(self._text(file), newline=""), delimiter=self.separator)
        for fields in reader:
            if len(fields) > width:
                return DataUnreadable(
                    f"{file}: line {reader.line_num} has {len(fields)} fields",
                    f"{width} fields, as in the header",
                    "quote fields that contain the separator, or set the source's `separator`",
                )
        return DataUnreadable(f"{file}: {message}", "a CSV file that can be read", "correct the file")


def _filled(header: list[str]) -> pl.Expr:
    """Rows in which any field is filled; a blank line is no row. One column alone may be empty."""
    import polars as pl

    return ~pl.all_horizontal(pl.col(header).is_null()) if len(header) > 1 else pl.lit(True)


def _wrong_encoding(file: Path, encoding: str, content: bytes, at: int) -> DataUnreadable:
    """The error for bytes that are not of the encoding, with the line and a guess at the right one."""
    line = content.count(b"\n", 0, at) + 1
    guess = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252"
    return DataUnreadable(
        f"{file}: line {line} holds bytes that are not {encoding}",
        f"text in {encoding}",
        f"set the source's `encoding`, for example to {guess}",
    )
