"""Rows from a NumPy archive."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from components.sources.base import Source, Wanted
from components.sources.paths import find_files
from schemas.errors import DataUnreadable

if TYPE_CHECKING:
    import polars as pl


class NpzSource(Source):
    """One ``.npz`` file: one array a column, rows along the first axis; all arrays equally long."""

    kind: Literal["npz"] = "npz"
    path: str
    """The file; relative to the current directory."""

    def __str__(self) -> str:
        """The path, for messages."""
        return self.path

    def files(self) -> list[Path]:
        """The one file."""
        found = find_files(self.path, (".npz",))
        if len(found) != 1:
            raise DataUnreadable(f"{self.path} is {len(found)} files", "one .npz file", "name one of them")
        return found

    def column_names(self, split: str | None = None) -> list[str]:
        """The names of the arrays."""
        return list(self._arrays([]))

    def batches(self, names: list[str], wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """Slices of the arrays."""
        import polars as pl

        arrays = self._arrays(names)
        rows = {name: len(arrays[name]) for name in names}
        if len(set(rows.values())) != 1 or 0 in rows.values():
            shown = ", ".join(f"{name}: {count}" for name, count in rows.items())
            raise DataUnreadable(
                f"{self.path}: rows by array: {shown}", "arrays of one length above 0", "correct the file"
            )
        for name in names:
            self._refuse_other_axes(name, arrays[name].shape[1:], wanted.columns[name].shape)
        total = next(iter(rows.values()))
        for start in range(0, total, wanted.batch_rows):
            yield pl.DataFrame([_series(name, arrays[name][start : start + wanted.batch_rows]) for name in names])

    def _refuse_other_axes(self, name: str, found: tuple[int, ...], shape: tuple[int, ...]) -> None:
        """Raise where as many elements come along other axes, such as width before height; flat ones may come."""
        long, wanted = ([side for side in sides if side != 1] for sides in (found, shape))
        if len(long) > 1 and long != wanted and math.prod(long) == math.prod(wanted):
            raise DataUnreadable(
                f"{self.path}: array {name!r} holds values of shape {' x '.join(map(str, found))}",
                f"shape {' x '.join(map(str, shape))}, as the contract says",
                "swap the axes, or correct the shape in the contract",
            )

    def _arrays(self, names: list[str]) -> dict[str, Any]:
        """The named arrays, or all names with None where none is named. Pickled objects are refused."""
        import numpy as np

        file = self.files()[0]
        try:
            with np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in names} if names else dict.fromkeys(archive.files)
        except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            reason = "holds Python objects" if "pickle" in str(error) else f"cannot be read ({error})"
            raise DataUnreadable(
                f"{file} {reason}", "plain arrays written by numpy.savez", "write the file again"
            ) from None


def _series(name: str, values: Any) -> pl.Series:
    """One array as a column; values of rank above 1 as flat arrays, bytes as text."""
    import numpy as np
    import polars as pl

    if values.dtype.kind in "SUO":
        return pl.Series(name, values.astype(str).tolist())
    if values.dtype.kind == "M":
        return pl.Series(name, values.astype("datetime64[us]"))
    if values.dtype == np.float16:
        values = values.astype(np.float32)
    return pl.Series(name, np.ascontiguousarray(values.reshape(len(values), -1) if values.ndim > 1 else values))
