"""The toy, in one task, retrained on what arrives in a folder."""

import os
from dataclasses import replace

from kilnworks.components.retraining.policy import RetrainPolicy
from kilnworks.pipelines.core.operations import Operations, Task
from kilnworks.pipelines.core.registry import load

LANDING = os.environ.get("TOY_LANDING", "/nonexistent/landing")

ARRIVING = replace(
    load("toy"),
    name="arriving",
    schedule=None,
    operations=Operations(
        tasks={step.name: Task(group="all") for step in load("toy").steps},
        retrain=RetrainPolicy(
            landing=LANDING,
            pattern="*.csv",
            setting="checked.source.path",
            settle_seconds=1,
            coalesce_seconds=2,
            cool_down_seconds=0,
            max_per_day=1000,
            poll_seconds=1,
        ),
    ),
)
