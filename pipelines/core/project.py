"""The modules of one project at a time: what definitions may import, and how another project takes their place.

Two projects in one process may both have a ``shared.py``, a package ``own`` and a pipeline of the same name. So at most
one project is open: its folder is on ``sys.path``, its definitions are modules of the package ``project_pipelines``.
Opening another one, or the same one anew, forgets every module that lies in the folder of the one before, and what is
known of the code behind its steps.
"""

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pipelines
from pipelines.core.cache import forget_code
from schemas.closure.modules import is_library
from schemas.places import is_project, project_root

OWN = Path(__file__).resolve().parents[1]
"""Our own definitions. ``pipelines.__file__`` says nothing where a project's folder of that name was found first."""
PROJECT = "project_pipelines"
"""The package as whose modules the definitions of the project folder are imported."""
KEPT = ("__main__", "conftest")
"""Modules of a project that stay, for they run now."""
RUNNING = ("tests", "dags")
"""Folders of a project whose modules stay: what runs them, pytest or Airflow, has given them names of its own."""
PACKAGES = ("schemas", "components", "pipelines", "dags", "kilnworks")


_open: Path | None = None


def open_project(root: Path) -> None:
    """Let definitions import what lies beside them, as in this repository, and what lies in the project folder.

    ``from . import shared``, ``from pipelines.shared import ...`` and, for ``shared.py`` beside the folder
    ``pipelines/``, ``import shared``.

    Args:
        root: the project folder.
    """
    global _open
    if _open != root:
        forget_project()
        _search(_open, root)
        importlib.invalidate_caches()
        _open = root
    if PROJECT not in sys.modules:
        spec = ModuleSpec(PROJECT, None, is_package=True)
        spec.submodule_search_locations = [str(root / "pipelines")]
        sys.modules[PROJECT] = importlib.util.module_from_spec(spec)


def forget_project() -> None:
    """Forget the modules of the project that is open, so that what was edited since is read when it is loaded again."""
    root = _open or project_root()
    if _open is not None or is_project(root):
        _forget_modules(root)
    forget_code()


def _search(before: Path | None, root: Path) -> None:
    """Look for modules in the folder of the project, and no more in that of the one before."""
    if before is not None and before != root and str(before) in sys.path:
        sys.path.remove(str(before))
    if str(root) not in sys.path:
        sys.path.append(str(root))
    own = root / "pipelines"
    pipelines.__path__ = [str(OWN)] if own == OWN else [str(OWN), str(own)]


def _forget_modules(root: Path) -> None:
    """Take the modules of a project out of the process; who holds one keeps it."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == PROJECT or _lies_in(name, module, root):
            del sys.modules[name]


def _lies_in(name: str, module: ModuleType, root: Path) -> bool:
    """Whether a module is a project's own: no library that is installed below its folder, and none of ours.

    In a clone of this repository the definitions beside ours are the project's.
    """
    top = name.partition(".")[0]
    places = _places(module)
    inside = [p.relative_to(root) for p in places if p.is_relative_to(root)]
    if top in KEPT or not inside or inside[0].parts[:1] in [(folder,) for folder in RUNNING]:
        return False
    if top in PACKAGES and any(place.is_relative_to(OWN.parent / top) for place in places):
        return places[0].parent == OWN and places[0].stem not in ("__init__", "__main__")
    return not any(is_library(place, top) for place in places)


def _places(module: ModuleType) -> list[Path]:
    """File of a module, or the folders of a package without one."""
    file = getattr(module, "__file__", None)
    if file:
        return [Path(file).resolve()]
    try:
        return [Path(place).resolve() for place in getattr(module, "__path__", None) or ()]
    except (TypeError, KeyError):  # a package that makes up its path, or whose parent is gone
        return []
