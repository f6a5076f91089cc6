"""The compared models, which a person lets go live."""

from dataclasses import replace

from kilnworks.pipelines.core.operations import Approval, Operations, Task
from kilnworks.pipelines.core.registry import load

CHALLENGED = load("challenged")
MAKE = {step.name: Task(group="make") for step in CHALLENGED.steps if step.name != "deployment"}
ASK = Task(approval=Approval(timeout_seconds=600))

WEIGHED = replace(CHALLENGED, name="weighed", operations=Operations(tasks={**MAKE, "deployment": ASK}))
