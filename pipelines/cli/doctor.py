"""Checks of ``kilnworks doctor``: each finds one thing that would stop a pipeline, and says the mend."""

import importlib.metadata
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kilnworks.pipelines.core.owner import owner_of, this_host
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.errors import StoreError
from kilnworks.schemas.extras import ALONE
from kilnworks.schemas.places import CLONE

REQUIREMENTS = (CLONE or Path()) / "requirements.txt"
"""The lock of a clone."""
STACK = (
    "tensorflow",
    "keras",
    "tensorflow-datasets",
    "tensorflow-serving-api",
    "apache-airflow",
    "great-expectations",
    "mlflow",
    "pandas",
    "numpy",
    "protobuf",
    "grpcio",
    "polars",
    "pyarrow",
    "pydantic",
)
"""Packages whose versions must be those of the lock: they were tested together."""

LEAST_DISK_GB = 2.0
LEAST_MEMORY_GB = 3.0


@dataclass(frozen=True)
class Finding:
    """One check: what was looked at, what was found, and the mend where it is not good."""

    what: str
    found: str
    good: bool
    fix: str = ""


def check_all(store: Store) -> list[Finding]:
    """Every check, in the order in which a person would mend things."""
    packages = _installed() if CLONE is None else _packages(REQUIREMENTS)
    return [_python(), *packages, _memory(), _disk(store), _store(store), _devices()]


def pins(requirements: Path) -> dict[str, str]:
    """Package -> version of a lock, for this Python.

    A package that the lock pins differently by Python version is given with the pin whose marker fits.
    """
    from packaging.requirements import Requirement

    found: dict[str, str] = {}
    for line in requirements.read_text(encoding="utf-8").splitlines():
        if not re.match(r"^[A-Za-z0-9]", line):
            continue
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate():
            found[requirement.name.lower()] = next(s.version for s in requirement.specifier)
    return found


def _installed() -> Iterator[Finding]:
    """Packages beside an installed Kilnworks, by what it says of itself that it needs; extras are no must."""
    from packaging.requirements import Requirement

    seen = set()
    for requirement in map(Requirement, importlib.metadata.requires("kilnworks") or ()):
        extras = [e for e in ("", *ALONE) if requirement.marker is None or requirement.marker.evaluate({"extra": e})]
        if requirement.name not in STACK or requirement.name in seen or not extras:
            continue
        seen.add(requirement.name)
        found = _version(requirement.name)
        if found is None and extras[0]:
            yield Finding(requirement.name, f"not installed; with the extra {extras[0]!r}", True)
            continue
        good = requirement.specifier.contains(found) if found else False
        yield Finding(requirement.name, found or "not installed", good, f"pip install '{requirement}'")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _python() -> Finding:
    version = sys.version.split()[0]
    return Finding("Python", version, (3, 11) <= sys.version_info[:2] < (3, 14), "use Python 3.11, 3.12 or 3.13")


def _packages(requirements: Path) -> Iterator[Finding]:
    if not requirements.is_file():
        yield Finding("lock", f"no {requirements.name} beside the package", False, "run from a checkout")
        return
    wanted = pins(requirements)
    for name in STACK:
        found = _version(name) or "not installed"
        yield Finding(name, found, found == wanted.get(name), f"pip install {name}=={wanted.get(name)}")


def _memory() -> Finding:
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    return Finding("memory", f"{free:.1f} of {total:.1f} GB free", total >= LEAST_MEMORY_GB, "TensorFlow needs 3 GB")


def _disk(store: Store) -> Finding:
    existing = next(p for p in (store.root, *store.root.parents) if p.exists())
    free = shutil.disk_usage(existing).free / 1e9
    return Finding("disk", f"{free:.1f} GB free at {existing}", free >= LEAST_DISK_GB, "free some, or use --store")


def _store(store: Store) -> Finding:
    existed = store.root.exists()
    try:
        store.check_writable()
        remote = _remote(store)
    except StoreError as error:
        return Finding("store", error.got, False, error.fix)
    if not existed and not any(store.root.iterdir()):
        store.root.rmdir()
    return Finding("store", f"{store.root} can be written{remote}", True)


def _remote(store: Store) -> str:
    """What there is to say of a remote store: whose mirror the folder is, and which host publishes."""
    if store.remote is None:
        return ""
    owner, mine = owner_of(store), this_host(store.root)
    if owner is None:
        return f"; it mirrors {store.remote.shown}, in which no host publishes yet"
    here = "this host" if owner.id == mine.id else f"{owner.name}, another host, since {owner.since}"
    return f"; it mirrors {store.remote.shown}, in which {here} publishes"


def _devices() -> Finding:
    gpus = sorted(p.name for p in Path("/dev").glob("nvidia[0-9]*"))
    return Finding(
        "devices", f"{os.cpu_count()} CPU cores, {len(gpus) or 'no'} NVIDIA GPU{'s' * (len(gpus) != 1)}", True
    )
