"""Which pipelines there are: every ``pipelines/NAME.py`` of this package and of the project folder.

A definition file holds one ``Pipeline`` of the same name. The project folder is ``$KILNWORKS_ROOT``, or the
current folder; it lays its definitions out as this repository does (``pipelines/``, ``schemas/contracts/``).
"""

import ast
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pipelines
from pipelines.core.graph import Pipeline
from schemas.errors import UnknownName, WiringError

ROOT_VARIABLE = "KILNWORKS_ROOT"


def project_root() -> Path:
    """The folder that holds a user's own definitions."""
    return Path(os.environ.get(ROOT_VARIABLE, ".")).resolve()


def names() -> list[str]:
    """Names of all pipelines, sorted; imports nothing."""
    return sorted(_files())


def load(name: str) -> Pipeline:
    """The pipeline of that name.

    Raises:
        UnknownName: there is none; the message offers the nearest.
        WiringError: its file does not define it.
    """
    files = _files()
    if name not in files:
        raise UnknownName("pipeline", name, files)
    module = _module(name, files[name])
    found = [value for value in vars(module).values() if isinstance(value, Pipeline) and value.name == name]
    if not found:
        raise WiringError(f"{files[name]} defines no pipeline {name!r}", f"{name.upper()} = Pipeline({name!r}, ...)")
    return found[0]


def _files() -> dict[str, Path]:
    """Name -> file of each definition; those of the project folder come first."""
    own = Path(pipelines.__file__).parent
    folders = [own] if project_root() / "pipelines" == own else [own, project_root() / "pipelines"]
    return {p.stem: p for folder in folders for p in sorted(folder.glob("*.py")) if not p.stem.startswith("_")}


def _module(name: str, path: Path) -> ModuleType:
    if path.parent == Path(pipelines.__file__).parent:
        return importlib.import_module(f"pipelines.{name}")
    spec = importlib.util.spec_from_file_location(f"project_pipelines.{name}", path)
    if spec is None or spec.loader is None:
        raise WiringError(f"{path} cannot be loaded", "a Python file", "check its name")
    module = importlib.util.module_from_spec(spec)
    if str(project_root()) not in sys.path:
        sys.path.append(str(project_root()))
    spec.loader.exec_module(module)
    return module


def docs(name: str) -> str:
    """The text at the top of a definition's file; imports nothing. Raises ``UnknownName``."""
    files = _files()
    if name not in files:
        raise UnknownName("pipeline", name, files)
    return ast.get_docstring(ast.parse(files[name].read_bytes())) or ""
