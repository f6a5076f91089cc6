"""Images that a table names: a CSV file with a column of file names, and usually one of labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from components.sources.base import Source, Wanted
from components.sources.paths import missing_file
from schemas.errors import DataUnreadable

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from components.sources.columns import Column

SHOWN = 5


class ImageListSource(Source):
    """A row a line of the table; its other columns are handed out too."""

    kind: Literal["image_list"] = "image_list"
    path: str
    """The CSV file; relative to the current directory."""
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
        return [Path(self.path).expanduser(), *(folder / name for name in self._table()[self.file].to_list())]

    def fingerprint(self) -> str:
        """SHA-256 of the table and of the bytes of every image. Raises ``DataUnreadable`` where images are missing."""
        total = hashlib.sha256()
        for file in self._present(self.files()):
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

        from components.sources.tensors import pixels_series

        for rows in self._table().iter_slices(wanted.batch_rows):
            series = {name: rows[name] for name in rows.columns}
            if self.image in names:
                column = wanted.columns[self.image]
                files = self._present([self._folder() / name for name in rows[self.file].to_list()])
                series[self.image] = pixels_series(column, _decoded(files, column))
            yield pl.DataFrame([series[name] for name in names])

    def place(self, row: int, column: str, split: str | None = None) -> str:
        """The image."""
        return str(self._folder() / self._table()[self.file][row])

    def _folder(self) -> Path:
        return Path(self.folder).expanduser() if self.folder else Path(self.path).expanduser().parent

    def _table(self) -> pl.DataFrame:
        """Every column as text. Raises ``DataUnreadable`` where it cannot be read or a file has no name."""
        import polars as pl

        path = Path(self.path).expanduser()
        if not path.is_file():
            raise missing_file(path)
        try:
            table = pl.read_csv(path, infer_schema=False)
        except pl.exceptions.PolarsError as error:
            reason = str(error).partition("\n")[0]
            raise DataUnreadable(f"{path}: {reason}", "a CSV file", "write the file again") from None
        if self.file not in table.columns:
            raise DataUnreadable(
                f"{path} has no column {self.file!r}", f"one of {', '.join(table.columns)}", "set `file`"
            )
        if table.is_empty() or table[self.file].null_count():
            raise DataUnreadable(f"{path}: no row, or rows that name no file", "a file in every row", "correct it")
        return table

    def _present(self, files: list[Path]) -> list[Path]:
        absent = [str(f) for f in files if not f.is_file()]
        if absent:
            more = f" and {len(absent) - SHOWN} more" if len(absent) > SHOWN else ""
            raise DataUnreadable(
                f"no file {', '.join(absent[:SHOWN])}{more}", "every image that the table names", "check `folder`"
            )
        return files


def _decoded(files: list[Path], column: Column) -> np.ndarray:
    """Pixels [N, H, W, C]."""
    import numpy as np

    from components.sources.images import decode_image

    pixels = np.empty((len(files), *column.shape), dtype=np.uint8)
    for row, file in enumerate(files):
        pixels[row] = decode_image(file.read_bytes(), column.shape, str(file)).pixels
    return pixels
