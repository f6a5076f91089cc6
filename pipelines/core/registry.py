"""Which pipelines there are: every ``pipelines/NAME.py`` of the project folder, and in a clone of ours its examples.

A definition file holds one ``Pipeline`` of the same name. The project folder is ``$KILNWORKS_ROOT``, or the folder
around the current one that lays its definitions out as this repository does (``pipelines/``, ``schemas/contracts/``).
Relative paths in a definition count from the project folder, wherever the process that loads it works.
"""

import ast
import contextlib
import importlib
import sys
from pathlib import Path
from types import ModuleType

from pydantic import ValidationError

from kilnworks.pipelines.core.challenge import check_challenge
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.project import OWN, PROJECT, of_its_code, open_project
from kilnworks.pipelines.core.retraining import check_retraining
from kilnworks.pipelines.core.space import check_search
from kilnworks.schemas.closure.modules import find_module
from kilnworks.schemas.errors import KilnworksError, UnknownName, WiringError
from kilnworks.schemas.extras import missing_extra
from kilnworks.schemas.places import ROOMS, project_root
from kilnworks.schemas.updates import explain

EXAMPLE_DATA = OWN.parent / "data" / "churn.csv"
"""Our own definitions are examples whose data lie in a clone of the repository, and nowhere else."""


def names() -> list[str]:
    """Names of all pipelines, sorted; imports nothing."""
    return sorted(files())


def load(name: str) -> Pipeline:
    """The pipeline of that name.

    Raises:
        UnknownName: there is none; the message offers the nearest.
        WiringError: its file does not define it.
        ConfigError: its rules for retraining name a setting or data that do not exist.
    """
    defined = files()
    if name not in defined:
        raise UnknownName("pipeline", name, defined)
    module = _module(name, defined[name])
    found = [value for value in vars(module).values() if isinstance(value, Pipeline) and value.name == name]
    if not found:
        others = sorted({value.name for value in vars(module).values() if isinstance(value, Pipeline)})
        raise WiringError(
            f"{defined[name]} defines no pipeline {name!r}" + (f" but {', '.join(others)}" if others else ""),
            f"{name.upper()} = Pipeline({name!r}, ...)",
            f"call the file like its pipeline, or _{name}.py if it is no definition",
        )
    pipeline = found[0].anchored(project_root())
    check_retraining(pipeline)
    check_challenge(pipeline)
    check_search(pipeline)
    return pipeline


def files() -> dict[str, Path]:
    """Name -> file of each definition; those of the project folder come first."""
    examples = [OWN] if EXAMPLE_DATA.is_file() else []
    theirs = project_root() / "pipelines"
    folders = examples if theirs in examples else [*examples, theirs]
    return {p.stem: p for folder in folders for p in sorted(folder.glob("*.py")) if not p.stem.startswith("_")}


def _module(name: str, path: Path) -> ModuleType:
    """Import a definition, that of the project folder anew. Raises ``WiringError`` where it cannot be imported."""
    try:
        open_project(project_root())
        if path.parent == OWN:
            return importlib.import_module(f"kilnworks.pipelines.{name}")
        sys.modules.pop(f"{PROJECT}.{name}", None)
        # what a definition opens while it is imported, such as its contract, counts from the project's folder
        with of_its_code(), contextlib.chdir(project_root()):
            return importlib.import_module(f"{PROJECT}.{name}")
    except KilnworksError:
        raise
    except (Exception, SystemExit) as error:
        raise WiringError(
            f"{path}{_line(error, path)}: {_message(error)}",
            "a definition that can be imported",
            _mend(error),
        ) from error


def _mend(error: BaseException) -> str:
    """What to do about a definition that cannot be imported; our packages had other names once."""
    missing = error.name if isinstance(error, ModuleNotFoundError) and error.name else ""
    if missing.partition(".")[0] in ROOMS and find_module(f"kilnworks.{missing}") is not None:
        return f"write kilnworks.{missing} in place of {missing}: our packages lie below kilnworks"
    extra = missing_extra(error, "the definition")
    if extra is not None:
        return extra.fix
    return "mend it; --traceback in front of the command shows where the error comes from"


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
    if isinstance(error, ValidationError):
        return f"{error.title}: {explain(error)}"
    return f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"


def docs(name: str) -> str:
    """The text at the top of a definition's file; imports nothing. Raises ``UnknownName``."""
    defined = files()
    if name not in defined:
        raise UnknownName("pipeline", name, defined)
    return ast.get_docstring(ast.parse(defined[name].read_bytes())) or ""
