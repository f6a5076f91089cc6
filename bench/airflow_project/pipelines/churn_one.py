"""The churn pipeline with its steps in one process, as the local run has them."""

from dataclasses import replace

from kilnworks.pipelines.core.operations import Operations, Task
from kilnworks.pipelines.core.registry import load

CHURN = load("churn")
ONE = Task(group="all")

CHURN_ONE = replace(
    CHURN, name="churn_one", schedule=None, operations=Operations(tasks={step.name: ONE for step in CHURN.steps})
)
