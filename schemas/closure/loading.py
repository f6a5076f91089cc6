"""From ``module:name`` to the object, with an error that says which half of it is wrong."""

import importlib
import pkgutil
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from kilnworks.schemas.closure.bytecode import distrust_bytecode
from kilnworks.schemas.closure.modules import find_module
from kilnworks.schemas.errors import ConfigError, KilnworksError, UnknownName
from kilnworks.schemas.places import is_project, project_root


def load(path: str) -> Any:
    """The object that ``module:name`` names; the project folder is searched after everything that is installed.

    ``name`` may be dotted, for something inside a class.

    Raises:
        UnknownName: there is no such module, or nothing of that name in it; the message offers the nearest.
        ConfigError: the module cannot be imported; ``__cause__`` is the reason.
    """
    module, _, name = path.partition(":")
    found: Any = imported(module)
    for part in name.split("."):
        if not hasattr(found, part):
            raise UnknownName(f"name in {module}", name, _names(found))
        found = getattr(found, part)
    return found


def imported(module: str) -> ModuleType:
    """A module by its full name. Raises as ``load``."""
    search_project()
    try:
        return importlib.import_module(module)
    except KilnworksError:
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}."):
            raise unknown_module(module) from error
        raise ConfigError(
            f"module {module} cannot be imported: {type(error).__name__}: {error}{_place(error)}",
            "a module that can be imported",
            "mend it; --traceback in front of the command shows where the error comes from",
        ) from error


def unknown_module(module: str) -> UnknownName:
    """The error for a module that does not exist, with those that lie beside it."""
    return UnknownName("module", module, _beside(module))


def search_project() -> None:
    """Let modules of the project folder be found as their source stands, behind those of every installed package.

    The folder of another project that is on ``sys.path``, such as the current one where ``$KILNWORKS_ROOT`` names a
    project elsewhere, or a clone of this repository, is searched after it.
    """
    root = project_root()
    distrust_bytecode(root)
    others = [entry for entry in sys.path if _is_other_project(Path(entry or ".").resolve(), root)]
    wanted = [entry for entry in sys.path if entry not in others]
    wanted += [*([] if str(root) in wanted else [str(root)]), *others]
    if wanted != sys.path:
        sys.path[:] = wanted
        importlib.invalidate_caches()


def _is_other_project(folder: Path, root: Path) -> bool:
    """Whether a folder is a project, and not the one that is meant."""
    return folder != root and is_project(folder)


def _names(owner: Any) -> list[str]:
    """What a module or class has, without what it merely imported."""
    home = getattr(owner, "__name__", None)
    members = {n: v for n, v in vars(owner).items() if not n.startswith("_") and not isinstance(v, ModuleType)}
    own = [n for n, v in members.items() if getattr(v, "__module__", home) == home]
    return own or list(members)


def _beside(module: str) -> list[str]:
    """Modules in the innermost package of a name that exists; else those of the project folder."""
    package = module
    while "." in package:
        package = package.rpartition(".")[0]
        spec = find_module(package)
        if spec is not None and spec.submodule_search_locations is not None:
            return [f"{package}.{name}" for name in _listed(spec.submodule_search_locations)]
    return _listed([str(project_root())])


def _listed(folders: Iterable[str]) -> list[str]:
    """Modules in folders, and folders that hold modules."""
    places = [Path(folder) for folder in folders if Path(folder).is_dir()]
    spaces = [p.name for place in places for p in place.iterdir() if p.name.isidentifier() and any(p.glob("*.py"))]
    found = {m.name for m in pkgutil.iter_modules([str(place) for place in places])} | set(spaces)
    return sorted(name for name in found if not name.startswith("_"))


def _place(error: BaseException) -> str:
    """File and line in which an error arose."""
    if isinstance(error, SyntaxError):
        return ""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f" ({trace.tb_frame.f_code.co_filename} line {trace.tb_lineno})" if trace is not None else ""
