"""What counts in a folder: one rule for every source, for ``new``, for checks and for landing folders.

Left out are hidden and system files, names that begin with ``_`` (``_SUCCESS``, ``_temporary``, ``__MACOSX``; an image
may be called so), files that another program still writes, copies that editors keep, and links that lead nowhere. Links
to files and folders are followed, those in a circle once. A file without a byte counts: whoever reads it refuses it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kilnworks.components.sources.files.endings import IMAGES

SYSTEM = frozenset(
    {"thumbs.db", "desktop.ini", "ehthumbs.db", "@eadir", "$recycle.bin", "system volume information", "lost+found"}
)
"""Names, in lower case, that operating systems and file servers leave behind."""
UNFINISHED = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".inprogress", ".swp")
"""Endings under which programs write files that are not complete yet."""
COPIES = (".bak", ".orig", ".old", "~")
"""Endings of copies that editors keep."""


@dataclass(frozen=True)
class Folder:
    """The files below a folder.

    Attributes:
        files: those that count, sorted by path.
        left_out: why the others do not, by path; only those that would count under another name.
    """

    files: tuple[Path, ...]
    left_out: dict[Path, str]

    def words(self, root: Path) -> str:
        """``3 files are left out: 2 hidden (.x/a.csv, ...), 1 unfinished (b.csv.tmp)``; empty where all count."""
        if not self.left_out:
            return ""
        reasons = list(dict.fromkeys(self.left_out.values()))
        parts = [self._reason(reason, root) for reason in reasons]
        count = len(self.left_out)
        return f"{count:,} {'file is' if count == 1 else 'files are'} left out: {', '.join(parts)}"

    def _reason(self, reason: str, root: Path) -> str:
        some = [path for path, why in self.left_out.items() if why == reason]
        first = some[0].relative_to(root).as_posix() + (", ..." if len(some) > 1 else "")
        return f"{len(some):,} {reason} ({first})"


def why_not(name: str) -> str:
    """Why a file or folder of this name does not count; empty where it may."""
    low = name.lower()
    if low.startswith(".") or low in SYSTEM:
        return "hidden"
    if low.endswith(UNFINISHED) or low.startswith("~$"):
        return "unfinished"
    if low.endswith(COPIES) or (low.startswith("#") and low.endswith("#")):
        return "copies of an editor"
    return "hidden" if low.startswith("_") and not low.endswith(IMAGES) else ""


def files_below(root: Path, endings: Sequence[str]) -> Folder:
    """The files with these endings below a folder, to any depth.

    Args:
        root: the folder.
        endings: in lower case, e.g. ``(".csv", ".csv.gz")``.
    """
    counted: list[Path] = []
    left_out: dict[Path, str] = {}
    for path, reason in _walk(root, "", ()):
        if not _true_name(path.name).endswith(tuple(endings)):
            continue
        if reason or not path.is_file():
            left_out[path] = reason or "links that lead nowhere"
        else:
            counted.append(path)
    return Folder(tuple(sorted(counted)), dict(sorted(left_out.items())))


def folders_in(root: Path) -> list[Path]:
    """The folders in a folder that count, sorted by name."""
    return sorted(p for p in root.iterdir() if p.is_dir() and not why_not(p.name))


def _walk(folder: Path, reason: str, above: tuple[tuple[int, int], ...]) -> Iterator[tuple[Path, str]]:
    """Every file, with the reason why it, or a folder that it lies in, does not count."""
    place = folder.stat()
    if (place.st_dev, place.st_ino) in above:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            path, why = folder / entry.name, reason or why_not(entry.name)
            if entry.is_dir():
                yield from _walk(path, why, (*above, (place.st_dev, place.st_ino)))
            else:
                yield path, why


def _true_name(name: str) -> str:
    """The name, in lower case, without the endings of unfinished files and copies."""
    low = name.lower().strip("#")
    return next((low.removesuffix(end) for end in (*UNFINISHED, *COPIES) if low.endswith(end)), low)
