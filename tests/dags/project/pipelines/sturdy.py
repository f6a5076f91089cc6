"""The toy in two tasks, which try again soon after they were killed."""

from dataclasses import replace

from kilnworks.pipelines.core.operations import Operations, Task
from kilnworks.pipelines.core.registry import load

ALL = Task(group="all", retry_seconds=1)
TOY = load("toy")

STURDY = replace(TOY, name="sturdy", schedule=None, operations=Operations(tasks={step.name: ALL for step in TOY.steps}))
