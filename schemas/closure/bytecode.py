"""A project's modules run as their source stands, never from bytecode of what the source was a moment ago.

Python takes a ``.pyc`` for its source's where the size and the time of change **in whole seconds** are the same (PEP
552, "timestamp-based"). A definition that is edited right after it was imported, ``0.1`` to ``0.2``, is such a case:
the run would note the new source as what it was made of, and do what the old one said. Inside watched folders a
``.pyc`` counts only if it was written clearly later than its source was changed; any other is compiled anew.
"""

import importlib
import sys
from importlib import machinery
from importlib.abc import PathEntryFinder
from pathlib import Path

CLEARLY_LATER = 2_000_000_000
"""Nanoseconds; file systems keep the time of change to 2 s (FAT) or finer."""
_watched: set[Path] = set()


def distrust_bytecode(folder: Path) -> None:
    """Watch a folder: modules below it that are imported from now on are checked. Installed packages are left out."""
    folder = folder.resolve()
    if folder in _watched:
        return
    _watched.add(folder)
    if _finder not in sys.path_hooks:
        sys.path_hooks.insert(0, _finder)
    for place in [place for place in sys.path_importer_cache if _is_watched(place)]:
        del sys.path_importer_cache[place]
    importlib.invalidate_caches()


class _SourceLoader(machinery.SourceFileLoader):
    """Python's own, without bytecode that may be of an earlier version of the source."""

    def get_data(self, path: str) -> bytes:
        if path.endswith(tuple(machinery.BYTECODE_SUFFIXES)) and not _is_later(path, self.path):
            raise OSError(f"{path} may be of an earlier version of {self.path}")  # ``SourceLoader`` then compiles
        return super().get_data(path)


def _is_later(bytecode: str, source: str) -> bool:
    return Path(bytecode).stat().st_mtime_ns - Path(source).stat().st_mtime_ns > CLEARLY_LATER


_of_folder = machinery.FileFinder.path_hook(
    (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
    (_SourceLoader, machinery.SOURCE_SUFFIXES),
    (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
)


def _finder(place: str) -> PathEntryFinder:
    """A hook of ``sys.path_hooks``."""
    if not _is_watched(place):
        raise ImportError(f"{place} is not watched")
    return _of_folder(place)


def _is_watched(place: str) -> bool:
    path = Path(place).resolve()
    return "site-packages" not in path.parts and not _watched.isdisjoint((path, *path.parents))
