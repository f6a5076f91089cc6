"""The toy in few tasks, whose new models a person lets go live."""

from dataclasses import replace

from kilnworks.pipelines.core.operations import Approval, Operations, Task
from kilnworks.pipelines.core.registry import load

MAKE = Task(group="make")
TOY = load("toy")
MADE = {step.name: MAKE for step in TOY.steps if step.name != "deployment"}
ASK = Task(approval=Approval(timeout_seconds=600, editable=("keep",)))

ASKED = replace(
    TOY, name="asked", schedule=None, operations=Operations(tasks={**MADE, "deployment": ASK}, deadline_seconds=1)
)
