"""In a clone of the repository ``components.ingest`` is ``kilnworks.components.ingest``: one module, not two.

There the folders stand beside ``kilnworks/``, which holds links to them, so that each could be imported by either
name. A module that is loaded twice has two of everything: classes that are not equal, registries that do not meet.
Definitions and DAG files that were written with the short names go on working. What is installed has no short names,
and a package of such a name that is not ours is left alone.
"""

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

SHORT = ("components", "dags", "pipelines", "schemas")
_HERE = Path(__file__).resolve().parent
_CLONE = _HERE.parent


def allow_short_names() -> None:
    """Let the short names mean the same modules, where this is a clone."""
    if is_clone() and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder(last=False))
        sys.meta_path.append(_Finder(last=True))


def is_clone() -> bool:
    """Whether the code runs from a clone of the repository, where the folders are links."""
    return all((_HERE / name).is_symlink() for name in SHORT)


class _Finder:
    """Finds ``components.x`` where ``components`` is, or would be, the folder of this clone.

    Args:
        last: for what nobody else has found: ``pipelines.core`` beside a project's own folder ``pipelines``.
    """

    def __init__(self, last: bool) -> None:
        self._last = last

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """A spec whose loader hands out the module of the long name; None for everything else."""
        top, _, inner = fullname.partition(".")
        if top not in SHORT or fullname.endswith(".__main__"):
            return None
        known = sys.modules[top].__spec__ if inner and top in sys.modules else PathFinder.find_spec(top)
        return _spec(fullname) if self._last or _is_ours(known, top) else None


class _Same(Loader):
    """Loads a module by handing out that of the long name."""

    def __init__(self, long: str) -> None:
        self._long = long
        self._spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module of the long name."""
        module = importlib.import_module(self._long)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It has run already; the import system wrote a spec of the short name into it."""
        module.__spec__ = self._spec


def _is_ours(spec: ModuleSpec | None, top: str) -> bool:
    """Whether a package is the folder of this clone."""
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve().parent == _CLONE / top


def _spec(fullname: str) -> ModuleSpec | None:
    long = f"{__package__}.{fullname}"
    try:
        found = importlib.util.find_spec(long)
    except ModuleNotFoundError:
        return None
    if found is None:
        return None
    spec = ModuleSpec(fullname, _Same(long), origin=found.origin)
    spec.submodule_search_locations = found.submodule_search_locations
    return spec
