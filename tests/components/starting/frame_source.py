"""A source whose rows lie in memory, for tests of decisions about rows."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from kilnworks.components.sources.base import Source, Wanted


class FrameSource(Source):
    """Hands out one frame; by part where ``parts`` are given."""

    frame: Any = None
    parts: Any = None

    def splits(self) -> tuple[str, ...]:
        return tuple(self.parts or ())

    def column_names(self, split: str | None = None) -> list[str]:
        return self._rows(split).columns

    def batches(self, names: list[str], wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        yield self._rows(split).select(names)

    def _rows(self, split: str | None) -> pl.DataFrame:
        return self.parts[split] if self.parts else self.frame
