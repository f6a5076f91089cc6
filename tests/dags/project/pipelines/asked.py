"""The toy whose new models a person lets go live."""

from dataclasses import replace

from pipelines.core.operations import Approval, Operations, Task
from pipelines.core.registry import load

ASKED = replace(
    load("toy"),
    name="asked",
    schedule=None,
    operations=Operations(
        tasks={"deployment": Task(approval=Approval(timeout_seconds=600, editable=("keep",)))}, deadline_seconds=1
    ),
)
