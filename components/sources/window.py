"""Rows of a stretch of time alone: a source seen through a window over its time column."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import AwareDatetime, model_validator

from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.columns import Column
from kilnworks.schemas.config import Config
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.dates import DateFormat
from kilnworks.schemas.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl


class Window(Config):
    """A stretch of time: from ``start`` on, up to ``end`` without it."""

    start: AwareDatetime
    """First moment that belongs to it, with its offset from UTC."""
    end: AwareDatetime
    """First moment that no longer does."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end <= self.start:
            raise ValueError(f"a window from {self.start} to {self.end} is empty; the end comes after the start")
        return self

    def identity(self) -> dict[str, Any]:
        """The same for two ways to write the same moments."""
        return {"start": self.start.astimezone(UTC).isoformat(), "end": self.end.astimezone(UTC).isoformat()}


class SourceInWindow(Source):
    """Another source of which only the rows of a window are handed out; rows without a time are not."""

    source: Source
    column: str
    """The time column: datetimes in UTC, or seconds since 1970."""
    written: DateFormat | None = None
    """How the time column is written, as the contract says."""
    window: Window

    def files(self) -> list[Path]:
        """Those of the source."""
        return self.source.files()

    def splits(self) -> tuple[str, ...]:
        """Those of the source."""
        return self.source.splits()

    def column_names(self, split: str | None = None) -> list[str]:
        """Those of the source."""
        return self.source.column_names(split)

    def frames(self, wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """Batches of the source without the rows outside of the window; empty batches are handed out too."""
        asked = wanted
        if self.column not in wanted.columns:
            dtype: Literal["datetime", "time"] = "time" if self.written is None else "datetime"
            columns = {**wanted.columns, self.column: Column(self.column, dtype, written=self.written)}
            asked = Wanted(columns, wanted.ignore, wanted.any_extra)
        for frame in self.source.frames(asked, split):
            inside = frame.filter(self.inside(frame.get_column(self.column)))
            yield inside if self.column in wanted.columns else inside.drop(self.column)

    def inside(self, moments: pl.Series) -> pl.Series:
        """Which of these moments lie in the window; a missing one does not."""
        start, end = self.window.start.astimezone(UTC), self.window.end.astimezone(UTC)
        if moments.dtype.is_temporal():
            low, high = start.replace(tzinfo=None), end.replace(tzinfo=None)
            return ((moments >= low) & (moments < high)).fill_null(False)
        return ((moments >= start.timestamp()) & (moments < end.timestamp())).fill_null(False)


def in_window(source: Source, window: Window | None, contract: Contract) -> Source:
    """The source, seen through the window where there is one.

    Raises:
        ConfigError: the contract has no time column.
    """
    if window is None:
        return source
    if contract.time is None:
        raise ConfigError(
            f"a window is set and contract {contract.name!r} has no time column",
            "time: COLUMN in the contract",
            "name the column in the contract, or leave the window out",
        )
    written = contract.dates.get(contract.time)
    return SourceInWindow(source=source, column=contract.time, written=written, window=window)


def as_window(text: str) -> Window:
    """``START/END`` in ISO 8601 as a window; a moment without an offset is UTC.

    Raises:
        ConfigError: it is not written so, or the end is not after the start.
    """
    start, slash, end = text.partition("/")
    try:
        moments = [datetime.fromisoformat(part.strip()) for part in (start, end)]
    except ValueError:
        moments = []
    if not slash or not moments:
        raise ConfigError(f"interval {text!r}", "START/END, e.g. 2026-01-01/2026-02-01", "write both moments")
    first, last = (moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in moments)
    if last <= first:
        raise ConfigError(f"interval {text!r} ends before it begins", "START/END with END after START", "swap them")
    return Window(start=first, end=last)
