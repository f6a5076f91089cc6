"""Where a project lies, and where its store is: the one answer for the command line, Airflow and the model server."""

import os
from pathlib import Path

ROOT_VARIABLE = "KILNWORKS_ROOT"
STORE_VARIABLE = "KILNWORKS_STORE"


def project_root() -> Path:
    """The folder that holds a user's own definitions: ``$KILNWORKS_ROOT``, or the current folder."""
    return Path(os.environ.get(ROOT_VARIABLE) or ".").expanduser().resolve()


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
