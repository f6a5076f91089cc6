"""A data set that comes in parts: one source for each split."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, SerializeAsAny

from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.csv import CsvSource
from kilnworks.components.sources.image_folder import ImageFolderSource
from kilnworks.components.sources.jsonl import JsonLinesSource
from kilnworks.components.sources.npz import NpzSource
from kilnworks.components.sources.parquet import ParquetSource
from kilnworks.schemas.config import accept_any
from kilnworks.schemas.errors import ConfigError

if TYPE_CHECKING:
    import polars as pl

OnePart = Annotated[
    CsvSource | ParquetSource | JsonLinesSource | NpzSource | ImageFolderSource,
    Field(discriminator="kind"),
    SerializeAsAny(),
    accept_any(Source),
]


class GivenSplits(Source):
    """One source a split, e.g. ``train.csv`` and ``test.csv``. Goes with ``split: AsGiven``."""

    location_fields: ClassVar[tuple[str, ...]] = ()

    kind: Literal["splits"] = "splits"
    train: OnePart
    """Rows to learn from."""
    val: OnePart | None = None
    """Rows to choose by; where left out, ``AsGiven`` cuts a share off ``train``."""
    test: OnePart | None = None
    """Rows to judge by; where left out, ``AsGiven`` cuts a share off ``train``."""

    def __str__(self) -> str:
        """The parts, for messages."""
        return ", ".join(f"{name}: {part}" for name, part in self.parts().items())

    def parts(self) -> dict[str, Source]:
        """The sources by split."""
        named: dict[str, Source | None] = {"train": self.train, "val": self.val, "test": self.test}
        return {name: part for name, part in named.items() if part is not None}

    def splits(self) -> tuple[str, ...]:
        """The splits that have a source."""
        return tuple(self.parts())

    def files(self) -> list[Path]:
        """The files of all parts."""
        return [file for part in self.parts().values() for file in part.files()]

    def identity(self) -> dict[str, Any]:
        """The identities of the parts, by split."""
        return {"kind": self.kind, **{name: part.identity() for name, part in self.parts().items()}}

    def column_names(self, split: str | None = None) -> list[str]:
        """The columns of one part."""
        return self._part(split).column_names()

    def frames(self, wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """The rows of one part."""
        return self._part(split).frames(wanted)

    def _part(self, split: str | None) -> Source:
        if split is None or split not in self.parts():
            raise ConfigError(
                f"a source in parts was asked for split {split!r}",
                f"one of {', '.join(self.parts())}",
                "use `split: {kind: given}` with this source",
            )
        return self.parts()[split]
