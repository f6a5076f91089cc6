"""Where artifacts live, and the one way in which they come to be.

::

    STORE/runs/<pipeline>/<run>/run.json              who ran what, with which settings
                               /outcomes/<step>.json  running, done, cached, skipped or failed, and why
                               /<step>/manifest.json  complete if and only if this file is there
                               /<step>.failed/        what a failed step left for its report
    STORE/index/<fingerprint>.json                    where an artifact of that fingerprint lies
    STORE/work/<fingerprint>/                         checkpoints that survive a crash
    STORE/imports.json                                what source files import; may be removed at any time

A step writes into a scratch directory beside its final place; the manifest is written last; then one rename.
"""

import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kilnworks.pipelines.core.manifest import MANIFEST, damage, describe_files, load_manifest
from kilnworks.pipelines.core.os_errors import explained
from kilnworks.pipelines.core.remote import Remote
from kilnworks.schemas.access import private_files
from kilnworks.schemas.artifacts import Artifact
from kilnworks.schemas.errors import StoreError, UnknownName
from kilnworks.schemas.files import link_or_copy, read_json, sync_directory, write_json
from kilnworks.schemas.locks import exclusive
from kilnworks.schemas.masking import masked_tree
from kilnworks.schemas.places import is_remote, store_folder, store_url


@dataclass(frozen=True)
class Store:
    """A folder of runs.

    Attributes:
        root: the local folder; the mirror of ``remote`` where there is one.
        remote: what the folder mirrors, None for a plain local store.

    Raises:
        StoreError: the folder cannot be made or written; the disk is full.
    """

    root: Path
    remote: Remote | None = None

    @classmethod
    def at(cls, url: str) -> "Store":
        """The store in a local folder, or at an fsspec URL."""
        if is_remote(url):
            remote = Remote.at(url)
            return cls(remote.mirror, remote)
        return cls(store_folder(url))

    def run(self, pipeline: str, run_id: str) -> "Run":
        """The run of that name, whether it exists yet or not."""
        return Run(self, pipeline, run_id)

    def pipelines(self) -> list[str]:
        """Names of the pipelines that have runs here, sorted."""
        folder = self.root / "runs"
        here = {p.name for p in folder.iterdir() if p.is_dir()} if folder.is_dir() else set()
        return sorted(here | set(self.remote.children("runs") if self.remote else ()))

    def runs(self, pipeline: str) -> list["Run"]:
        """All runs of a pipeline, oldest first: in the order in which they began, whatever the clocks said.

        Release 0.1.0 wrote no number; its runs come first, by their times.
        """
        return [Run(self, pipeline, record["run_id"]) for record in sorted(self._records(pipeline), key=order_of)]

    def next_number(self, pipeline: str) -> int:
        """The number of the next run of a pipeline, from 1."""
        return 1 + max((record.get("number", 0) for record in self._records(pipeline)), default=0)

    def _records(self, pipeline: str) -> list[dict[str, Any]]:
        """``run.json`` of every run of a pipeline."""
        folder = self.root / "runs" / pipeline
        for name in self.remote.children(f"runs/{pipeline}") if self.remote else []:
            self.pull(f"runs/{pipeline}/{name}/run.json")
        found = [p for p in folder.iterdir() if (p / "run.json").is_file()] if folder.is_dir() else []
        return [dict(read_json(p / "run.json")) for p in found]

    def find_run(self, pipeline: str, run_id: str | None) -> "Run":
        """The run of that name, or the newest. Raises ``UnknownName``."""
        runs = self.runs(pipeline)
        if run_id is None and runs:
            return runs[-1]
        for run in runs:
            if run_id is not None and run.folder == clean(run_id):
                return run
        raise UnknownName(f"run of {pipeline}", run_id or "latest", [r.folder for r in runs])

    def work(self, fingerprint: str) -> Path:
        """Folder for checkpoints of the step that makes this fingerprint."""
        return self.root / "work" / fingerprint

    def lookup(self, fingerprint: str, kind: type[Artifact]) -> Artifact | None:
        """The finished artifact of that fingerprint, if it is still there and whole."""
        entry = self._index(fingerprint)
        self.pull(self._relative(entry))
        if not entry.is_file():
            return None
        path = self.root / read_json(entry)["path"]
        if self.remote is not None:
            self.remote.pull_artifact(self._relative(path))
        manifest = load_manifest(path)
        if manifest is None or manifest["fingerprint"] != fingerprint or damage(path, manifest) is not None:
            return None
        artifact = kind(path)
        return artifact if artifact.problem() is None else None

    @private_files()
    def remember(self, fingerprint: str, path: Path) -> None:
        """Let later runs find the artifact at ``path`` by its fingerprint."""
        write_json(self._index(fingerprint), {"path": self._relative(path)})
        self.push(self._relative(self._index(fingerprint)))

    def push(self, relative: str) -> None:
        """Send a file or folder of the mirror up; nothing for a local store."""
        if self.remote is not None:
            self.remote.push(relative)

    @private_files()
    def pull(self, relative: str) -> None:
        """Fetch a file or folder into the mirror; nothing for a local store."""
        if self.remote is not None:
            self.remote.pull(relative)

    @private_files()
    def check_writable(self) -> None:
        """Fail early, with the reason, where nothing can be stored."""
        with explained(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            probe = self.root / f".probe-{uuid.uuid4().hex[:8]}"
            probe.write_bytes(b"x")
            probe.unlink()

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _index(self, fingerprint: str) -> Path:
        return self.root / "index" / fingerprint[:2] / f"{fingerprint}.json"


@dataclass(frozen=True)
class Run:
    """One run of one pipeline."""

    store: Store
    pipeline: str
    run_id: str

    @property
    def folder(self) -> str:
        """The run id as a file name: the one place where ``:`` and ``+`` are cleaned away."""
        return clean(self.run_id)

    @property
    def path(self) -> Path:
        """Folder of the run."""
        return self.store.root / "runs" / self.pipeline / self.folder

    def step_path(self, step: str) -> Path:
        """Where the finished artifact of a step lies."""
        return self.path / step

    @private_files()
    def begin(self, command: str, overrides: Mapping[str, Any], **context: Any) -> dict[str, Any]:
        """Open the run, or open it again.

        Returns:
            ``run.json``: the settings in force are those of the earlier start with the new ones over them. What is
            secret in the new ones is here, and not in the file.
        """
        record = self.path / "run.json"
        self.store.pull(self._relative("run.json"))
        if record.is_file():
            earlier: dict[str, Any] = read_json(record)
        else:
            number = self.store.next_number(self.pipeline)
            earlier = {"pipeline": self.pipeline, "run_id": self.run_id, "started": now(), "number": number}
        merged = {**earlier, **context, "command": command, "overrides": {**earlier.get("overrides", {}), **overrides}}
        kept = masked_tree(merged)
        if kept != earlier:
            with explained(self.store.root):
                write_json(record, kept)
                self.store.push(self._relative("run.json"))
        return merged

    def manifest(self, step: str) -> dict[str, Any] | None:
        """Manifest of a finished step, None while it has not finished."""
        if self.store.remote is not None:
            self.store.remote.pull_artifact(self._relative(step))
        return load_manifest(self.step_path(step))

    def load(self, step: str, kind: type[Artifact]) -> Artifact:
        """A finished artifact of this run.

        Raises:
            StoreError: the step has not finished in this run, or its files are damaged.
        """
        path = self.step_path(step)
        manifest = self.manifest(step)
        if manifest is None:
            raise StoreError(
                f"step {step!r} has not finished in run {self.run_id}", str(path / MANIFEST), "run it first"
            )
        broken = damage(path, manifest)
        if broken is not None:
            raise StoreError(f"artifact {path} is damaged: {broken}", "the files of its manifest", "run the step again")
        return kind(path)

    def outcome(self, step: str) -> dict[str, Any] | None:
        """The last recorded outcome of a step."""
        path = self.path / "outcomes" / f"{step}.json"
        self.store.pull(self._relative(f"outcomes/{step}.json"))
        return dict(read_json(path)) if path.is_file() else None

    @private_files()
    def record(self, step: str, outcome: str, **values: Any) -> None:
        """Write the outcome of a step."""
        write_json(self.path / "outcomes" / f"{step}.json", {"step": step, "outcome": outcome, "at": now(), **values})
        self.store.push(self._relative(f"outcomes/{step}.json"))

    @contextmanager
    def scratch(self, step: str) -> Iterator[Path]:
        """A fresh directory beside the final place; gone at the end unless it was published or kept."""
        final = self.step_path(step)
        with explained(self.store.root):
            final.parent.mkdir(parents=True, exist_ok=True)
            for stale in final.parent.glob(f".{step}.*.partial"):
                shutil.rmtree(stale, ignore_errors=True)
            path = final.with_name(f".{step}.{os.getpid()}-{uuid.uuid4().hex[:8]}.partial")
            path.mkdir()
        try:
            with explained(self.store.root):
                yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def publish(self, step: str, scratch: Path, manifest: dict[str, Any]) -> Path:
        """Turn a filled scratch directory into the finished artifact: manifest, then one rename."""
        final = self.step_path(step)
        with explained(self.store.root):
            manifest = {**manifest, "files": describe_files(scratch)}
            write_json(scratch / MANIFEST, manifest, durable=True)
            self._replace(final, scratch)
            sync_directory(final.parent)
        self._forget_earlier(step)
        self.store.push(self._relative(step))
        self.store.remember(manifest["fingerprint"], final)
        return final

    def link(self, step: str, artifact: Artifact) -> Path:
        """Let a finished artifact stand here too: hard links, or copies where the file system has none."""
        final = self.step_path(step)
        if final == artifact.path:
            return final
        with self.scratch(step) as scratch:
            shutil.copytree(artifact.path, scratch, dirs_exist_ok=True, copy_function=link_or_copy)
            self._replace(final, scratch)
        self._forget_earlier(step)
        self.store.push(self._relative(step))
        return final

    @private_files()
    def keep(self, step: str, scratch: Path, suffix: str, record: dict[str, Any]) -> Path:
        """Keep what a step left when it failed or was skipped, for its report; it never loads as an artifact."""
        target = self.path / f"{step}.{suffix}"
        write_json(scratch / "error.json", record)
        self._replace(target, scratch)
        self.store.push(self._relative(target.name))
        return target

    def _relative(self, name: str) -> str:
        return f"runs/{self.pipeline}/{self.folder}/{name}"

    def _forget_earlier(self, step: str) -> None:
        for suffix in ("failed", "skipped"):
            shutil.rmtree(self.path / f"{step}.{suffix}", ignore_errors=True)

    @staticmethod
    def _replace(final: Path, scratch: Path) -> None:
        """Rename a directory over another; what was there moves aside first, so that it is never half there."""
        if final.exists():
            aside = final.with_name(f".{final.name}.{uuid.uuid4().hex[:8]}.old.partial")
            final.rename(aside)
            scratch.rename(final)
            shutil.rmtree(aside, ignore_errors=True)
        else:
            scratch.rename(final)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes for as long as the block runs; freed by the kernel on a crash."""
    with explained(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        with explained(path.parent):
            held.enter_context(exclusive(path))
        yield


def open_store(url: str | None = None) -> Store:
    """The store at ``url``, at ``$KILNWORKS_STORE``, or in ``store`` in the project's folder."""
    return Store.at(store_url(url))


def order_of(record: Mapping[str, Any]) -> tuple[int, str, str]:
    """What runs are ordered by, from their ``run.json``."""
    return int(record.get("number", 0)), str(record.get("started", "")), str(record.get("run_id", ""))


def clean(run_id: str) -> str:
    """A run id as a file name."""
    return re.sub(r"[^\w.-]", "_", run_id).lstrip(".") or "_"


def now() -> str:
    """The time in UTC, to the millisecond, as ISO 8601."""
    stamp = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(stamp)) + f".{int(stamp * 1000) % 1000:03d}Z"
