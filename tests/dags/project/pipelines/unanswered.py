"""The toy whose new models go live when nobody objects in time."""

from dataclasses import replace

from kilnworks.pipelines.core.operations import Approval, Operations, Task
from kilnworks.pipelines.core.registry import load

MAKE = Task(group="make")
TOY = load("toy")
MADE = {step.name: MAKE for step in TOY.steps if step.name != "deployment"}
ASK = Task(approval=Approval(timeout_seconds=1, default="approve"))

UNANSWERED = replace(TOY, name="unanswered", schedule=None, operations=Operations(tasks={**MADE, "deployment": ASK}))
