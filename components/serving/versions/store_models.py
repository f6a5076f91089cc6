"""The models of a store: ``STORE/serving/<model>/<version>/``."""

from pathlib import Path

from kilnworks.components.serving.versions.version_source import left_behind, parse_version


def base_paths(serving: Path) -> dict[str, str]:
    """Base path of each model that has at least one version; empty when the folder is not there."""
    if not serving.is_dir():
        return {}
    return {
        folder.name: str(folder.resolve())
        for folder in sorted(serving.iterdir())
        if folder.is_dir() and not folder.name.startswith(".") and _has_version(folder)
    }


def _has_version(folder: Path) -> bool:
    found = {parse_version(child.name) for child in folder.iterdir() if child.is_dir()} - {None}
    return bool(found - set(left_behind(folder)))
