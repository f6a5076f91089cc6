"""The one interface of raw data: a source says where data lies and hands it out in columns, batch by batch.

A source is settings first (a frozen ``Config``), so that a pipeline definition can hold it without opening anything.
Readers call, in this order: ``fingerprint`` (what is there), ``splits`` (which parts), ``frames`` (the rows).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, field_validator

from kilnworks.components.dates.parts import FEWEST, MOST
from kilnworks.components.sources.columns import Column, check_columns
from kilnworks.components.sources.made_moments import in_parts, with_moments
from kilnworks.components.sources.made_sequences import in_steps, with_sequences
from kilnworks.components.sources.many_classes import gathered, spelled, with_empty_cells
from kilnworks.schemas.config import Config
from kilnworks.schemas.dates import DateFormat
from kilnworks.schemas.errors import DataUnreadable
from kilnworks.schemas.number_format import NumberFormat

if TYPE_CHECKING:
    import polars as pl

BATCH_ROWS = 250_000
BATCH_BYTES = 64 * 2**20
FEWEST_STEPS = 2
"""Columns that make a sequence, at least."""


@dataclass(frozen=True)
class Wanted:
    """What a reader asks of a source.

    Attributes:
        columns: the columns to hand out, by name, in this order. Optional ones may be absent from the source.
        ignore: columns that may be in the source and are not wanted.
        any_extra: whether unknown columns of the source are passed over without an error.
    """

    columns: dict[str, Column]
    ignore: frozenset[str] = frozenset()
    any_extra: bool = False

    @property
    def batch_rows(self) -> int:
        """Rows of a batch that stays near 64 MiB however wide a row is."""
        row_bytes = sum(column.bytes for column in self.columns.values())
        return max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, row_bytes)))


class Source(Config):
    """Raw data somewhere. Derive, set ``kind``, and write ``files``, ``column_names`` and ``batches``."""

    location_fields: ClassVar[tuple[str, ...]] = ("path",)
    """Settings that say where the data lies; the fingerprint of the bytes stands for them."""
    path_fields: ClassVar[tuple[str, ...]] = ("path", "folder", "data_dir")

    empty_is_null: ClassVar[bool] = False
    """Whether an empty cell is read as null, so that a text without a character cannot be told from none."""

    datetime_formats: dict[str, str] = Field(default_factory=dict)
    """How columns of dates are written in this source where that is neither ISO 8601 nor what the contract's ``dates``
    say: ``{"sold": "%d.%m.%Y"}``, or ``epoch s``, ``epoch ms``, ... for numbers since 1970."""
    number_formats: dict[str, NumberFormat] = Field(default_factory=dict)
    """How numbers are written in this source, by column, where that is neither plainly ``-1234.5`` nor what the
    contract's ``numbers`` say: ``{"price": NumberFormat(thousands=",")}``. A text that is not written so is refused."""

    moments: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Columns of dates that are made of columns of their parts, in this order: ``{"date": ("year", "month", "day")}``;
    hour, minute and second may follow. A row whose parts are no day has none."""

    sequences: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Columns of sequences that are made of columns of numbers, one a step in this order:
    ``{"t": ("t0", "t1", "t2")}``. A number that is missing is a step without a value."""

    @field_validator("sequences")
    @classmethod
    def _known_steps(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for name, steps in value.items():
            if len(steps) < FEWEST_STEPS or len(set(steps)) != len(steps) or name in steps:
                raise ValueError(f"{name!r} of {len(steps)} columns: at least {FEWEST_STEPS}, each once, not itself")
        return value

    @field_validator("moments")
    @classmethod
    def _known_parts(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for name, parts in value.items():
            if not FEWEST <= len(parts) <= MOST or len(set(parts)) != len(parts) or name in parts:
                raise ValueError(f"{name!r} of {len(parts)} columns: year, month, day, and down to second; each once")
        return value

    @field_validator("datetime_formats")
    @classmethod
    def _known_formats(cls, value: dict[str, str]) -> dict[str, str]:
        return {name: DateFormat(format=form).format for name, form in value.items()}

    def identity(self) -> dict[str, Any]:
        """Settings without the location, and the fingerprint of what lies there."""
        settings = super().identity()
        for name in self.location_fields:
            settings.pop(name, None)
        return {**settings, "fingerprint": self.fingerprint()}

    def fingerprint(self) -> str:
        """SHA-256 of the input bytes, file by file; names of folders and times do not count.

        Raises:
            DataUnreadable: nothing is there.
        """
        return fingerprint_files(self.files())

    def files(self) -> list[Path]:
        """The input files in a fixed order. Raises ``DataUnreadable`` where there is none."""
        raise NotImplementedError

    def splits(self) -> tuple[str, ...]:
        """Splits that the source itself has (``train``, ``val``, ``test``); empty where it has none."""
        return ()

    def column_names(self, split: str | None = None) -> list[str]:
        """Names of the columns found there. Raises ``DataUnreadable`` for an empty source."""
        raise NotImplementedError

    def batches(self, names: list[str], wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """Batches of the named columns in the source's own dtypes, in the order of the source."""
        raise NotImplementedError

    def place(self, row: int, column: str, split: str | None = None) -> str:
        """Words for where a value stands, for messages; ``row`` counts from 0 over the whole split."""
        return f"row {row + 1}"

    def absent_texts(self) -> tuple[str, ...]:
        """Texts that mean "missing" in a column that is not text."""
        return ("",)

    def number_format(self, column: Column) -> NumberFormat | None:
        """How the numbers of a column are written: as the source says, else as the contract does; None for plainly."""
        return self.number_formats.get(column.name) or column.number

    def frames(self, wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """The rows in batches, columns in the order and in the dtypes that ``wanted`` asks for.

        Raises:
            DataUnreadable: the source is missing, empty or broken, or a value cannot be held in its dtype.
            DataInvalid: a column is missing or unknown.
        """
        from kilnworks.components.sources.cast import cast_frame

        found = self.column_names(split)
        inside = in_steps(in_parts(spelled(wanted.columns), self.moments), self.sequences)
        check_columns(found, inside, wanted.ignore, str(self), wanted.any_extra)
        names = [name for name in inside if name in found]
        columns = _with_formats(inside, self.datetime_formats)
        seen, schema = 0, None
        for batch in self.batches(names, replace(wanted, columns=inside), split):
            start = seen

            def place(row: int, column: str, start: int = start) -> str:
                return self.place(start + row, column, split)

            known = with_empty_cells(batch, wanted.columns) if self.empty_is_null else batch
            frame = cast_frame(known, columns, place, self.absent_texts(), self.number_format)
            frame = with_sequences(gathered(frame, wanted.columns), wanted.columns, self.sequences)
            frame = with_moments(frame, wanted.columns, self.moments)
            schema = schema or frame.schema
            _refuse_change(schema, frame.schema, place)
            yield frame
            seen += batch.height


def _with_formats(columns: Mapping[str, Column], formats: Mapping[str, str]) -> dict[str, Column]:
    """The columns with the formats of dates that the source has of its own."""
    kinds = ("datetime", "time")
    return {
        name: replace(column, dtype="datetime", written=DateFormat(format=formats[name]))
        if name in formats and column.dtype in kinds
        else column
        for name, column in columns.items()
    }


def _refuse_change(before: Mapping[str, Any], now: Mapping[str, Any], place: Callable[[int, str], str]) -> None:
    """Keys and times are taken as found; raise where what is found changes on the way."""
    for name, dtype in now.items():
        if dtype != before[name]:
            raise DataUnreadable(
                f"column {name!r}: {before[name]} at first, {dtype} from about {place(0, name)} on",
                "values of one type",
                "write the column the same way in all files",
            )


def fingerprint_files(files: Iterable[Path]) -> str:
    """SHA-256 over the content of the files, each hashed by itself so that bytes cannot move between files."""
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as handle:
            total.update(hashlib.file_digest(handle, "sha256").digest())
    return total.hexdigest()
