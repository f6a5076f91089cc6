"""The toy with steps that share a process."""

from dataclasses import replace

from kilnworks.pipelines.core.operations import Operations, Task, ThisProcess
from kilnworks.pipelines.core.registry import load

TOY = load("toy")
LEARN = Task(group="learn", pool="training", timeout_seconds=600, retry_seconds=1)

GROUPED = replace(
    TOY,
    name="grouped",
    schedule=None,
    operations=Operations(
        tasks={"model": LEARN, "evaluation": LEARN, "servable": LEARN, "checked": Task(where=ThisProcess())}
    ),
)
