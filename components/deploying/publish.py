"""Putting a model under its base path, and taking it away, so that a server sees all of it or nothing."""

import shutil
from pathlib import Path

from kilnworks.components.deploying.versions import STAGE
from kilnworks.schemas.files import sync_directory as sync
from kilnworks.schemas.published import interrupted


def publish(source: Path, base: Path, version: int) -> Path:
    """Copy a SavedModel to ``base/version`` by way of a stage directory and one rename; needs the lock.

    The content is on the disk before the name is: a power cut leaves a whole version or a stage that is ignored.
    Raises ``OSError``; the stage is then removed as far as the file system lets us.
    """
    stage = base / f"{STAGE}{version}"
    target = base / str(version)
    try:
        _copy(source, stage)
        stage.rename(target)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        raise
    sync(base)
    return target


def withdraw(base: Path, version: int) -> None:
    """Remove a version: first its number, in one rename, then its files. Needs the lock."""
    stage = base / f"{STAGE}gone-{version}"
    (base / str(version)).rename(stage)
    sync(base)
    shutil.rmtree(stage)


def clean(base: Path) -> list[str]:
    """Remove what killed processes left: stages, and versions that never went live. Needs the lock.

    Returns:
        The names of what was removed.
    """
    for version in (left := interrupted(base)):
        withdraw(base, version)
    stale = sorted(p.name for p in base.glob(f"{STAGE}*"))
    for name in stale:
        shutil.rmtree(base / name)
    return [*map(str, left), *stale]


def _copy(source: Path, target: Path) -> None:
    """Copy a directory; when this returns, names and content are on the disk."""
    target.mkdir()
    for entry in sorted(source.iterdir()):
        if entry.is_dir():
            _copy(entry, target / entry.name)
            continue
        shutil.copyfile(entry, target / entry.name)
        sync(target / entry.name)
    sync(target)
