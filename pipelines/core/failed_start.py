"""A task that cannot begin leaves its reason in the run, where page, note, report and alert look for it."""

from collections.abc import Iterator
from contextlib import contextmanager

from kilnworks.pipelines.core.registry import names
from kilnworks.pipelines.core.store import Run
from kilnworks.schemas.errors import KilnworksError


@contextmanager
def failed_start_recorded(run: Run, steps: list[str], command: str, trigger: str) -> Iterator[None]:
    """Record an error of the block, in which settings are read, as the failure of the first step.

    The settings that were refused are not kept, so that the run can be begun again with better ones. Nothing is
    recorded of a pipeline that does not exist.

    Args:
        run: of which steps are about to be run.
        steps: their names, as they were typed.
        command: starts or resumes the run, for ``run.json``.
        trigger: what started it, for the same.
    """
    try:
        yield
    except KilnworksError as error:
        if run.pipeline in names() and steps[0].isidentifier():
            run.begin(command, {}, trigger=trigger)
            run.record(steps[0], "failed", seconds=0.0, reason=error.got, error=error.record())
        raise
