"""Rows from a NumPy archive."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.files.content import read_head, refuse_empty, refuse_other
from kilnworks.components.sources.files.endings import ENDINGS
from kilnworks.components.sources.files.guard import reading
from kilnworks.components.sources.paths import find_files
from kilnworks.schemas.errors import DataUnreadable, UnknownName

if TYPE_CHECKING:
    import polars as pl

_WHOLE = "plain arrays written by numpy.savez"


class NpzSource(Source):
    """One ``.npz`` file: one array a column, rows along the first axis; all arrays equally long."""

    kind: Literal["npz"] = "npz"
    path: str
    """The file; relative to the current directory, in a definition to the project."""
    arrays: dict[str, str] = Field(default_factory=dict)
    """Arrays to read, by the name of their column: ``{"image": "x_train", "label": "y_train"}``; others are left alone.
    Empty: all, under their own names."""

    def __str__(self) -> str:
        """The path, for messages."""
        return self.path

    def files(self) -> list[Path]:
        """The one file."""
        found = find_files(self.path, ENDINGS["npz"])
        if len(found) != 1:
            raise DataUnreadable(f"{self.path} is {len(found)} files", "one .npz file", "name one of them")
        return found

    def column_names(self, split: str | None = None) -> list[str]:
        """The names of the arrays, or those that ``arrays`` gives them.

        Raises:
            UnknownName: ``arrays`` names one that is not there.
        """
        found = list(self._arrays([]))
        for array in self.arrays.values():
            if array not in found:
                raise UnknownName(f"array in {self.path}", array, found)
        return list(self.arrays) or found

    def shapes(self) -> dict[str, tuple[tuple[int, ...], Any]]:
        """Shape and NumPy dtype of every array. Raises ``DataUnreadable`` where one cannot be read."""
        return {name: (array.shape, array.dtype) for name, array in self._arrays(self.column_names()).items()}

    def batches(self, names: list[str], wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """Slices of the arrays; values of shape (1,) where one value is wanted are that value."""
        import polars as pl

        arrays = self._arrays(names)
        self._refuse_lengths(arrays)
        for name in names:
            self._refuse_other_axes(name, arrays[name].shape[1:], wanted.columns[name].shape)
            if not wanted.columns[name].shape and arrays[name].size == len(arrays[name]):
                arrays[name] = arrays[name].reshape(-1)
        total = len(arrays[names[0]])
        for start in range(0, total, wanted.batch_rows):
            with reading(self.path, _WHOLE):
                frame = pl.DataFrame([_series(n, arrays[n][start : start + wanted.batch_rows]) for n in names])
            yield frame

    def _refuse_lengths(self, arrays: dict[str, Any]) -> None:
        single = [name for name, array in arrays.items() if array.ndim == 0]
        if single:
            raise DataUnreadable(
                f"{self.path}: array {single[0]!r} is a single value (it has no dimension)",
                "one value a row",
                "write the file without it",
            )
        rows = {name: len(array) for name, array in arrays.items()}
        if len(set(rows.values())) != 1 or 0 in rows.values():
            shown = ", ".join(f"{name}: {count}" for name, count in rows.items())
            raise DataUnreadable(
                f"{self.path}: rows by array: {shown}",
                "arrays of one length above 0",
                "correct the file; parts such as train and test go into a file each",
            )

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
        head = read_head(file)
        refuse_empty(file, head)
        refuse_other(file, head, "npz")
        with (
            reading(f"{file} cannot be read", _WHOLE),
            file.open("rb") as handle,  # NumPy leaves a broken one open
            np.load(handle, allow_pickle=False) as archive,
        ):
            if not names:
                return dict.fromkeys(archive.files)
            return {name: self._array(archive, self.arrays.get(name, name)) for name in names}

    def _array(self, archive: Any, name: str) -> Any:
        """One array in the byte order of this machine."""
        try:
            array = archive[name]
        except ValueError as error:
            if "pickle" not in str(error):
                raise
            raise DataUnreadable(
                f"{self.path}: array {name!r} holds Python objects", _WHOLE, "give it a dtype, as in x.astype(str)"
            ) from None
        if array.dtype.kind not in "biufSUM":
            raise DataUnreadable(
                f"{self.path}: array {name!r} holds values of dtype {array.dtype}",
                "numbers, texts, true/false or moments",
                "write it as one of these",
            )
        return array.astype(array.dtype.newbyteorder("="), copy=False)


def _series(name: str, values: Any) -> pl.Series:
    """One array as a column; values of rank above 1 as flat arrays, bytes as text."""
    import numpy as np
    import polars as pl

    if values.dtype.kind == "S":
        return pl.Series(name, [text.decode() for text in values.reshape(-1).tolist()])
    if values.dtype.kind == "U":
        return pl.Series(name, values.reshape(-1).tolist())
    if values.dtype.kind == "M":
        return pl.Series(name, values.astype("datetime64[us]"))
    if values.dtype == np.float16 or values.dtype.itemsize > 8:
        values = values.astype(np.float32 if values.dtype == np.float16 else np.float64)
    return pl.Series(name, np.ascontiguousarray(values.reshape(len(values), -1) if values.ndim > 1 else values))
