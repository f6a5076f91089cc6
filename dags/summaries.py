"""The newest runs of a pipeline in a few values each, for the pages in Airflow; no DAG is read, and the store seldom.

A run is read again when one of its records has changed, or the champion. What lies on a remote store is asked for at
most every ``REMOTE_SECONDS``.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from kilnworks.components.reporting.summary import run_summary
from kilnworks.pipelines.core.records import newest_runs
from kilnworks.pipelines.core.store import Run, Store

REMOTE_SECONDS = 20.0
MOST = 2000
"""Most runs that are remembered."""

Summary = dict[str, Any]


@dataclass(frozen=True)
class Told:
    """A run and what is told of it."""

    run: Run
    summary: Summary

    @property
    def headline(self) -> float | None:
        """Value of the metric that the run is told by."""
        value = self.summary["metrics"].get(self.summary["headline"])
        return None if value is None else float(value)


class Summaries:
    """What was read before; one for the whole process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._runs: dict[str, tuple[tuple[int, ...], Summary]] = {}
        self._remote: dict[tuple[str, str, int], tuple[float, list[Told]]] = {}

    def newest(self, store: Store, pipeline: str, count: int) -> list[Told]:
        """The newest runs, newest first."""
        if store.remote is None:
            with newest_runs(store, pipeline, count) as runs:
                return [Told(run, self._summary(run)) for run in runs]
        key = (str(store.root), pipeline, count)
        with self._lock:
            read, told = self._remote.get(key, (float("-inf"), []))
        if time.monotonic() - read > REMOTE_SECONDS:
            with newest_runs(store, pipeline, count) as runs:
                told = [Told(store.run(pipeline, run.run_id), run_summary(run.path)) for run in runs]
            with self._lock:
                self._remote[key] = (time.monotonic(), told)
        return told

    def _summary(self, run: Run) -> Summary:
        stamp, key = _stamp(run), str(run.path)
        with self._lock:
            known = self._runs.get(key)
        if known is not None and known[0] == stamp:
            return known[1]
        made = run_summary(run.path)
        with self._lock:
            if len(self._runs) >= MOST:
                self._runs.clear()
            self._runs[key] = (stamp, made)
        return made


def _stamp(run: Run) -> tuple[int, ...]:
    """Changes with whatever a summary is made of."""
    pointer = run.store.root / "champions" / f"{run.pipeline}.json"
    paths = [run.path / "run.json", run.path, pointer, *_records(run)]
    return tuple(_changed(path) for path in paths)


def _records(run: Run) -> list[Path]:
    """Outcomes of steps, questions and answers."""
    return [path for folder in ("outcomes", "approvals") for path in sorted((run.path / folder).glob("*.json"))]


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


SUMMARIES = Summaries()
