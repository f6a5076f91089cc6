"""Images in one folder per class, optionally below train, val and test."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.files.folder import folders_in
from kilnworks.components.sources.image_files import images_below, read_images
from kilnworks.components.sources.paths import listed, local, missing_file
from kilnworks.components.sources.splitting.splits import NAMES
from kilnworks.schemas.errors import DataUnreadable

if TYPE_CHECKING:
    import polars as pl


class ImageFolderSource(Source):
    """``ROOT/<class>/<file>`` or ``ROOT/<split>/<class>/<file>``. Columns: ``image``, ``label``, ``file``.

    The names of these three columns can be set. ``file`` is the path below the root, a key where a contract wants one.
    The pixels are decoded, turned upright, and resized to the contract's shape.
    """

    kind: Literal["image_folder"] = "image_folder"
    path: str
    """The root folder; relative to the current directory, in a definition to the project."""
    image: str = "image"
    """Name of the column with the pixels."""
    label: str = "label"
    """Name of the column with the class, which is the name of the folder."""
    file: str = "file"
    """Name of the column with the file's path below the root."""

    def __str__(self) -> str:
        """The path, for messages."""
        return self.path

    def files(self) -> list[Path]:
        """All image files, in the order of their paths."""
        return images_below(self._root())

    def fingerprint(self) -> str:
        """SHA-256 of the paths below the root (they hold class and split) and the bytes."""
        total, root = hashlib.sha256(), self._root()
        for file in self.files():
            total.update(file.relative_to(root).as_posix().encode() + b"\0")
            total.update(hashlib.sha256(file.read_bytes()).digest())
        return total.hexdigest()

    def splits(self) -> tuple[str, ...]:
        """The splits, where the folders below the root are all named like splits."""
        folders = [folder.name for folder in folders_in(self._root())]
        if not folders or any(name.lower() not in NAMES for name in folders):
            return ()
        named = {NAMES[name.lower()] for name in folders}
        return tuple(name for name in ("train", "val", "test") if name in named)

    def column_names(self, split: str | None = None) -> list[str]:
        """The pixels and the class, and the file's name."""
        return [self.image, self.label, self.file]

    def frames(self, wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """Rows in the order of the paths; the file's path is passed over where the contract does not name it."""
        relaxed = Wanted(wanted.columns, wanted.ignore | {self.file}, wanted.any_extra)
        yield from super().frames(relaxed, split)

    def batches(self, names: list[str], wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """Decode batch by batch. Raises ``DataUnreadable`` naming the files that are broken, all of a batch at once."""
        import polars as pl

        files = self.labelled(split)
        for start in range(0, len(files), wanted.batch_rows):
            some = files[start : start + wanted.batch_rows]
            told = {self.label: pl.Series(self.label, [f.parent.name for f in some]), self.file: self._names(some)}
            images = read_images(some, wanted.columns[self.image]) if self.image in names else []
            yield pl.DataFrame([*told.values(), *images]).select(*names, *(one.name for one in images[1:]))

    def place(self, row: int, column: str, split: str | None = None) -> str:
        """The file."""
        return str(self.labelled(split)[row])

    def _root(self) -> Path:
        root = local(self.path)
        if not root.is_dir():
            if not root.exists():
                raise missing_file(root)
            raise DataUnreadable(f"{root} is a file", "a folder of images", "name the folder that it lies in")
        return root

    def _names(self, files: list[Path]) -> pl.Series:
        import polars as pl

        root = self._root()
        return pl.Series(self.file, [f.relative_to(root).as_posix() for f in files])

    def labelled(self, split: str | None = None) -> list[Path]:
        """The images of a split (of all, for None), each in the folder of its class.

        Raises:
            DataUnreadable: an image lies elsewhere, such as in a folder within that of a class.
        """
        root, depth = self._root(), 3 if self.splits() else 2
        files, wrong = [], []
        for file in self.files():
            parts = file.relative_to(root).parts
            if len(parts) != depth:
                wrong.append(file)
            elif split is None or NAMES[parts[0].lower()] == split:
                files.append(file)
        if wrong:
            layout = "<split>/<class>/<file>" if depth == 3 else "<class>/<file>"
            raise DataUnreadable(
                f"not in a class folder: {listed(wrong)}", f"{self.path}/{layout}", "move or remove the files"
            )
        return files
