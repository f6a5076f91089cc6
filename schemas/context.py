"""What a running step may know of its surroundings, handed in by the caller.

A component asks for it by a parameter ``context: RunContext``; most need none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from kilnworks.schemas.champion import Decided


@dataclass(frozen=True)
class Progress:
    """How far a step has come; ``total`` is None where it is not known in advance.

    ``numbers``: those of an epoch that has just ended, by name; empty at any other time. ``unjudged``: epochs before it
    that did not report the number by which epochs are judged, as those of a phase that learns without the label.
    ``worked`` and ``left``: what is done and what is likely still to come, in one unit, where ``done`` and ``total`` do
    not say it, as of a training that early stopping may end.
    """

    done: float
    total: float | None
    note: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    unjudged: int = 0
    worked: float | None = None
    left: float | None = None

    @property
    def so_far(self) -> float:
        """What is done, in the unit of ``expected``."""
        return self.done if self.worked is None else self.worked

    @property
    def expected(self) -> float | None:
        """What is likely to be done in the end; None where nothing is known of it."""
        return self.total if self.left is None else self.so_far + self.left


def ignore(_: Progress) -> None:
    """A progress listener for those who have none."""


@dataclass(frozen=True)
class RunContext:
    """Where a step runs.

    Attributes:
        store: local root of the store; published models live below ``store / "serving"``.
        pipeline, run_id, step: the names under which the artifact will be known.
        work: a directory that survives a crash of this step and is given again to the next attempt
            at the same fingerprint (checkpoints); removed once the artifact is published.
        progress: called with a ``Progress`` as often as the step likes; cheap.
        decide: who lets the result go live, and why; raises ``StepSkipped`` where nobody does. Asked once before the
            step; a step that publishes asks again while it holds what others would change.
    """

    store: Path
    pipeline: str
    run_id: str
    step: str
    work: Path
    progress: Callable[[Progress], None] = field(default=ignore)
    decide: Callable[[], Decided] = field(default=Decided)
