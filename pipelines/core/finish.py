"""What every run ends with, however it went: its report, and its figures in MLflow."""

import shutil
from pathlib import Path

from pipelines.core.records import whole_run
from pipelines.core.store import Run, explained
from schemas.files import write_json

TRACKED = "mlflow.json"
"""File of a run that holds MLflow's id of it: ``{"run_id": "..."}``."""


def finish_run(run: Run) -> Path:
    """Write the report of a run and send its figures to the tracker.

    Returns:
        The report. A tracker that cannot be reached is a warning, never an error.
    """
    from components.reporting.report import write_report
    from components.tracking.tracker import track_run

    with explained(run.store.root), whole_run(run) as seen:
        report = _kept(write_report(seen.path), run)
        tracked = track_run(seen.path, run.store.root)
        if tracked is not None:
            write_json(run.path / TRACKED, {"run_id": tracked})
    return report


def report_run(run: Run) -> Path:
    """Write the report of a run anew; returns where it is."""
    from components.reporting.report import write_report

    with explained(run.store.root), whole_run(run) as seen:
        return _kept(write_report(seen.path), run)


def _kept(report: Path, run: Run) -> Path:
    """The report in the folder of its run, here and in the remote store."""
    target = run.path / report.name
    if report != target:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(report, target)
    run.store.push(target.relative_to(run.store.root).as_posix())
    return target
