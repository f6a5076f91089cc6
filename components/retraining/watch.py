"""Watching a landing folder and starting each retraining exactly once.

::

    look     list the folder; pin what has settled; remember it          as often as wanted, by as many as wanted
    examine  (aside.py) set aside what would spoil a training            before each claim
    decide   rules over the ledger -> nothing, wait, retrain             the same answer for everybody who asks
    claim    retrain? -> one batch with one run id, data linked together  once for each content fingerprint
    confirm  the run of that id exists                                   until then claim gives the same batch again

The state of the folder counts, never an event: an event that comes twice finds nothing left to claim, one that is lost
is made good by the next look, and what arrives during a run waits in the ledger.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kilnworks.components.retraining import ledger as books
from kilnworks.components.retraining.landing import Landing, Stamp, count_rows, fingerprint, link
from kilnworks.components.retraining.ledger import BatchFile, Content, LandedData, Ledger, Seen, opened
from kilnworks.components.retraining.policy import RetrainPolicy
from kilnworks.components.retraining.rules import RetrainingDecision, decide
from kilnworks.schemas.errors import DataUnreadable
from kilnworks.schemas.files import write_json


@dataclass(frozen=True)
class Order:
    """A run to start; starting it again under the same id must do nothing.

    Attributes:
        run_id: its name, made of the fingerprint of what arrived.
        settings: overrides for the pipeline, e.g. ``{"examples.source.path": ".../batches/retrain__0a1b"}``.
        rows: new rows in it.
        fingerprint: of the contents that are new.
        files: names of the new files.
    """

    run_id: str
    settings: dict[str, Any]
    rows: int
    fingerprint: str
    files: tuple[str, ...] = ()


def look(policy: RetrainPolicy, store: Path, pipeline: str, now: float) -> RetrainingDecision:
    """Take in what lies in the landing folder now, and judge it.

    Args:
        policy: the rules.
        store: local root of the store.
        pipeline: whose data it is.
        now: seconds since 1970.
    """
    landing = Landing(policy.landing, policy.pattern)
    blobs = books.folder(store, pipeline) / "blobs"
    with opened(store, pipeline) as ledger:
        stamps = landing.stamps()
        for name in set(ledger.files) - set(stamps):
            del ledger.files[name]
        for name, stamp in stamps.items():
            _take_in(policy, landing, ledger, blobs, name, stamp, now)
        return _decided(policy, ledger, store, pipeline, now)


def claim(policy: RetrainPolicy, store: Path, pipeline: str, now: float) -> Order | None:
    """The run to start now: one that was decided and is not confirmed yet, else a new one if the rules say so.

    For each set of contents there is one run id, whoever asks and however often.
    """
    with opened(store, pipeline) as ledger:
        batch = ledger.unstarted()
        if batch is None:
            if _decided(policy, ledger, store, pipeline, now).verdict != "retrain":
                return None
            batch = _new_batch(ledger, now)
        target = _bind(policy, ledger, batch, books.folder(store, pipeline))
        new = tuple(file.name for file in batch.files if file.new)
        return Order(batch.run_id, {policy.setting: str(target)}, batch.rows, batch.fingerprint, new)


def confirm(store: Path, pipeline: str, run_id: str) -> None:
    """Remember that the run of an order exists."""
    with opened(store, pipeline) as ledger:
        for batch in ledger.batches:
            batch.started = batch.started or batch.run_id == run_id


def due(policy: RetrainPolicy, store: Path, pipeline: str, now: float) -> str | None:
    """Fingerprint of what should be claimed now, None where nothing is; takes in the folder first."""
    decision = look(policy, store, pipeline, now)
    unstarted = books.read(store, pipeline).unstarted()
    if unstarted is not None:
        return unstarted.fingerprint
    return decision.record.inputs["arrived"] if decision.verdict == "retrain" else None


def _take_in(
    policy: RetrainPolicy, landing: Landing, ledger: Ledger, blobs: Path, name: str, stamp: Stamp, now: float
) -> None:
    """Follow one file until it has settled, then pin it."""
    seen = ledger.files.get(name)
    if seen is None or (seen.size, seen.changed) != (stamp.size, stamp.changed):
        seen = ledger.files[name] = Seen(size=stamp.size, changed=stamp.changed, since=now)
    seen.since = min(seen.since, now)
    if seen.sha256 is not None or now - seen.since < policy.settle_seconds:
        return
    sha = landing.pin(name, stamp, blobs)
    if sha is None:
        del ledger.files[name]
        return
    seen.sha256 = sha
    if sha not in ledger.contents:
        ledger.contents[sha] = Content(rows=count_rows(blobs / sha, name), arrived=now)


def _decided(policy: RetrainPolicy, ledger: Ledger, store: Path, pipeline: str, now: float) -> RetrainingDecision:
    """Judge, and write a decision record when the judgement is another than the last."""
    decision = decide(policy, ledger, now)
    if decision.key != ledger.last_decision:
        ledger.last_decision = decision.key
        ledger.decisions += 1
        path = books.folder(store, pipeline) / "decisions" / f"{ledger.decisions:06d}-{decision.verdict}.json"
        write_json(path, {"at": now, "pipeline": pipeline, "verdict": decision.verdict, **decision.record.record()})
    return decision


def _new_batch(ledger: Ledger, now: float) -> LandedData:
    new = ledger.waiting()
    name = fingerprint(new)
    before = sum(batch.fingerprint == name for batch in ledger.batches)
    usable = ledger.usable().items()
    batch = LandedData(
        run_id=f"retrain__{name[:16]}" + (f"-{before + 1}" if before else ""),
        fingerprint=name,
        new=new,
        rows=sum(ledger.contents[sha].rows for sha in new),
        files=[BatchFile(name=name, rows=ledger.contents[sha].rows, new=sha in new) for name, sha in usable],
        claimed=now,
    )
    for sha in new:
        ledger.contents[sha].batch = batch.run_id
    ledger.batches.append(batch)
    return batch


def _bind(policy: RetrainPolicy, ledger: Ledger, batch: LandedData, where: Path) -> Path:
    """The folder that a run trains on: the base and all settled files, as they were when it was claimed."""
    target = where / "batches" / batch.run_id
    if target.is_dir():
        return target
    scratch = where / "batches" / f".{batch.run_id}.partial"
    shutil.rmtree(scratch, ignore_errors=True)
    for name, source in _base_files(policy).items():
        (scratch / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, scratch / name)
    for name, sha in ledger.usable().items():
        link(where / "blobs" / sha, scratch / name)
    scratch.replace(target)
    return target


def _base_files(policy: RetrainPolicy) -> dict[str, Path]:
    """Relative name -> file of the rows that every training starts from."""
    if policy.base is None:
        return {}
    base = Path(policy.base).expanduser()
    if base.is_file():
        return {base.name: base}
    if not base.is_dir():
        raise DataUnreadable(f"no base data at {base}", "a file or folder", "correct `base` of the retraining policy")
    return {p.relative_to(base).as_posix(): p for p in sorted(base.rglob("*")) if p.is_file() and p.name[0] != "."}
