"""The versions of a model below its base path, the ledger of them, and those that a killed deployment left.

::

    STORE/serving/churn/          the base path, which a model server watches
        1/ 2/ 3/                  published versions: finished directories, never changed
        .lock                     held by the one process that publishes or deletes
        .versions.json            {"highest": 3, "published": [{"version": 1, "pipeline": ..., "run_id": ...}, ...]}
"""

import re
from pathlib import Path
from typing import Any

from kilnworks.schemas.champion import champion_path, moved, newest_moves, read_champion
from kilnworks.schemas.files import read_json
from kilnworks.schemas.locks import is_held

LEDGER = ".versions.json"
LOCK = ".lock"


def published(base: Path) -> list[int]:
    """The versions that a server sees, ascending: directories whose names are numbers."""
    return sorted({int(p.name) for p in base.iterdir() if re.fullmatch(r"[0-9]+", p.name) and p.is_dir()})


def ledger(base: Path) -> dict[str, Any]:
    """``{"highest": int, "published": [...]}``; empty where nothing was ever published."""
    path = base / LEDGER
    return dict(read_json(path)) if path.is_file() else {"highest": 0, "published": []}


def champions(store: Path, base: Path) -> set[int]:
    """Versions below ``base`` that are the champion of any pipeline of the store."""
    directory = champion_path(store, "any").parent
    records = [read_champion(store, path.stem) for path in sorted(directory.glob("*.json"))]
    return {record.version for record in records if Path(record.path).parent == base}


def interrupted(base: Path) -> list[int]:
    """Published versions that were never live: their deployment was killed before it moved the champion, or runs now.

    Who holds the lock knows which. A server asks ``is_being_changed`` first, and serves what is being deployed.

    Only what a deployment of this release put there, from a store that is to be seen from here, can be told.
    """
    there, ours = set(published(base)), base.resolve()
    found = []
    for entry in ledger(base)["published"]:
        version, store = int(entry["version"]), Path(entry.get("store") or "/dev/null")
        if version in there and _is_of(store, ours) and not _was_live(store, str(entry["pipeline"]), ours, version):
            found.append(version)
    return sorted(found)


def _is_of(store: Path, base: Path) -> bool:
    """Whether a store is there, and a base path its own or outside of any: another host's mirror has the ledger too."""
    around = base.parents[1] if base.parent.name == "serving" else store
    return store.is_dir() and store.resolve() == around.resolve()


def is_being_changed(base: Path) -> bool:
    """Whether a process holds the lock of a base path."""
    return is_held(base / LOCK)


def _was_live(store: Path, pipeline: str, base: Path, version: int) -> bool:
    """Whether a version is the champion, or a move of it is recorded; the newest is looked at first."""
    if version in champions(store, base):
        return True
    return any(
        move["version"] == version and moved(move["path"], move["store"], store).parent == base
        for move in newest_moves(store, pipeline)
    )
