"""The files that a retraining is made of: named in its run, and judged one by one where its data are bad."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kilnworks.components.ingest import IngestConfig
from kilnworks.components.quality.rows.spoiled_file import why_spoiled
from kilnworks.components.retraining import ledger as books
from kilnworks.components.retraining.aside import Failure, Spoiled, examine
from kilnworks.components.retraining.policy import RetrainPolicy
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.store import Run, Store
from kilnworks.schemas.errors import DataInvalid, DataUnreadable, KilnworksError
from kilnworks.schemas.files import read_json, write_json

BY_DATA = (DataInvalid.__name__, DataUnreadable.__name__)
"""Errors of a step that say that its data are bad."""
KEY = "landed"
"""Where ``run.json`` holds ``{"folder", "files": [{"name", "rows", "kind", "bad"}]}``; kinds: base, earlier, new."""


class FilesJudge:
    """Judges files by the contract of a pipeline, and runs by what is recorded of them."""

    def __init__(self, pipeline: Pipeline, policy: RetrainPolicy, store: Store) -> None:
        self._pipeline, self._policy, self._store = pipeline, policy, store

    def file(self, path: Path) -> str:
        """Why a file would spoil a run; empty for one that does not, and where only a run can tell."""
        step, _, setting = self._policy.setting.partition(".")
        config = self._pipeline[step].config.updated({setting: str(path)})
        if not isinstance(config, IngestConfig):
            return ""
        return why_spoiled(config.source, config.contract).replace(str(path), path.name)

    def run(self, run_id: str) -> Failure | None:
        """How a run failed by its data."""
        run = self._store.run(self._pipeline.name, run_id)
        outcomes = [run.outcome(step.name) or {} for step in self._pipeline.steps]
        failed = [o for o in outcomes if o.get("outcome") == "failed"]
        if not failed or (failed[0].get("error") or {}).get("type") not in BY_DATA:
            return None
        bad = {str(file["name"]): str(file["bad"]) for file in landed(run) if file.get("bad")}
        return Failure(f"run {run_id} failed: {failed[0]['reason']}", bad)


def set_spoiled_aside(pipeline: Pipeline, policy: RetrainPolicy, store: Store) -> list[Spoiled]:
    """Set aside what would spoil the next run; returns what was not set aside before."""
    return examine(store.root, pipeline.name, FilesJudge(pipeline, policy, store), time.time())


def landed_files(pipeline: Pipeline, run: Run) -> dict[str, Any]:
    """``{"landed": ...}`` for ``run.json`` of a run that was started for new data; empty for every other."""
    policy = pipeline.operations.retrain
    batch = books.read(run.store.root, run.pipeline).batch(run.run_id)
    if policy is None or batch is None:
        return {}
    folder = books.folder(run.store.root, run.pipeline) / "batches" / batch.run_id
    known = {file.name: file for file in batch.files}
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    files = [_file(name, known.get(name) or known.get(name.removeprefix("landed-"))) for name in names]
    return {KEY: {"folder": str(folder), "files": files}}


def landed(run: Run) -> list[Mapping[str, Any]]:
    """The files of a run that was started for new data, as its ``run.json`` names them."""
    path = run.path / "run.json"
    run.store.pull(path.relative_to(run.store.root).as_posix())
    return list(read_json(path).get(KEY, {}).get("files", [])) if path.is_file() else []


@contextmanager
def blaming(pipeline: Pipeline, run: Run) -> Iterator[None]:
    """Where the block fails by the data of a retraining, say in ``run.json`` which files are bad by themselves."""
    try:
        yield
    except KilnworksError as error:
        if pipeline.operations.retrain is not None and type(error).__name__ in BY_DATA and landed(run):
            _blame(FilesJudge(pipeline, pipeline.operations.retrain, run.store), run)
        raise


def _blame(judge: FilesJudge, run: Run) -> None:
    path = run.path / "run.json"
    record = dict(read_json(path))
    for file in record[KEY]["files"]:
        file["bad"] = judge.file(Path(record[KEY]["folder"]) / file["name"])
    write_json(path, record)
    run.store.push(path.relative_to(run.store.root).as_posix())


def _file(name: str, known: books.BatchFile | None) -> dict[str, Any]:
    if known is None:
        return {"name": name, "rows": None, "kind": "base"}
    return {"name": name, "rows": known.rows, "kind": "new" if known.new else "earlier"}
