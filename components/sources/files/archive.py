"""A ``.zip`` or ``.tar.gz`` of images, unpacked beside itself once, without trusting what it says.

Only regular files with the ending of an image or of a table are taken, under their own relative names. Nothing leaves
the folder: a name that points outside of it, a link or a device ends the unpacking. The folder appears whole, by one
rename, and bears a digest of the archive, so that another archive of the same name is unpacked anew.
"""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from kilnworks.components.sources.files.endings import IMAGES
from kilnworks.components.sources.files.guard import reading
from kilnworks.schemas.errors import DataUnreadable

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
"""Endings of archives, in lower case."""
TAKEN = (*IMAGES, ".csv")
"""Endings of what is unpacked; other files are passed over."""
MOST_FILES = 1_000_000
MOST_BYTES = 64 * 2**30
"""Of all files together, unpacked."""
RATIO = 200
"""How many times as large as the archive its files may be together; images are compressed already."""
SMALL = 64 * 2**20
"""Bytes up to which that is not asked."""
_PIECE = 2**20


def is_archive(path: Path) -> bool:
    """Whether a file of this name is an archive that is unpacked."""
    return path.name.lower().endswith(ARCHIVES)


def unpacked(path: Path, into: Path | None = None) -> Path:
    """The folder with the files of an archive, unless that very archive is unpacked there already.

    Args:
        path: ``NAME.zip``, ``.tar``, ``.tar.gz`` or ``.tgz``; its files go into ``NAME.unpacked-DIGEST``. A single
            folder around everything is left out.
        into: folder in which that lies; beside the archive where left out.

    Raises:
        DataUnreadable: it is broken, holds no image, points outside of itself, or is larger than the limits.
    """
    if not path.is_file():
        raise DataUnreadable(f"no file {path}", "an archive of images", "check the path")
    home = path.parent if into is None else into
    folder = home / f"{_stem(path)}.unpacked-{_digest(path)}"
    if folder.is_dir():
        return folder
    with tempfile.TemporaryDirectory(dir=home, prefix=f".{_stem(path)}-") as scratch:
        made = Path(scratch) / "files"
        made.mkdir()
        with reading(f"{path} cannot be unpacked", "an archive of images that is whole"):
            _write(path, made)
        if not any(made.iterdir()):
            raise DataUnreadable(f"{path} holds no image", f"files that end with {', '.join(IMAGES)}", "check it")
        try:
            _around(made).rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster
                raise
    return folder


def _around(folder: Path) -> Path:
    """The folder itself, or the one that everything in it lies in, unless that one holds files: then it is a class."""
    while True:
        inner = list(folder.iterdir())
        if len(inner) != 1 or not inner[0].is_dir() or any(p.suffix.lower() in IMAGES for p in inner[0].iterdir()):
            return folder
        folder = inner[0]


def _write(path: Path, folder: Path) -> None:
    size, total = path.stat().st_size, 0
    limit = min(MOST_BYTES, max(SMALL, RATIO * size))
    for count, (name, handle) in enumerate(_members(path), 1):
        place = _place(path, name, folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        with place.open("xb") as out:
            while piece := handle.read(_PIECE):
                total += len(piece)
                if total > limit or count > MOST_FILES:
                    raise DataUnreadable(
                        f"{path} holds more than {limit:,} bytes or {MOST_FILES:,} files, in {size:,}",
                        f"at most {RATIO} times its size, {MOST_BYTES // 2**30} GiB and {MOST_FILES:,} files",
                        "unpack it yourself, if you trust it, and name the folder",
                    )
                out.write(piece)


def _members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Names and contents of what is taken."""
    if path.name.lower().endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                kind = info.external_attr >> 28
                if not info.is_dir():
                    _refuse(path, info.filename, kind not in (0, 8))
                    if _is_taken(info.filename):
                        with archive.open(info) as handle:
                            yield info.filename, handle
        return
    with tarfile.open(path) as tar:
        for member in tar:
            if member.isdir():
                continue
            _refuse(path, member.name, not member.isreg())
            opened = tar.extractfile(member) if _is_taken(member.name) else None
            if opened is not None:
                with opened as handle:
                    yield member.name, handle


def _is_taken(name: str) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in _inside(name).parts)
    return name.lower().endswith(TAKEN) and not hidden


def _refuse(path: Path, name: str, link: bool) -> None:
    """Raise ``DataUnreadable`` for what is no regular file, or leaves the folder by its name."""
    if link:
        raise DataUnreadable(f"{path}: {name!r} is a link or a device", "regular files", "make the archive without it")
    inside = _inside(name)
    if inside.is_absolute() or ".." in inside.parts or ":" in name or "\0" in name:
        raise DataUnreadable(f"{path}: {name!r} points outside of the archive", "names below it", "do not trust it")


def _inside(name: str) -> PurePosixPath:
    """A name with slashes, also where the archive was made by a program that writes backslashes."""
    return PurePosixPath(name.replace("\\", "/"))


def _place(path: Path, name: str, folder: Path) -> Path:
    """Where a file goes. Raises ``DataUnreadable`` for a name that comes twice."""
    place = folder.joinpath(*_inside(name).parts)
    if place.exists():
        raise DataUnreadable(f"{path}: {name!r} is there twice", "each file once", "make the archive again")
    return place


def _stem(path: Path) -> str:
    low = path.name.lower()
    ending = max((e for e in ARCHIVES if low.endswith(e)), key=len)
    return path.name[: -len(ending)]


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()[:12]
