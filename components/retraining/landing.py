"""Looking at a landing folder, and pinning what lies there. Nothing in the folder is ever moved, changed or deleted."""

import csv
import fnmatch
import gzip
import hashlib
import os
import uuid
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from kilnworks.components.sources.files.endings import gzipped, kind_of_name
from kilnworks.components.sources.files.folder import why_not
from kilnworks.schemas.files import link_or_copy

CHUNK = 2**20
TIMES = ("mtime", "LastModified", "last_modified", "updated", "created", "ETag")


@dataclass(frozen=True)
class Stamp:
    """What tells a file that still grows from one that is complete: bytes, and when it was changed."""

    size: int
    changed: str


class Landing:
    """A folder, local or at any URL that fsspec knows.

    Args:
        url: of the folder; it need not exist yet.
        pattern: names of the files that count, as a glob over the last part of the path.
    """

    def __init__(self, url: str, pattern: str = "*") -> None:
        import fsspec

        self._files, root = fsspec.core.url_to_fs(url)
        self._root, self._pattern = root.rstrip("/"), pattern

    def stamps(self) -> dict[str, Stamp]:
        """Relative path -> stamp of every file that counts, sorted by path."""
        self._files.invalidate_cache()
        if not self._files.isdir(self._root):
            return {}
        found = self._files.find(self._root, detail=True)
        relative = {path[len(self._root) :].lstrip("/"): info for path, info in found.items()}
        return {
            name: _stamp(info) for name, info in sorted(relative.items()) if self._counts(name) and info["size"] != 0
        }

    def pin(self, name: str, stamp: Stamp, blobs: Path) -> str | None:
        """Copy a file's content to ``blobs/<sha256>`` and return the hash; None when it changed meanwhile."""
        blobs.mkdir(parents=True, exist_ok=True)
        scratch = blobs / f".{uuid.uuid4().hex[:8]}.partial"
        path = f"{self._root}/{name}"
        try:
            digest = hashlib.sha256()
            with self._files.open(path, "rb") as source, scratch.open("wb") as target:
                while block := source.read(CHUNK):
                    digest.update(block)
                    target.write(block)
                target.flush()
                os.fsync(target.fileno())
            self._files.invalidate_cache()
            if _stamp(self._files.info(path)) != stamp or scratch.stat().st_size != stamp.size:
                return None
            scratch.chmod(scratch.stat().st_mode & 0o444)
            scratch.replace(blobs / digest.hexdigest())
            return digest.hexdigest()
        except FileNotFoundError:
            return None
        finally:
            scratch.unlink(missing_ok=True)

    def _counts(self, name: str) -> bool:
        return not any(map(why_not, name.split("/"))) and fnmatch.fnmatchcase(name.rpartition("/")[2], self._pattern)


def count_rows(blob: Path, name: str) -> int:
    """Rows of a pinned file, by the ending of its name; a file of another kind, such as an image, counts as one.

    A header line of a CSV file is no row; a broken file counts as none, and the run will say why.
    """
    kind = kind_of_name(name)
    if kind == "parquet":
        return _parquet_rows(blob)
    if kind == "npz":
        return _npz_rows(blob)
    if kind not in ("csv", "jsonl"):
        return 1
    try:
        with _opened(blob, name) as text:
            return _csv_rows(text) if kind == "csv" else _filled_lines(text)
    except (EOFError, zlib.error, OSError, csv.Error):
        return 0


def _csv_rows(text: IO[str]) -> int:
    """Records below the header; a line break within quotes ends none, whatever separates the fields."""
    header = next((line for line in text if line.strip()), "")
    delimiter = max(",;\t|", key=header.count)
    return sum(1 for row in csv.reader(text, delimiter=delimiter) if row)


def _filled_lines(text: IO[str]) -> int:
    return sum(1 for line in text if line.strip())


def link(source: Path, target: Path) -> None:
    """Link or copy a pinned file; a name that is taken gets another one in front."""
    target.parent.mkdir(parents=True, exist_ok=True)
    while target.exists():
        target = target.with_name(f"landed-{target.name}")
    link_or_copy(source, target)


def fingerprint(contents: Iterable[str]) -> str:
    """Name of a set of contents, whatever their order and file names; 64 hexadecimal digits."""
    return hashlib.sha256("\n".join(sorted(set(contents))).encode()).hexdigest()


def _stamp(info: dict[str, Any]) -> Stamp:
    """Size and time of change, whatever the file system calls them; its ETag where it tells no time."""
    changed = next((info[key] for key in TIMES if key in info), "")
    return Stamp(int(info["size"] or 0), str(changed.timestamp() if isinstance(changed, datetime) else changed))


def _opened(blob: Path, name: str) -> IO[str]:
    if gzipped(name):
        return gzip.open(blob, "rt", encoding="utf-8", errors="replace", newline="")
    return blob.open(encoding="utf-8", errors="replace", newline="")


def _npz_rows(blob: Path) -> int:
    """Length of the first array."""
    import numpy as np

    try:
        with blob.open("rb") as raw, np.load(raw, allow_pickle=False) as arrays:
            return len(next(iter(arrays.values()), ()))
    except (EOFError, zlib.error, OSError, ValueError, TypeError, zipfile.BadZipFile):
        return 0


def _parquet_rows(blob: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(blob).num_rows)
    except (pa.ArrowException, OSError):
        return 0
