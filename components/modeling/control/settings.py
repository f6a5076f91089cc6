"""How an agent explores, and what it draws from its memory. Imports nothing heavy."""

from __future__ import annotations

from pydantic import Field

from kilnworks.schemas.config import Config


class Exploration(Config):
    """The share of actions that are random: from ``start`` to ``end`` in a straight line."""

    start: float = Field(default=1.0, ge=0, le=1)
    """At the beginning, 0 to 1."""
    end: float = Field(default=0.05, ge=0, le=1)
    """From ``steps`` on, 0 to 1."""
    steps: int = Field(default=10_000, ge=1)
    """Steps of the environment until ``end``."""

    def at(self, played: int) -> float:
        """After so many steps of the environment."""
        return self.start + (self.end - self.start) * min(1.0, played / self.steps)


class Priority(Config):
    """Transitions with large errors are drawn more often (Schaul, Quan, Antonoglou & Silver 2016)."""

    alpha: float = Field(default=0.6, ge=0, le=1)
    """How much the error counts: 0 for nothing, 1 in proportion."""
    beta: float = Field(default=0.4, ge=0, le=1)
    """How much of the shift that this brings is taken back by weights in the loss, at the beginning."""
    steps: int = Field(default=50_000, ge=1)
    """Steps of the environment until all of it is taken back."""

    def at(self, played: int) -> float:
        """``beta`` after so many steps of the environment."""
        return self.beta + (1 - self.beta) * min(1.0, played / self.steps)
