"""The churn pipeline with a task for each step."""

from dataclasses import replace

from kilnworks.pipelines.core.operations import Operations
from kilnworks.pipelines.core.registry import load

CHURN_STEPS = replace(load("churn"), name="churn_steps", schedule=None, operations=Operations())
