"""``kilnworks init``: a project folder of one's own, with an example that works at once."""

import os
import shlex
import shutil
import uuid
from pathlib import Path
from typing import Annotated

import typer

from kilnworks.pipelines.cli.console import echo
from kilnworks.pipelines.cli.writing import writable
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.places import ROOT_VARIABLE, is_project
from kilnworks.schemas.words import listed

README = "README.md"
SCRATCH = ".kilnworks-init-"
"""Beginning of the folder in which the files are written, until all are there."""


def init(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="The project folder: new, or empty but for hidden files (.git) and a virtual environment.",
            show_default=False,
        ),
    ],
) -> None:
    """Make a project folder: an example pipeline with its contract and data, own code, tests, and DAGs for Airflow."""
    from kilnworks.components.sources.paths import local
    from kilnworks.components.starting.project import project_files

    root = local(folder).resolve()
    files = project_files(root.name)
    with writable(root):
        _check_free(root, {Path(name).parts[0] for name in files})
        _write(root, files)
    _tell(folder, root)


def _check_free(root: Path, names: set[str]) -> None:
    """Raise ``ConfigError`` where something is in the way, or where the folder's name would hide a package."""
    if root.name == "kilnworks":
        raise ConfigError(f"a project called {root.name!r}", "a name that is not our package's", "choose another")
    if not os.path.lexists(root):
        return
    if not root.is_dir():
        raise ConfigError(f"{root} is there already and no folder", "a new or an empty folder", "choose another DIR")
    held = sorted(path.name for path in root.iterdir() if path.name in names or not _is_passed_over(path))
    if held and is_project(root):
        raise ConfigError(f"{root} is a project already", "a new or an empty folder", "use it, or choose another DIR")
    if held:
        raise ConfigError(
            f"{root} is there already and not empty: {listed(held)}",
            "a new or an empty folder; hidden files and a virtual environment may be in it",
            "choose another DIR, and move what you have into it afterwards",
        )


def _is_passed_over(path: Path) -> bool:
    """Whether something in the folder is no reason not to take it."""
    return path.name.startswith(".") or (path / "pyvenv.cfg").is_file()


def _write(root: Path, files: dict[str, bytes]) -> None:
    """All files or none. A folder that is there stays the same one: a shell may work in it, or a volume be mounted."""
    there = root.is_dir()
    scratch = (root if there else _existing(root.parent)) / f"{SCRATCH}{uuid.uuid4().hex[:8]}"
    try:
        for name, content in files.items():
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / name).write_bytes(content)
        if there:
            for path in sorted(scratch.iterdir()):
                path.rename(root / path.name)
        else:
            root.parent.mkdir(parents=True, exist_ok=True)
            scratch.rename(root)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _existing(folder: Path) -> Path:
    return next(one for one in (folder, *folder.parents) if one.is_dir())


def _tell(asked: Path, root: Path) -> None:
    here = Path.cwd()
    shown = asked if (here / asked).resolve() == root else root  # a shell reads no ~ inside quotes
    echo(f"made     {shown}: an example pipeline (customers), its contract and data, own code, tests, DAGs")
    elsewhere = os.environ.get(ROOT_VARIABLE)
    if elsewhere and Path(elsewhere).expanduser().resolve() != root:
        echo(f"note     ${ROOT_VARIABLE} names {elsewhere}; while it is set, that project is meant everywhere")
    steps = [*([] if root == here.resolve() else [f"cd {shlex.quote(str(shown))}"]), "kilnworks run customers"]
    for number, step in enumerate([*steps, f"{README} tells the rest"]):
        echo(f"{'' if number else 'next':<9}{step}")
