"""Which pipelines there are in a project, and a handle on one of them."""

import os
from pathlib import Path

from kilnworks.pipeline import LoadedPipeline, project_named
from kilnworks.pipelines.core import registry
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.places import is_project, project_root, store_folder


def load(
    name: str, *, project: str | os.PathLike[str] | None = None, store: str | os.PathLike[str] | None = None
) -> LoadedPipeline:
    """A pipeline of a project.

    Args:
        name: of the pipeline.
        project: its folder; by default ``$KILNWORKS_ROOT``, or the project around the current folder.
        store: folder or URL; by default ``$KILNWORKS_STORE``, or ``store/`` in the project.

    Raises:
        UnknownName: there is no such pipeline; the message offers the nearest.
        WiringError: its definition cannot be imported.
        ConfigError: ``project`` is not one.
    """
    url = None if store is None else os.fspath(store)
    loaded = LoadedPipeline(name, _root(project), url if url is None or "://" in url else str(store_folder(url)))
    loaded.definition()
    return loaded


def names(project: str | os.PathLike[str] | None = None) -> list[str]:
    """Names of the pipelines of a project, sorted; imports none of them."""
    with project_named(_root(project)):
        return registry.names()


def _root(project: str | os.PathLike[str] | None) -> Path:
    if project is None:
        return project_root()
    root = Path(project).expanduser().resolve()
    if not is_project(root):
        raise ConfigError(
            f"{root} is no project",
            "a folder with pipelines/ and schemas/contracts/",
            f"make one with: kilnworks init {root}",
        )
    return root
