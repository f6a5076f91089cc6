"""Which pipelines there are: every ``pipelines/NAME.py`` of this package and of the project folder.

A definition file holds one ``Pipeline`` of the same name. The project folder is ``$KILNWORKS_ROOT``, or the
current folder; it lays its definitions out as this repository does (``pipelines/``, ``schemas/contracts/``). Relative
paths in a definition count from the project folder, wherever the process that loads it works.
"""

import ast
import contextlib
import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pipelines
from pipelines.core.graph import Pipeline
from pipelines.core.retraining import check_retraining
from schemas.closure.loading import search_project
from schemas.errors import KilnworksError, UnknownName, WiringError
from schemas.places import project_root

OWN = Path(__file__).resolve().parents[1]
"""Our own definitions. ``pipelines.__file__`` says nothing where a project's folder of that name was found first."""
PROJECT = "project_pipelines"
"""The package as whose modules the definitions of the project folder are imported."""


def names() -> list[str]:
    """Names of all pipelines, sorted; imports nothing."""
    return sorted(_files())


def load(name: str) -> Pipeline:
    """The pipeline of that name.

    Raises:
        UnknownName: there is none; the message offers the nearest.
        WiringError: its file does not define it.
        ConfigError: its rules for retraining name a setting or data that do not exist.
    """
    files = _files()
    if name not in files:
        raise UnknownName("pipeline", name, files)
    module = _module(name, files[name])
    found = [value for value in vars(module).values() if isinstance(value, Pipeline) and value.name == name]
    if not found:
        others = sorted({value.name for value in vars(module).values() if isinstance(value, Pipeline)})
        raise WiringError(
            f"{files[name]} defines no pipeline {name!r}" + (f" but {', '.join(others)}" if others else ""),
            f"{name.upper()} = Pipeline({name!r}, ...)",
            f"call the file like its pipeline, or _{name}.py if it is no definition",
        )
    pipeline = found[0].anchored(project_root())
    check_retraining(pipeline)
    return pipeline


def _files() -> dict[str, Path]:
    """Name -> file of each definition; those of the project folder come first."""
    own = OWN
    folders = [own] if project_root() / "pipelines" == own else [own, project_root() / "pipelines"]
    return {p.stem: p for folder in folders for p in sorted(folder.glob("*.py")) if not p.stem.startswith("_")}


def _module(name: str, path: Path) -> ModuleType:
    """Import a definition, that of the project folder anew. Raises ``WiringError`` where it cannot be imported."""
    try:
        if path.parent == OWN:
            return importlib.import_module(f"pipelines.{name}")
        _open_project(path.parent)
        sys.modules.pop(f"{PROJECT}.{name}", None)
        with contextlib.chdir(project_root()):  # what it opens while it is imported, such as its contract
            return importlib.import_module(f"{PROJECT}.{name}")
    except KilnworksError:
        raise
    except (Exception, SystemExit) as error:
        raise WiringError(
            f"{path}{_line(error, path)}: {type(error).__name__}: {_message(error)}",
            "a definition that can be imported",
            "mend it; --traceback in front of the command shows where the error comes from",
        ) from error


def _open_project(folder: Path) -> None:
    """Let definitions import what lies beside them, as in this repository, and what lies in the project folder.

    ``from . import shared``, ``from pipelines.shared import ...`` and, for ``shared.py`` beside the folder
    ``pipelines/``, ``import shared``.
    """
    search_project()
    pipelines.__path__ = [str(OWN), str(folder)]
    package = sys.modules.get(PROJECT)
    if package is None or list(package.__path__) != [str(folder)]:
        for name in [n for n in sys.modules if n.startswith(f"{PROJECT}.")]:
            del sys.modules[name]
        spec = ModuleSpec(PROJECT, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
        sys.modules[PROJECT] = importlib.util.module_from_spec(spec)


def _line(error: BaseException, path: Path) -> str:
    """The line of a definition in which an error arose; empty where that is not known."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f" line {error.lineno}" if error.lineno else ""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            frames.append(trace.tb_lineno)
        trace = trace.tb_next
    return f" line {frames[-1]}" if frames else ""


def _message(error: BaseException) -> str:
    return error.msg if isinstance(error, SyntaxError) else str(error)


def docs(name: str) -> str:
    """The text at the top of a definition's file; imports nothing. Raises ``UnknownName``."""
    files = _files()
    if name not in files:
        raise UnknownName("pipeline", name, files)
    return ast.get_docstring(ast.parse(files[name].read_bytes())) or ""
