"""Removing old runs from a store without touching anything that is live.

Kept in any case: the newest runs of each pipeline, the run of the champion, the runs that either took inputs from, the
newest finished artifact of every step, and every run that changed within the days to keep. Published versions are the
business of ``deploy``. What killed processes left half-written goes once it is a day old.

What is removed is moved aside in one rename first, so that no reader sees half a run; of a remote run, the manifests go
first.
"""

import shutil
import tempfile
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field

from kilnworks.pipelines.core.remote import Remote
from kilnworks.pipelines.core.store import Run, Store
from kilnworks.schemas.champion import read_champion
from kilnworks.schemas.config import Config
from kilnworks.schemas.errors import UnknownName
from kilnworks.schemas.files import read_json

DAY_SECONDS = 86_400
LEAST_DAYS = 1.0
"""Nothing younger is ever removed: it may still be written."""
LEFT = ("partial", "removed")
"""Endings of what is being written or removed; a killed process leaves it."""


class RetentionConfig(Config):
    """What is kept."""

    runs: int = Field(default=20, ge=1)
    """Newest runs of each pipeline."""
    days: float = Field(default=30, ge=LEAST_DAYS)
    """Age in days up to which runs, checkpoints and alerts are kept."""


@dataclass
class Removed:
    """What was removed, by name, and the disk space that it took in bytes; shared files count for each."""

    runs: list[str] = field(default_factory=list)
    checkpoints: int = 0
    batches: int = 0
    alerts: int = 0
    leftovers: int = 0
    bytes: int = 0


def prune(config: RetentionConfig, store: Store, now: float, *, dry: bool = False) -> Removed:
    """Remove what is old.

    Args:
        config: what is kept.
        store: of a remote one, the runs are those that lie there; the rest is that of this machine.
        now: seconds since 1970.
        dry: only say what would be removed.
    """
    removed = Removed()
    before = now - config.days * DAY_SECONDS
    if store.remote is None:
        _prune_all_runs(config, store, before, removed, dry)
    else:
        _prune_remote_runs(config, store, store.remote, before, removed, dry)
    checkpoints = [p for p in _children(store.root / "work") if _changed(p) < before]
    alerts = [p for p in _children(store.root / "alerts") if _changed(p) < before]
    batches = [p for p in store.root.glob("retraining/*/batches/*") if _changed(p) < before and not _used(store, p)]
    removed.checkpoints, removed.alerts, removed.batches = len(checkpoints), len(alerts), len(batches)
    _remove([*checkpoints, *alerts, *batches], removed, dry)
    left = _leftovers(store.root, now - LEAST_DAYS * DAY_SECONDS)
    removed.leftovers = len(left)
    _remove(left, removed, dry)
    _remove(_unused_blobs(store, before), removed, dry)
    return removed


def _prune_remote_runs(
    config: RetentionConfig, store: Store, remote: Remote, before: float, removed: Removed, dry: bool
) -> None:
    """Decide by the records, fetched without the artifacts; then let the index follow, and remove."""
    with tempfile.TemporaryDirectory() as folder:
        records = Store(Path(folder))
        remote.fetch_records(records.root)
        _prune_all_runs(config, records, before, removed, dry)
        removed.bytes = sum(remote.size(f"runs/{name}") for name in removed.runs)
        if dry:
            return
        for entry in sorted(records.root.glob("index/*/*.json")):
            moved = store.root / entry.relative_to(records.root)
            moved.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(entry, moved)
            store.push(moved.relative_to(store.root).as_posix())
    for name in removed.runs:
        remote.remove(f"runs/{name}")
        shutil.rmtree(store.root / "runs" / name, ignore_errors=True)


def _prune_all_runs(config: RetentionConfig, store: Store, before: float, removed: Removed, dry: bool) -> None:
    for pipeline in [p.name for p in _children(store.root / "runs") if p.is_dir()]:
        _prune_runs(config, store, pipeline, before, removed, dry)


def _prune_runs(
    config: RetentionConfig, store: Store, pipeline: str, before: float, removed: Removed, dry: bool
) -> None:
    runs = store.runs(pipeline)
    kept = _protected(store, pipeline, runs) | {run.folder for run in runs[-config.runs :]}
    old = [run for run in runs if run.folder not in kept and _changed(run.path) < before]
    stay = [run for run in runs if run not in old]
    if not dry:
        _move_index(store, old, stay)
    removed.runs += [f"{pipeline}/{run.folder}" for run in old]
    _remove([run.path for run in old], removed, dry)


def _protected(store: Store, pipeline: str, runs: list[Run]) -> set[str]:
    """Folders of the runs that something live stands on."""
    newest = {step: run for run in runs for step in _steps(run)}
    live = {run.folder: run for run in [*newest.values(), *_champion(store, pipeline)]}
    origins = {folder for run in live.values() for name, folder in _inputs(store, run) if name == pipeline}
    return {*live, *origins} | _needed_elsewhere(store, pipeline)


def _champion(store: Store, pipeline: str) -> list[Run]:
    """The run that is live, in a list; empty where none is."""
    with suppress(UnknownName):
        return [store.run(pipeline, read_champion(store.root, pipeline).run_id)]
    return []


def _needed_elsewhere(store: Store, pipeline: str) -> set[str]:
    """Folders of this pipeline's runs that champions of other pipelines took inputs from."""
    found: set[str] = set()
    for pointer in _children(store.root / "champions"):
        champion = read_json(pointer)
        run = store.run(champion["pipeline"], champion["run_id"])
        found |= {folder for name, folder in _inputs(store, run) if name == pipeline}
    return found


def _inputs(store: Store, run: Run) -> set[tuple[str, str]]:
    """Pipeline and folder of every run that ``run`` took inputs from which it does not hold itself."""
    own = {_manifest(run, step)["fingerprint"] for step in _steps(run)}
    origins = [origin for step in _steps(run) for origin in _manifest(run, step)["inputs"].values()]
    return {
        (o["pipeline"], store.run(o["pipeline"], o["run_id"]).folder) for o in origins if o["fingerprint"] not in own
    }


def _move_index(store: Store, old: Iterable[Run], stay: list[Run]) -> None:
    """Let fingerprints that are found in a run to be removed be found in one that stays and has the same artifact."""
    wanted = {_manifest(run, step).get("fingerprint") for run in old for step in _steps(run)}
    for run in stay:
        for step in _steps(run):
            fingerprint = _manifest(run, step)["fingerprint"]
            if fingerprint in wanted:
                store.remember(fingerprint, run.step_path(step))


def _used(store: Store, batch: Path) -> bool:
    """Whether the run that a retraining's data was pinned for is still there, or has not begun."""
    pipeline = batch.parents[1].name
    ledger = read_json(batch.parents[1] / "ledger.json")
    waiting = {b["run_id"] for b in ledger["batches"] if not b["started"]}
    return batch.name in waiting or store.run(pipeline, batch.name).path.is_dir()


def _unused_blobs(store: Store, before: float) -> list[Path]:
    """Pinned contents that no batch links to and that are no longer in the landing folder."""
    found: list[Path] = []
    for ledger in store.root.glob("retraining/*/ledger.json"):
        present = {seen["sha256"] for seen in read_json(ledger)["files"].values()}
        blobs = _children(ledger.parent / "blobs")
        found += [b for b in blobs if b.stat().st_nlink == 1 and b.name not in present and _changed(b) < before]
    return found


def _leftovers(root: Path, before: float) -> list[Path]:
    """What killed processes were writing or removing, anywhere in a store; of nested ones the outermost."""
    found = {p for ending in LEFT for p in root.rglob(f".*.{ending}") if _changed(p) < before}
    return sorted(p for p in found if not found & set(p.parents))


def _steps(run: Run) -> list[str]:
    """Names of the finished steps."""
    return sorted(p.parent.name for p in run.path.glob("*/manifest.json") if p.parent.suffix == "")


def _manifest(run: Run, step: str) -> dict[str, Any]:
    return run.manifest(step) or {}


def _children(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".")) if folder.is_dir() else []


def _changed(path: Path) -> float:
    """When a file, or anything directly in a folder, last changed, in seconds since 1970."""
    return max(p.stat().st_mtime for p in (path, *(path.iterdir() if path.is_dir() else ())))


def _remove(paths: list[Path], removed: Removed, dry: bool) -> None:
    for path in paths:
        files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
        removed.bytes += sum(p.stat().st_size for p in files)
        if dry:
            continue
        aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.removed")
        path.rename(aside)
        if aside.is_dir():
            shutil.rmtree(aside)
        else:
            aside.unlink()
