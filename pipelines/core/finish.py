"""What every run ends with, however it went: its report, and its figures in MLflow."""

from pathlib import Path

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

    with explained(run.store.root):
        report = write_report(run.path)
        run.store.push(report.relative_to(run.store.root).as_posix())
        tracked = track_run(run.path, run.store.root)
        if tracked is not None:
            write_json(run.path / TRACKED, {"run_id": tracked})
    return report
