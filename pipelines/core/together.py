"""Several steps of one run in one process, each through ``run_step``: heavy libraries are imported once.

This is what an orchestrator's task calls, for one step or for a group. A step whose input was skipped in this run
is skipped here too, so that a gate closes the same way however the steps are cut into tasks.
"""

from collections.abc import Sequence
from contextlib import suppress

from pipelines.core.events import Listener, Status, nobody
from pipelines.core.execute import remember_code, run_step
from pipelines.core.gates import skip_blocked
from pipelines.core.graph import Pipeline
from pipelines.core.store import Run
from schemas.errors import StepSkipped


def run_together(
    pipeline: Pipeline, names: Sequence[str], run: Run, *, fresh: bool = False, listener: Listener = nobody
) -> dict[str, Status]:
    """Run the named steps, in the order of the pipeline; what they need has ended in ``run`` before.

    Args:
        pipeline: the definition, already configured.
        names: steps of it.
        run: where the results belong.
        fresh: make them again even where equal artifacts exist.
        listener: told of every change.

    Returns:
        Step name -> how it ended.

    Raises:
        UnknownName: no such step; nothing has run.
        KilnworksError: the first failure; what had finished stays finished and is taken from there next time.
    """
    chosen = {pipeline[name].name for name in names}
    remember_code(pipeline, chosen)
    outcome: dict[str, Status] = {}
    for step in pipeline.steps:
        if step.name not in chosen:
            continue
        outcome[step.name] = "skipped"
        with suppress(StepSkipped):
            if not skip_blocked(pipeline, step.name, run, listener):
                outcome[step.name] = run_step(pipeline, step.name, run, fresh=fresh, listener=listener)
    return outcome


def skip_rest(pipeline: Pipeline, run: Run) -> None:
    """Record the steps that an orchestrator left out because a step before them was skipped."""
    for step in pipeline.steps:
        if run.outcome(step.name) is None:
            skip_blocked(pipeline, step.name, run)
