"""What members of a forecast look at, and random changes of a series while one trains."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from kilnworks.schemas.config import Config


class View(Config):
    """What some of the members look at: who sees different things errs differently (random subspaces: Ho 1998)."""

    days: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Which of the last days are seen; by default all that the architecture's ``days`` and the window hold."""
    around: int = Field(default=0, ge=0, le=24)
    """Steps before and behind a step, as many each, of which label and what is known ahead are seen, too."""
    before: bool = True
    """Whether what is known ahead is seen of days before, too: of the last and of the farthest one."""


class SeriesAugmentation(Config):
    """Random changes of windows; each gets others in every epoch."""

    jitter: float = Field(default=0.0, ge=0, le=1)
    """Standard deviation of noise on each value of the history, in deviations of its window; what comes next stays."""
    scaling: float = Field(default=0.0, ge=0, lt=1)
    """Standard deviation, in logarithms, of what history and all that comes next are multiplied by together."""
    rate: float = Field(default=0.7, ge=0, le=1)
    """Share of windows that are changed in an epoch, 0 to 1; the others stay as they are."""

    @property
    def changes(self) -> bool:
        """Whether anything is changed."""
        return bool(self.jitter or self.scaling)
