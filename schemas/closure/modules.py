"""Where the source of a module lies, and whether it is ours or that of an installed library. Imports nothing.

A file is a library's if it lies in the standard library, in one of Python's own folders for packages, or in a folder of
``sys.path`` that holds the metadata of installed packages (``*.dist-info``) and belongs to one of them. Everything else
is ours: the project folder, Kilnworks itself, folders of ``PYTHONPATH`` or of a ``.pth`` file, and projects that were
installed in editable mode, whose version does not change when their source does.
"""

import importlib.metadata
import importlib.util
import os
import pkgutil
import site
import stat
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache, cached_property
from importlib.machinery import FileFinder, ModuleSpec
from pathlib import Path

from kilnworks.schemas.places import OWN_FOLDERS, project_root

METADATA = (".dist-info", ".egg-info", ".egg")
"""Endings of what installed packages leave beside themselves."""
HIDDEN = ("site-packages", "dist-packages", "__pycache__")
"""Folders inside a package of ours that hold no source of it."""


class Search:
    """One look at where modules lie: each is looked for once, and so are the project's folder and ``sys.path``."""

    def __init__(self) -> None:
        self._modules: dict[str, ModuleSpec | None] = {}
        self._libraries: dict[tuple[str, str], bool] = {}
        self._foreign: dict[str, bool] = {}
        self._listed: dict[str, frozenset[str] | None] = {}

    def module(self, name: str) -> ModuleSpec | None:
        """Where a module would be imported from; None where there is none, or it is part of Python."""
        if name not in self._modules:
            self._modules[name] = self._look(name)
        return self._modules[name]

    def _look(self, name: str) -> ModuleSpec | None:
        around, _, inner = name.rpartition(".")
        if not around:
            part = inner in sys.builtin_module_names or inner in sys.stdlib_module_names
            return None if part else _loaded(name) or _found(name)
        parent = self.module(around)
        if parent is None or parent.submodule_search_locations is None:
            return None
        folders = [folder for folder in parent.submodule_search_locations if self._may_hold(folder, inner)]
        return _in_folders(name, folders) or _loaded(name)

    def _may_hold(self, folder: str, inner: str) -> bool:
        """Whether a module may lie in a folder: most names behind ``from module import`` are of no module."""
        if folder not in self._listed:
            self._listed[folder] = _stems(folder)
        stems = self._listed[folder]
        return stems is None or inner in stems

    def is_library(self, path: str | Path, top: str) -> bool:
        """Whether a file of the top-level module ``top`` belongs to an installed library."""
        place = str(path)
        folder = os.path.split(place)[0] if _is_plain_file(place) else os.path.realpath(place)
        if (folder, top) not in self._libraries:
            self._libraries[folder, top] = _is_of_library(Path(folder), top, *self._around)
        return self._libraries[folder, top]

    @cached_property
    def _around(self) -> tuple[tuple[str, ...], Path]:
        return tuple(sys.path), project_root()

    def is_foreign(self, spec: ModuleSpec, top: str) -> bool:
        """Whether a module of the top-level module ``top``, or every part of a package, is an installed library's."""
        if spec.name not in self._foreign:
            found = _places(spec)
            self._foreign[spec.name] = bool(found) and all(self.is_library(place, top) for place in found)
        return self._foreign[spec.name]


def find_module(name: str) -> ModuleSpec | None:
    """Where a module would be imported from; None where there is none, or it is part of Python."""
    return Search().module(name)


def source(spec: ModuleSpec) -> tuple[Path, bytes] | None:
    """File and content of a module, also of one in an archive; None for a package without a file of its own."""
    if spec.origin is None or spec.origin in ("built-in", "frozen", "namespace"):
        return None
    path = Path(spec.origin)
    if path.is_file():
        return path, path.read_bytes()
    get_data = getattr(spec.loader, "get_data", None)
    return (path, get_data(spec.origin)) if get_data is not None else None


def places(spec: ModuleSpec) -> list[Path]:
    """File of a module, or folders of a package."""
    return [Path(place) for place in _places(spec)]


def _places(spec: ModuleSpec) -> list[str]:
    if spec.submodule_search_locations is not None:
        return list(spec.submodule_search_locations)
    return [spec.origin] if spec.origin else []


def _is_plain_file(place: str) -> bool:
    """Whether a path is a file itself, and no link to one."""
    with suppress(OSError, ValueError):
        return stat.S_ISREG(os.lstat(place).st_mode)
    return False


def is_library(path: Path, top: str) -> bool:
    """Whether a file of the top-level module ``top`` belongs to an installed library."""
    return Search().is_library(path, top)


@cache
def _is_of_library(folder: Path, top: str, search: tuple[str, ...], root: Path) -> bool:
    """The same for what lies in a folder; ``search`` is ``sys.path``, ``root`` the project's folder."""
    path = folder.resolve()
    library = _deepest(path, _library_folders(search))
    own = _deepest(path, (root, *OWN_FOLDERS))
    if library is None or (own is not None and len(own.parts) > len(library.parts)):
        return False
    return library in _standard_folders() or top in _installed(library)


def is_ours(path: Path) -> bool:
    """Whether a file belongs to this package itself."""
    return any(path.resolve().is_relative_to(folder) for folder in OWN_FOLDERS)


def python_files(folder: Path) -> Iterator[Path]:
    """Every source file below a folder, in a fixed order; hidden folders and packages installed below it left out."""
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in HIDDEN and not name.startswith("."))
        yield from (Path(where, name) for name in sorted(files) if name.endswith(".py"))


def _stems(folder: str) -> frozenset[str] | None:
    """What modules in a folder may be called; None where another than Python's own finder looks into it."""
    if not isinstance(pkgutil.get_importer(folder), FileFinder):
        return None
    with suppress(OSError), os.scandir(folder or ".") as entries:
        return frozenset(entry.name.partition(".")[0] for entry in entries)
    return None


def _in_folders(name: str, folders: Iterable[str]) -> ModuleSpec | None:
    """A module in folders of its package; the first that has a file, or a namespace of all folders of that name.

    ``PathFinder`` finds no namespace inside of one that is not loaded.
    """
    portions: list[str] = []
    for folder in folders:
        finder = pkgutil.get_importer(folder)
        spec = finder.find_spec(name) if finder is not None else None
        if spec is not None and spec.loader is not None:
            return spec
        portions += (spec.submodule_search_locations or ()) if spec is not None else ()
    if not portions:
        return None
    namespace = ModuleSpec(name, None, is_package=True)
    namespace.submodule_search_locations = portions
    return namespace


def _loaded(name: str) -> ModuleSpec | None:
    """The place of a module that is loaded, also of one that no search would find again."""
    module = sys.modules.get(name)
    if module is None:
        return None
    spec, file = getattr(module, "__spec__", None), getattr(module, "__file__", None)
    found = ModuleSpec(name, getattr(spec, "loader", None), origin=getattr(spec, "origin", None) or file)
    found.submodule_search_locations = getattr(module, "__path__", None)
    return found


def _found(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


def _deepest(path: Path, folders: tuple[Path, ...]) -> Path | None:
    around = [folder for folder in folders if path.is_relative_to(folder)]
    return max(around, key=lambda folder: len(folder.parts), default=None)


@cache
def _standard_folders() -> tuple[Path, ...]:
    paths = sysconfig.get_paths()
    named = [paths[key] for key in ("purelib", "platlib", "stdlib", "platstdlib")]
    return tuple(Path(p).resolve() for p in [*named, *site.getsitepackages(), site.getusersitepackages()])


@cache
def _library_folders(search: tuple[str, ...]) -> tuple[Path, ...]:
    """Folders in which installed packages lie; ``search`` is ``sys.path``."""
    holding = (Path(entry).resolve() for entry in search if entry and _holds_metadata(Path(entry)))
    return tuple(dict.fromkeys([*_standard_folders(), *holding]))


def _holds_metadata(folder: Path) -> bool:
    """Whether packages were installed here; ``NAME.egg-info`` without a version lies in a source tree."""
    if folder.suffix == ".egg":
        return True
    if not folder.is_dir():
        return False
    with os.scandir(folder) as entries:
        return any(e.name.endswith(METADATA) and "-" in Path(e.name).stem for e in entries)


@cache
def _installed(folder: Path) -> frozenset[str]:
    """Top-level modules that installed packages put into a folder."""
    found: set[str] = set()
    for distribution in importlib.metadata.distributions(path=[str(folder)]):
        files = {Path(str(file)).parts[0] for file in distribution.files or ()}
        named = (distribution.read_text("top_level.txt") or "").split()
        found |= {Path(name).stem for name in files} | set(named) | {str(distribution.metadata["Name"])}
    return frozenset(found)
