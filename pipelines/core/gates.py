"""The one rule of closed gates: what hangs on a skipped step is skipped too, however a run is cut into tasks."""

from kilnworks.pipelines.core.events import Listener, StepEvent, nobody
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.store import Run


def skip_blocked(pipeline: Pipeline, name: str, run: Run, listener: Listener = nobody) -> bool:
    """Record a step as skipped where one that feeds it was skipped in this run; says whether that is so.

    ``blocked_by`` of its outcome names that one. A step whose own gate closed has no such entry.
    """
    for upstream in pipeline[name].upstream():
        if (run.outcome(upstream) or {}).get("outcome") == "skipped":
            reason = f"{upstream} was skipped"
            run.record(name, "skipped", seconds=0.0, reason=reason, blocked_by=upstream)
            listener(StepEvent(name, "skipped", seconds=0.0, reason=reason))
            return True
    return False


def skip_rest(pipeline: Pipeline, run: Run) -> None:
    """Record the steps that an orchestrator left out because a step before them was skipped."""
    for step in pipeline.steps:
        if run.outcome(step.name) is None:
            skip_blocked(pipeline, step.name, run)
