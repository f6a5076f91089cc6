"""What is told of a step while it runs: to a terminal, to a log."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from kilnworks.schemas.context import Progress

Status = Literal["running", "done", "cached", "skipped", "failed"]


@dataclass(frozen=True)
class StepEvent:
    """One change in the life of a step, for whoever watches the run.

    Attributes:
        step: its name.
        status: where it stands now.
        progress: how far it has come; only while running.
        seconds: wall time; only when ended.
        reason: why it was skipped or failed, in one line; for ``cached`` the run that made it; for
            ``done`` why it was made again.
    """

    step: str
    status: Status
    progress: Progress | None = None
    seconds: float | None = None
    reason: str = ""


Listener = Callable[[StepEvent], None]


def nobody(_: StepEvent) -> None:
    """A listener for runs that nobody watches."""
