"""A run as it lies in the store, read with care: it may be half done, failed anywhere, or still running."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from kilnworks.schemas.champion import moves_path
from kilnworks.schemas.json_values import as_dict, as_list, as_number

OUTCOMES = ("done", "cached", "skipped", "failed", "running", "waiting")


@dataclass(frozen=True)
class StepRecord:
    """One step of a run.

    Attributes:
        name: of the step.
        outcome: one of ``OUTCOMES``; ``waiting`` is a step that is known and has not begun.
        record: content of ``outcomes/<step>.json``; empty where there is none.
        manifest: content of ``manifest.json``; empty unless the step has finished.
        folder: where its files lie, also those that a failed or skipped step left; None where there are none.
        sources: parameter -> step that it takes from.
        assumed: ``sources`` was not recorded, it is the step that ended before.
        component: dotted name of the function; empty where not known.
    """

    name: str
    outcome: str
    record: dict[str, Any] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    sources: dict[str, str] = field(default_factory=dict)
    assumed: bool = False
    component: str = ""

    @property
    def error(self) -> dict[str, Any]:
        """Type, got, wanted, fix and details of what ended the step; empty where nothing did."""
        return as_dict(self.record.get("error")) or (read_object(self.folder / "error.json") if self.folder else {})

    @property
    def reason(self) -> str:
        """Why it was skipped, failed or taken from the cache, in one line."""
        return str(self.record.get("reason") or self.error.get("got") or "")

    @property
    def seconds(self) -> float | None:
        """Wall time of this run's attempt."""
        return as_number(self.record.get("seconds", self.manifest.get("seconds")))

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the artifact; empty where there is none."""
        return str(self.manifest.get("fingerprint", ""))


@dataclass(frozen=True)
class RunRecord:
    """One run: ``run.json`` and its steps, inputs first."""

    path: Path
    run: dict[str, Any]
    steps: tuple[StepRecord, ...]

    @property
    def outcome(self) -> str:
        """Of the whole: failed, running, skipped, done, unfinished or empty."""
        seen = {step.outcome for step in self.steps}
        for outcome in ("failed", "running", "skipped"):
            if outcome in seen:
                return outcome
        if not seen - {"waiting"}:
            return "empty"
        return "unfinished" if "waiting" in seen else "done"

    @property
    def seconds(self) -> float:
        """Wall time of all steps of this run together."""
        return sum(step.seconds or 0.0 for step in self.steps)

    def holding(self, file: str) -> Iterator[tuple[StepRecord, Path]]:
        """Steps whose files include ``file``, the last one first."""
        for step in reversed(self.steps):
            if step.folder is not None and (step.folder / file).is_file():
                yield step, step.folder / file

    def find(self, file: str) -> dict[str, Any]:
        """Content of the last ``file`` (a JSON object) of any step; empty where there is none."""
        return next((read_object(path) for _, path in self.holding(file)), {})

    @cached_property
    def contract(self) -> dict[str, Any]:
        """The data contract in force; empty where no step has read one yet."""
        return as_dict((self.find("examples.json") or self.find("training.json")).get("contract"))

    @cached_property
    def sensitive(self) -> frozenset[str]:
        """Features whose values must not be shown."""
        features = as_dict(self.contract.get("features"))
        return frozenset(name for name, feature in features.items() if as_dict(feature).get("sensitive"))


def read_run(path: Path) -> RunRecord:
    """Read a run directory. What is missing or broken in it is left out; nothing is raised for that."""
    run = read_object(path / "run.json")
    known = {str(s["name"]): s for s in map(as_dict, as_list(run.get("steps"))) if s.get("name")}
    records = {p.stem: read_object(p) for p in sorted(path.glob("outcomes/*.json"))}
    manifests = {p.parent.name: read_object(p) for p in sorted(path.glob("*/manifest.json"))}
    names = list(dict.fromkeys([*known, *_by_time(records), *manifests]))
    steps: list[StepRecord] = []
    for name in names:
        manifest = manifests.get(name, {})
        sources = _sources(manifest, known.get(name, {})) or _blocker(records.get(name, {}), names)
        before = [s.name for s in steps if s.outcome != "waiting"]
        assumed = not sources and not manifest and not known and bool(before)
        steps.append(
            StepRecord(
                name=name,
                outcome=_outcome(records.get(name, {}), manifest),
                record=records.get(name, {}),
                manifest=manifest,
                folder=_folder(path, name),
                sources={"?": before[-1]} if assumed else sources,
                assumed=assumed,
                component=str(manifest.get("component") or known.get(name, {}).get("component") or ""),
            )
        )
    return RunRecord(path, run, tuple(_inputs_first(steps)))


MOVE = frozenset({"since", "action", "run_id", "version", "by", "reason"})
"""What a record of a move of the champion holds at least."""


def read_moves(store: Path, pipeline: str) -> Iterator[dict[str, Any]]:
    """The moves of a pipeline's champion, newest first, each read when it is asked for; a damaged one is left out."""
    paths = sorted(moves_path(store, pipeline).glob("*.json"), reverse=True)
    return (move for move in map(read_object, paths) if move.keys() >= MOVE)


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty where the file is missing, unreadable or something else."""
    try:
        return as_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def read_history(path: Path) -> dict[str, list[float | None]]:
    """Columns of ``history.csv``: name -> a number an epoch, None where the cell holds none."""
    with path.open(encoding="utf-8", newline="") as f:
        rows = [row for row in csv.DictReader(f) if any(row.values())]
    return {name: [as_number(row.get(name)) for row in rows] for name in (rows[0] if rows else {}) if name}


def _outcome(record: dict[str, Any], manifest: dict[str, Any]) -> str:
    outcome = record.get("outcome")
    return str(outcome) if outcome in OUTCOMES else "done" if manifest else "waiting"


def _folder(run: Path, name: str) -> Path | None:
    for suffix in ("", ".failed", ".skipped"):
        folder = run / f"{name}{suffix}"
        if folder.is_dir() and (suffix or (folder / "manifest.json").is_file()):
            return folder
    return None


def _by_time(records: dict[str, dict[str, Any]]) -> list[str]:
    return sorted(records, key=lambda name: str(records[name].get("at", "")))


def _sources(manifest: dict[str, Any], known: dict[str, Any]) -> dict[str, str]:
    """Parameter -> step, for inputs that come from this very run."""
    here = (manifest.get("pipeline"), manifest.get("run_id"))
    found = {}
    for parameter, source in as_dict(manifest.get("inputs")).items():
        origin = as_dict(source)
        if origin.get("run_id", here[1]) == here[1] and origin.get("pipeline", here[0]) == here[0]:
            found[parameter] = str(origin.get("step", ""))
    return found or {p: s for p, s in as_dict(known.get("inputs")).items() if isinstance(s, str)}


def _blocker(record: dict[str, Any], names: list[str]) -> dict[str, str]:
    """The step whose closed gate skipped this one, as the runner writes it in ``blocked_by``."""
    blocker = str(record.get("blocked_by") or "")
    return {"?": blocker} if blocker in names else {}


def _inputs_first(steps: list[StepRecord]) -> list[StepRecord]:
    """Steps in an order in which each comes after those it takes from; otherwise as given."""
    rest, ordered = list(steps), []
    while rest:
        names = {s.name for s in rest}
        ready = next((s for s in rest if not names & (set(s.sources.values()) - {s.name})), rest[0])
        ordered.append(ready)
        rest.remove(ready)
    return ordered
