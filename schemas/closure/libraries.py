"""Versions of installed libraries, by the names under which they are imported."""

import hashlib
import importlib.metadata
from collections.abc import Iterable
from functools import cache

from kilnworks.schemas.closure.modules import find_module, places, python_files

_DISTRIBUTION = {
    "yaml": "PyYAML",
    "tensorflow_serving": "tensorflow-serving-api",
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "grpc": "grpcio",
    "google.protobuf": "protobuf",
}
"""Saves reading the file lists of all installed packages for what we import ourselves."""


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """Distribution -> version, for top-level names of modules; for one that no package owns, a hash of its source."""
    return {name: version for library in sorted(libraries) for name, version in _versions(library)}


@cache
def _versions(library: str) -> tuple[tuple[str, str], ...]:
    direct = _version(_DISTRIBUTION.get(library, library))
    if direct:
        return ((_DISTRIBUTION.get(library, library), direct),)
    owners = _owners().get(library.partition(".")[0], [])
    return tuple((name, _version(name)) for name in sorted(set(owners))) or ((library, _content(library)),)


@cache
def _owners() -> dict[str, list[str]]:
    return {name: list(owners) for name, owners in importlib.metadata.packages_distributions().items()}


@cache
def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _content(library: str) -> str:
    """What stands for a version where there is none: a hash of all source files."""
    spec, digest = find_module(library), hashlib.sha256()
    for place in places(spec) if spec is not None else []:
        for path in (place,) if place.is_file() else python_files(place):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"sha256 {digest.hexdigest()}"
