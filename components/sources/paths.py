"""From what a person wrote (file, folder or glob) to the files that are meant."""

import difflib
import glob
from collections.abc import Sequence
from pathlib import Path

from schemas.errors import DataUnreadable

SHOWN = 5
"""Most files that a message names."""


def listed(things: Sequence[object], between: str = ", ") -> str:
    """The first few, and how many more there are."""
    more = f" and {len(things) - SHOWN} more" if len(things) > SHOWN else ""
    return between.join(map(str, things[:SHOWN])) + more


def find_files(path: str, suffixes: tuple[str, ...]) -> list[Path]:
    """The files of a file path, a folder (searched to any depth) or a glob, sorted by name.

    Args:
        path: relative paths count from the current directory; ``~`` is the home directory.
        suffixes: endings that count inside a folder, e.g. ``(".csv", ".csv.gz")``.

    Raises:
        DataUnreadable: nothing is there; the message names the nearest file that exists.
    """
    full = Path(path).expanduser()
    if full.is_file():
        return [full]
    if full.is_dir():
        found = sorted(
            p for p in full.rglob("*") if p.is_file() and p.name.lower().endswith(suffixes) and p.name[0] not in "._"
        )
        if not found:
            raise DataUnreadable(
                f"folder {path} holds no {' or '.join(suffixes)} file", "at least one", "check the path"
            )
        return found
    if glob.has_magic(path):
        root = Path(full.anchor or ".")
        found = sorted(p for p in root.glob(str(full.relative_to(full.anchor))) if p.is_file())
        if not found:
            raise DataUnreadable(f"no file matches {path}", "at least one", "check the pattern")
        return found
    raise missing_file(full)


def missing_file(path: Path) -> DataUnreadable:
    """The error for a path where nothing lies, with the nearest name that exists."""
    folder = path.parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    names = sorted(p.name for p in folder.iterdir() if not p.name.startswith(".")) if folder.is_dir() else []
    wanted_name = path.relative_to(folder).parts[0] if path.is_relative_to(folder) and path != folder else path.name
    like = difflib.get_close_matches(wanted_name, names, n=1, cutoff=0.5)
    fix = f"did you mean {folder / like[0]}?" if like else f"check the path (relative ones count from {Path.cwd()})"
    return DataUnreadable(f"no file or folder {path}", "the data", fix)
