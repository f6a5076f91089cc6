"""The run report: one HTML file that needs nothing else, for a run in any state.

The page loads nothing from outside and runs no script; its content security policy says so too. A section that cannot
be read says why, and the others are still there: a report must not hide the error that it was written for.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kilnworks.components.reporting.reading import RunRecord, read_run
from kilnworks.components.reporting.sections.compression import compression
from kilnworks.components.reporting.sections.data import data
from kilnworks.components.reporting.sections.diagnosis import diagnosis
from kilnworks.components.reporting.sections.drift import drift
from kilnworks.components.reporting.sections.environment import environment
from kilnworks.components.reporting.sections.evaluation import evaluation
from kilnworks.components.reporting.sections.explained import explanations
from kilnworks.components.reporting.sections.folds import folds
from kilnworks.components.reporting.sections.gates import gates
from kilnworks.components.reporting.sections.landed import landed
from kilnworks.components.reporting.sections.overview import overview, problems
from kilnworks.components.reporting.sections.serving import serving
from kilnworks.components.reporting.sections.steps import steps
from kilnworks.components.reporting.sections.training import training
from kilnworks.components.reporting.templates import template
from kilnworks.schemas.files import write_text

REPORT = "report.html"
REFRESH_SECONDS = 5
"""A page of a run that goes on loads itself again so often."""
QUIET_SECONDS = 900.0
"""A run of which nothing was heard for so long is not waited for."""

SECTIONS: dict[str, Callable[[RunRecord], Any]] = {
    "gates": gates,
    "steps": steps,
    "landed": landed,
    "data": data,
    "drift": drift,
    "training": training,
    "diagnosis": diagnosis,
    "folds": folds,
    "compression": compression,
    "evaluation": evaluation,
    "explanations": explanations,
    "serving": serving,
    "environment": environment,
}


def render_report(run_dir: Path) -> str:
    """The page for the run in ``run_dir``, whatever state the run is in."""
    run = read_run(run_dir)
    sections, broken = {}, {}
    for name, build in SECTIONS.items():
        sections[name], problem = _built(build, run)
        if problem:
            broken[name] = problem
    return template("report.html.j2").render(
        head=overview(run),
        problems=problems(run),
        broken=broken,
        refresh=_refresh(run),
        **sections,
    )


def refresh_seconds(run_dir: Path) -> int:
    """How often a page of the run in ``run_dir`` loads itself again; 0 where nothing more comes."""
    return _refresh(read_run(run_dir))


def write_report(run_dir: Path) -> Path:
    """Write ``report.html`` into ``run_dir``, in one rename, and return its path."""
    path = run_dir / REPORT
    write_text(path, render_report(run_dir))
    return path


def _refresh(run: RunRecord) -> int:
    return REFRESH_SECONDS if run.outcome == "running" and _moves(run.path) else 0


def _moves(run_dir: Path) -> bool:
    """Whether something was written of late; a run that was killed says that it runs for ever."""
    changed = [path.stat().st_mtime for path in run_dir.glob("outcomes/*.json")]
    return bool(changed) and time.time() - max(changed) < QUIET_SECONDS


def _built(build: Callable[[RunRecord], Any], run: RunRecord) -> tuple[Any, str]:
    """A section, or the reason why its files could not be understood."""
    try:
        return build(run), ""
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OSError, ArithmeticError) as error:
        return None, f"{type(error).__name__}: {error}"
