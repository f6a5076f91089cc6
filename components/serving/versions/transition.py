"""The rule that decides what to load and unload next: availability first.

An old version serves until a new one is available; a version that fails to load leaves the old one up.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Phase(Enum):
    """Where a managed version is in its life."""

    NEW = "new"
    LOADING = "loading"
    READY = "ready"
    UNLOADING = "unloading"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Snapshot:
    """A version as the rule sees it; ``aspired`` = the policy wants it served."""

    version: int
    phase: Phase
    aspired: bool


@dataclass(frozen=True)
class Action:
    """Load or unload one version."""

    load: bool
    version: int


def next_action(versions: Iterable[Snapshot]) -> Action | None:
    """What to do next for one model; None when there is nothing to do.

    First: unload the lowest version that is ready but not wanted, if no version is wanted, or a wanted one is ready,
    or more than one unwanted version is still up. Else: load the highest wanted version that is new.
    """
    known = list(versions)
    unwanted = [v.version for v in known if not v.aspired and v.phase is Phase.READY]
    wanted = [v for v in known if v.aspired]
    if unwanted and (not wanted or len(unwanted) > 1 or any(v.phase is Phase.READY for v in wanted)):
        return Action(load=False, version=min(unwanted))
    new = [v.version for v in wanted if v.phase is Phase.NEW]
    return Action(load=True, version=max(new)) if new else None
