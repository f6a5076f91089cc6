"""What every run ends with, however it went: its report, and its figures in MLflow where a server is configured."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kilnworks.pipelines.core.os_errors import explained
from kilnworks.pipelines.core.records import whole_run
from kilnworks.pipelines.core.store import Run, Store
from kilnworks.schemas.champion import newest_moves
from kilnworks.schemas.files import write_json

TRACKED = "mlflow.json"
"""File of a run that holds MLflow's id of it: ``{"run_id": "..."}``."""


def finish_run(run: Run) -> Path:
    """Write the report of a run, and send its figures to the tracking server where one is configured.

    Returns:
        The report. A server that cannot be reached is a warning, never an error. Where the run's model has gone live,
        the report of the run whose model it replaced is written anew, because that one is no longer the champion.
    """
    from kilnworks.components.reporting.report import write_report
    from kilnworks.components.tracking.tracker import track_run

    live = _last_move(run.store, run.pipeline)
    with explained(run.store.root), whole_run(run) as seen:
        report = _kept(write_report(seen.path), run)
        tracked = track_run(seen.path)
        if tracked is not None:
            write_json(run.path / TRACKED, {"run_id": tracked})
    if _last_move(run.store, run.pipeline) != live:  # another process has moved the champion while it was written
        report_run(run)
    _report_before(run.store, run.pipeline, _last_move(run.store, run.pipeline, run.run_id))
    return report


def report_run(run: Run) -> Path:
    """Write the report of a run anew; returns where it is."""
    from kilnworks.components.reporting.report import write_report

    with explained(run.store.root), whole_run(run) as seen:
        return _kept(write_report(seen.path), run)


def report_replaced(store: Store, pipeline: str) -> None:
    """Write the report of the run anew whose model the last move replaced; nothing where that run is gone."""
    _report_before(store, pipeline, _last_move(store, pipeline))


def _report_before(store: Store, pipeline: str, move: Mapping[str, Any]) -> None:
    """Write the report of the run anew that was live before a move."""
    run_id = (move.get("previous") or {}).get("run_id")
    if run_id and (store.run(pipeline, run_id).path / "run.json").is_file():
        report_run(store.run(pipeline, run_id))


def _last_move(store: Store, pipeline: str, run_id: str | None = None) -> dict[str, Any]:
    """The record of the last move of the champion, or of the last to the model of a run; empty where there is none."""
    made = newest_moves(store.root, pipeline)
    return next((move for move in made if run_id in (None, move["run_id"])), {})


def _kept(report: Path, run: Run) -> Path:
    """The report in the folder of its run, here and in the remote store."""
    target = run.path / report.name
    if report != target:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(report, target)
    run.store.push(target.relative_to(run.store.root).as_posix())
    return target
