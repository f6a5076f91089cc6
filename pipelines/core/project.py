"""The modules of one project at a time: what definitions may import, and how another project takes their place.

Two projects in one process may both have a ``shared.py``, a package ``own`` and a pipeline of the same name. So at most
one project is open: its folder is searched for modules before that of any other project, and its definitions are
modules of the package ``project_pipelines``. Modules of other places whose names the project has too are set aside,
such as those that a notebook imported for itself. Closing a project forgets all modules that lie in its folder, puts
those that were set aside back, and forgets what is known of the code behind its steps.
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from kilnworks.pipelines.core.cache import forget_code
from kilnworks.schemas.closure.loading import search_project
from kilnworks.schemas.closure.modules import is_library, is_ours
from kilnworks.schemas.places import CLONE, ROOMS, is_project

OWN = Path(__file__).resolve().parents[1]
"""Our own definitions."""
PROJECT = "project_pipelines"
"""The package as whose modules the definitions of the project folder are imported."""
RUNNING = ("tests", "dags")
"""Folders of a project whose modules stay: what runs them, pytest or Airflow, has given them names of its own."""
KEPT = ("__main__", "conftest", "kilnworks", "kilnworks_client", *RUNNING)
"""Modules that stay wherever they lie: they run now, or are ours, whose classes callers hold."""


@dataclass
class _Open:
    """The project that is open: its folder, and what was there before it was opened."""

    root: Path
    path: list[str]
    aside: dict[str, ModuleType]
    added: set[str]
    """Entries of ``sys.path`` that opening put there, and the project's own code."""


_open: _Open | None = None


def open_project(root: Path) -> None:
    """Let definitions import what lies beside them, as in this repository, and what lies in the project folder.

    ``from . import shared``, ``from pipelines.shared import ...`` and, for ``shared.py`` beside the folder
    ``pipelines/``, ``import shared``. Another project that is open is closed. Stays open.

    Args:
        root: the project folder, which ``project_root()`` names.
    """
    if _open is None or _open.root != root:
        close_project()
        _open_with(root, _of_other_places(root))


@contextmanager
def opened_anew(root: Path) -> Iterator[None]:
    """A project for as long as the block runs, its modules read as they are now; outside nothing is left of it."""
    close_project()
    _open_with(root, {**_of_other_places(root), **_lying_in(root)})
    try:
        with of_its_code():
            yield
    finally:
        close_project()


@contextmanager
def of_its_code() -> Iterator[None]:
    """What the block puts on ``sys.path`` is the open project's, and leaves with it."""
    before = set(sys.path)
    try:
        yield
    finally:
        if _open is not None:
            _open.added |= set(sys.path) - before


def close_project() -> None:
    """Leave the process as it was before a project was opened; whoever holds a module keeps it."""
    global _open
    if _open is None:
        return
    for name in {*_lying_in(_open.root), *(n for n in sys.modules if n.partition(".")[0] == PROJECT)}:
        del sys.modules[name]
    sys.modules.update(_open.aside)
    sys.path[:] = _path_without(_open)
    importlib.invalidate_caches()
    forget_code()
    _open = None


def _open_with(root: Path, aside: dict[str, ModuleType]) -> None:
    global _open
    _open = _Open(root, list(sys.path), aside, set())
    for name in aside:
        del sys.modules[name]
    with of_its_code():
        search_project()
    _package(PROJECT, root / "pipelines")
    if root != CLONE:
        _find_before_ours(root)
    importlib.invalidate_caches()
    forget_code()


def _find_before_ours(root: Path) -> None:
    """Let packages of the project that have the name of a folder of the clone be found although they lack a file."""
    for name in ROOMS:
        folder = root / name
        if name not in sys.modules and any(folder.glob("*.py")) and not (folder / "__init__.py").is_file():
            _package(name, folder)


def _package(name: str, folder: Path) -> None:
    """A package without a file of its own."""
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    sys.modules[name] = importlib.util.module_from_spec(spec)


def _path_without(opened: _Open) -> list[str]:
    """``sys.path`` less what opening a project, or its own code, put there; what others put there meanwhile stays."""
    kept = [entry for entry in sys.path if entry in opened.path or entry not in opened.added]
    first = next((place for place, entry in enumerate(kept) if entry in opened.path), len(kept))
    known = [entry for entry in opened.path if entry in kept]
    return [*kept[:first], *known, *(entry for entry in kept[first:] if entry not in opened.path)]


def _lying_in(root: Path) -> dict[str, ModuleType]:
    """The modules of a project: no library that is installed below its folder, and none of ours.

    In a clone of this repository the definitions beside ours are a project's.
    """
    loaded = list(sys.modules.items())
    tops = {name.partition(".")[0] for name, _ in loaded} - sys.stdlib_module_names
    theirs = {top for top in tops if top in sys.modules and _lies_in(top, sys.modules[top], root)}
    return {n: m for n, m in loaded if n.partition(".")[0] in theirs or (root == CLONE and _is_definition(n, m))}


def _lies_in(top: str, module: ModuleType, root: Path) -> bool:
    """Whether a top-level module is a project's own."""
    places = _places(module)
    inside = [place.relative_to(root).parts[:1] for place in places if place.is_relative_to(root)]
    if top in KEPT or not inside or inside[0] in [(folder,) for folder in RUNNING]:
        return False
    return not any(is_ours(place) or is_library(place, top) for place in places)


def _is_definition(name: str, module: ModuleType) -> bool:
    """Whether a module is a definition beside ours, or one that it shares with others."""
    if name.partition(".")[0] not in ("kilnworks", "pipelines"):
        return False
    places = _places(module)
    return bool(places) and places[-1].parent == OWN and places[-1].stem not in ("__init__", "__main__")


def _of_other_places(root: Path) -> dict[str, ModuleType]:
    """Modules that lie elsewhere and have names that the project has too, and with them their whole packages."""
    if not is_project(root):
        return {}
    theirs = {path.stem if path.suffix else path.name for path in root.iterdir()} - {*KEPT}
    loaded = {top: sys.modules[top] for top in theirs if top in sys.modules}
    foreign = {top for top, module in loaded.items() if _is_elsewhere(top, _places(module), root)}
    return {name: module for name, module in list(sys.modules.items()) if name.partition(".")[0] in foreign}


def _is_elsewhere(top: str, places: list[Path], root: Path) -> bool:
    return bool(places) and not any(place.is_relative_to(root) or is_library(place, top) for place in places)


def _places(module: ModuleType) -> list[Path]:
    """File of a module, or the folders of a package without one; as found, and where links lead."""
    file = getattr(module, "__file__", None)
    try:
        found = [Path(file)] if file else [Path(place) for place in getattr(module, "__path__", None) or ()]
    except (TypeError, KeyError):  # a package that makes up its path, or whose parent is gone
        return []
    return [*(place.absolute() for place in found), *(place.resolve() for place in found)]
