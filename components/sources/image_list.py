"""Images that a table names: a CSV file with a column of file names, and usually one of labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.files.table import read_texts
from kilnworks.components.sources.files.text import TextFile
from kilnworks.components.sources.image_files import present, read_images
from kilnworks.components.sources.paths import local, missing_file
from kilnworks.schemas.errors import DataUnreadable
from kilnworks.schemas.words import listed

if TYPE_CHECKING:
    import polars as pl


class ImageListSource(Source):
    """A row a line of the table; its other columns are handed out too."""

    kind: Literal["image_list"] = "image_list"
    path: str
    """The CSV file; relative to the current directory, in a definition to the project."""
    folder: str = ""
    """Where the images lie; by default where the table lies."""
    file: str = "file"
    """Column with the names of the files below ``folder``."""
    image: str = "image"
    """Name of the column with the pixels."""

    def __str__(self) -> str:
        """The path, for messages."""
        return self.path

    def files(self) -> list[Path]:
        """The table, then the images in its order."""
        folder = self._folder()
        return [local(self.path), *(folder / name for name in self._table()[self.file].to_list())]

    def fingerprint(self) -> str:
        """SHA-256 of the table and of the bytes of every image. Raises ``DataUnreadable`` where images are missing."""
        total = hashlib.sha256()
        for file in present(self.files(), "check `folder`"):
            total.update(hashlib.sha256(file.read_bytes()).digest())
        return total.hexdigest()

    def column_names(self, split: str | None = None) -> list[str]:
        """The pixels, and the columns of the table."""
        return [self.image, *(name for name in self._table().columns if name != self.image)]

    def frames(self, wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """Rows in the order of the table; the name of the file is passed over where the contract does not name it."""
        relaxed = Wanted(wanted.columns, wanted.ignore | {self.file}, wanted.any_extra)
        yield from super().frames(relaxed, split)

    def batches(self, names: list[str], wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """Decode batch by batch. Raises ``DataUnreadable`` naming images that are missing or broken."""
        import polars as pl

        for rows in self._table().iter_slices(wanted.batch_rows):
            images: list[pl.Series] = []
            if self.image in names:
                files = present([self._folder() / name for name in rows[self.file].to_list()], "check `folder`")
                images = read_images(files, wanted.columns[self.image])
            told = [rows[name] for name in rows.columns if name != self.image]
            yield pl.DataFrame([*told, *images]).select(*names, *(one.name for one in images[1:]))

    def place(self, row: int, column: str, split: str | None = None) -> str:
        """The image."""
        return str(self._folder() / self._table()[self.file][row])

    def _folder(self) -> Path:
        return local(self.folder) if self.folder else local(self.path).parent

    def _table(self) -> pl.DataFrame:
        """Every column as text. Raises ``DataUnreadable`` where it cannot be read or a file has no name."""
        path = local(self.path)
        if not path.is_file():
            raise missing_file(path)
        table = read_texts(TextFile(path))
        if self.file not in table.columns:
            raise DataUnreadable(f"{path} has no column {self.file!r}", f"one of {listed(table.columns)}", "set `file`")
        if table.is_empty() or table[self.file].null_count():
            raise DataUnreadable(f"{path}: no row, or rows that name no file", "a file in every row", "correct it")
        return table
