"""``kilnworks init``: a project folder of one's own, with an example that works at once."""

import os
import shlex
import shutil
import uuid
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import ConfigError
from schemas.places import ROOT_VARIABLE

PACKAGES = ("components", "dags", "kilnworks", "pipelines", "schemas")
README = "README.md"


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The project folder; new, or empty.", show_default=False)
    ],
) -> None:
    """Make a project folder: an example pipeline with its contract and data, own code, tests, and DAGs for Airflow."""
    from components.sources.paths import local
    from components.starting.project import project_files

    root = local(folder).resolve()
    _check_free(root)
    scratch = root.with_name(f".{root.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        for name, content in project_files(root.name).items():
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / name).write_bytes(content)
        if root.is_dir():
            root.rmdir()
        scratch.rename(root)
    except OSError as error:
        raise ConfigError(
            f"{error.filename or root}: {error.strerror or error}", "a folder that can be written", "choose another"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _tell(folder, root)


def _check_free(root: Path) -> None:
    """Raise ``ConfigError`` where something is there already, or where the folder's name would hide a package."""
    if root.name in PACKAGES:
        raise ConfigError(f"a project called {root.name!r}", "a name that is none of our packages'", "choose another")
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise ConfigError(f"{root} is there already and not empty", "a new or an empty folder", "choose another DIR")


def _tell(asked: Path, root: Path) -> None:
    typer.echo(f"made     {asked}: an example pipeline (customers), its contract and data, own code, tests, DAGs")
    elsewhere = os.environ.get(ROOT_VARIABLE)
    if elsewhere and Path(elsewhere).expanduser().resolve() != root:
        typer.echo(f"note     ${ROOT_VARIABLE} names {elsewhere}; while it is set, that project is meant everywhere")
    typer.echo(f"next     cd {shlex.quote(str(asked))}")
    typer.echo("         kilnworks run customers")
    typer.echo(f"         {README} tells the rest")
