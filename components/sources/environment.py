"""Rows from an environment: what is observed and done while somebody plays in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from kilnworks.components.environments.environment import Environment
from kilnworks.components.environments.episodes import World
from kilnworks.components.environments.spaces import ACTION, contract_of, parts
from kilnworks.components.sources.base import Source, Wanted
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import DataInvalid

if TYPE_CHECKING:
    import polars as pl


class EnvironmentSource(Source):
    """Observations and actions of random play: checked, profiled and compared as any rows, and what drift is held to.

    A policy does not learn from these rows, but from what it plays itself (``Dqn``).
    """

    location_fields: ClassVar[tuple[str, ...]] = ()

    kind: Literal["environment"] = "environment"
    id: str
    """A name in Gymnasium's registry, or ``module:name`` of a class or function that makes an environment."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Arguments that it is made with."""
    max_steps: int | None = Field(default=None, ge=1)
    """Steps after which an episode is cut; by default the environment's own limit, else 1,000."""
    episodes: int = Field(default=50, ge=1)
    """Episodes that are played for the rows."""
    policy: Literal["random"] = "random"
    """Who plays: any action, each as likely as the others."""
    seed: int = Field(default=0, ge=0)
    """Of the play; episode ``i`` begins with ``reset(seed=seed + i)``."""

    def __str__(self) -> str:
        """The name, for messages."""
        return f"environment {self.id}"

    @property
    def environment(self) -> Environment:
        """The environment alone."""
        return Environment(id=self.id, options=self.options, max_steps=self.max_steps)

    def contract(self, name: str) -> Contract:
        """What is observed as features, what can be done as classes of the label ``action``. Errors as of ``make``."""
        return contract_of(name, self.environment.make(), f"Observations and actions in {self.id}, one step each.")

    def fingerprint(self) -> str:
        """SHA-256 of what decides the rows: environment, its version or source, episodes and seed."""
        content = {"environment": self.environment.identity(), "episodes": self.episodes, "seed": self.seed}
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()

    def column_names(self, split: str | None = None) -> list[str]:
        """The parts of an observation, and ``action``."""
        return [*parts(self.environment.make().observation_space), ACTION]

    def batches(self, names: list[str], wanted: Wanted, split: str | None = None) -> Iterator[pl.DataFrame]:
        """A row for each step of every episode, about ``wanted.batch_rows`` at a time.

        Raises:
            DataInvalid: an observation that lies outside of the environment's own space.
        """
        import numpy as np

        world, rng, rows = World(self.environment), np.random.default_rng(self.seed), []
        for episode in range(self.episodes):
            observation, done = world.reset(self.seed + episode), False
            while not done:
                action = int(rng.integers(world.actions))
                rows.append({**observation, ACTION: np.int64(world.first + action)})
                if not world.holds():
                    raise DataInvalid(
                        f"{self} gives {str(observation)[:200]} in episode {episode + 1}",
                        f"an observation of {world.inside.observation_space}",
                        "correct the environment's observation_space, or what it observes",
                    )
                observation, _, terminated, truncated = world.step(action)
                done = terminated or truncated
                if len(rows) >= wanted.batch_rows:
                    yield _frame(rows, names)
                    rows = []
        world.close()
        if rows:
            yield _frame(rows, names)


def _frame(rows: list[dict[str, Any]], names: list[str]) -> pl.DataFrame:
    import numpy as np
    import polars as pl

    columns = {name: np.stack([row[name] for row in rows]) for name in names}
    return pl.DataFrame(
        [pl.Series(name, values.reshape(len(rows), -1) if values.ndim > 1 else values)
         for name, values in columns.items()]
    )  # fmt: skip
