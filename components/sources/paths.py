"""From what a person wrote (file, folder or glob) to the files that are meant."""

import difflib
from collections.abc import Sequence
from pathlib import Path

from kilnworks.components.sources.files.folder import Folder, files_below, why_not
from kilnworks.components.sources.files.notes import say
from kilnworks.schemas.errors import DataUnreadable
from kilnworks.schemas.places import fetched_by

SHOWN = 5
"""Most files that a message names."""


def listed(things: Sequence[object], between: str = ", ") -> str:
    """The first few, and how many more there are."""
    more = f" and {len(things) - SHOWN} more" if len(things) > SHOWN else ""
    return between.join(map(str, things[:SHOWN])) + more


def local(path: str | Path) -> Path:
    """The path; ``~`` is the home directory, unless something of this very name exists."""
    full = Path(path)
    if not str(path).startswith("~") or full.exists():
        return full
    try:
        return full.expanduser()
    except RuntimeError:  # no such user: then it is a name
        return full


def find_files(path: str, suffixes: tuple[str, ...]) -> list[Path]:
    """The files of a file path, a folder (searched to any depth) or a glob, sorted by name.

    A name is a name: only a path that does not exist and holds a ``*`` is a glob, in which ``?`` and ``[...]`` have
    their meaning too. What counts in a folder says ``files/folder.py``.

    Args:
        path: relative paths count from the current directory; ``~`` is the home directory.
        suffixes: endings that count inside a folder, e.g. ``(".csv", ".csv.gz")``.

    Raises:
        DataUnreadable: nothing is there; the message names the nearest file that exists.
    """
    full = local(path)
    if full.is_file():
        return [full]
    if full.is_dir():
        return list(_in_folder(full, suffixes).files)
    if "*" in path:
        root = next(folder for folder in full.parents if folder.is_dir())
        found = sorted(p for p in root.glob(str(full.relative_to(root))) if p.is_file() and not why_not(p.name))
        if not found:
            raise DataUnreadable(f"no file matches {path}", "at least one", "check the pattern")
        return found
    raise missing_file(full)


def _in_folder(full: Path, suffixes: tuple[str, ...]) -> Folder:
    found = files_below(full, suffixes)
    more = found.words(full)
    if not found.files:
        raise DataUnreadable(
            f"folder {full} holds no {' or '.join(suffixes)} file" + (f" ({more})" if more else ""),
            "at least one",
            "check the path",
        )
    keys = sorted({part.partition("=")[0] for file in found.files for part in _partitions(file, full)})
    if keys:
        raise DataUnreadable(
            f"folder {full} is partitioned: {', '.join(keys)} stand{'s' if len(keys) == 1 else ''} in the names of its "
            f"folders ({_partitions(found.files[0], full)[0]}), not in the files",
            "every column in the files",
            "write the columns into the files, or name one of the partitions alone",
        )
    if more:
        say(f"{full}: {more}")
    return found


def _partitions(file: Path, root: Path) -> list[str]:
    """Folders between root and file that are called ``name=value``."""
    return [part for part in file.relative_to(root).parts[:-1] if "=" in part[1:]]


def missing_file(path: Path) -> DataUnreadable:
    """The error for a path where nothing lies, with the nearest name that exists."""
    folder = path.parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    names = sorted(p.name for p in folder.iterdir() if not p.name.startswith(".")) if folder.is_dir() else []
    wanted_name = path.relative_to(folder).parts[0] if path.is_relative_to(folder) and path != folder else path.name
    like = difflib.get_close_matches(wanted_name, names, n=1, cutoff=0.5)
    fix = f"did you mean {folder / like[0]}?" if like else f"check the path (relative ones count from {Path.cwd()})"
    command = fetched_by(path)
    fix = f"run: {command}" if command else fix
    return DataUnreadable(f"no file or folder {path}", "a file or folder that exists", fix)
