"""Where a project lies, and where its store is: the one answer for the command line, Airflow and the model server."""

import os
from contextlib import suppress
from pathlib import Path

ROOT_VARIABLE = "KILNWORKS_ROOT"
STORE_VARIABLE = "KILNWORKS_STORE"
ROOMS = ("components", "dags", "pipelines", "schemas")
"""Our own packages below ``kilnworks``; in a clone of the repository links to the folders beside it."""
_PACKAGES = Path(__file__).resolve().parents[1]
CLONE = _PACKAGES if (_PACKAGES / "kilnworks" / "schemas").is_symlink() else None
"""Root of the repository, where the code runs from a clone of it; None where it is installed."""
OWN_FOLDERS = (_PACKAGES,) if CLONE is None else tuple(CLONE / name for name in ("kilnworks", *ROOMS))
"""Folders of our own code; links are followed."""
FETCHED = {"groceries.parquet": "data/make_groceries.py", "mobilenet_v2.pth": "data/make_groceries.py"}
"""Files of examples that are too large to travel with the code, and the script that fetches each."""
FOLDERS = ("pipelines", "schemas/contracts")
"""Folders that make a folder a project: its definitions, and its contracts."""


def fetched_by(path: Path) -> str:
    """The command that fetches a file of an example that is not there; empty for any other file."""
    script = FETCHED.get(path.name)
    return f"python {path.parent.parent / script}" if script and path.parent.name == "data" else ""


def project_root() -> Path:
    """The folder that holds a user's own definitions.

    ``$KILNWORKS_ROOT``; else the current folder or the nearest one around it that is a project, such as ``kilnworks
    init`` makes; else the current folder.
    """
    given = os.environ.get(ROOT_VARIABLE)
    if given:
        return Path(given).expanduser().resolve()
    here = Path.cwd().resolve()
    return next((folder for folder in (here, *here.parents) if is_project(folder)), here)


def is_project(folder: Path) -> bool:
    """Whether a folder is laid out as a project."""
    with suppress(PermissionError):  # a folder around the project into which one may not look is none
        return all((folder / name).is_dir() for name in FOLDERS)
    return False


def store_url(given: str | None = None) -> str:
    """The store: what was given, ``$KILNWORKS_STORE``, or ``store`` in the project's folder."""
    return given or os.environ.get(STORE_VARIABLE) or str(project_root() / "store")


def is_remote(url: str) -> bool:
    """Whether a store lies elsewhere than in a folder of this machine."""
    return "://" in url and not url.startswith(("file://", "local://"))


def store_folder(url: str) -> Path:
    """The folder of a store that is not remote."""
    return Path(url.partition("://")[2] or url).expanduser().resolve()


def anchored_path(path: str, root: Path) -> str:
    """A path of a definition, counted from ``root``; one that is absolute, begins with ``~`` or is a URL stays."""
    stays = not path or "://" in path or path.startswith("~") or Path(path).is_absolute()
    return path if stays else str(root / path)


def with_clone() -> dict[str, str]:
    """``PYTHONPATH`` for another process of this Python, where ours is not installed but lies in a clone."""
    if CLONE is None:
        return {}
    return {"PYTHONPATH": os.pathsep.join([str(CLONE), *filter(None, [os.environ.get("PYTHONPATH")])])}
