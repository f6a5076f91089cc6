"""A first pipeline for an environment: ``kilnworks new poles --data gym:CartPole-v1``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from kilnworks.components.environments.environment import LONGEST
from kilnworks.components.environments.episodes import Played, World, play, random_policy
from kilnworks.components.learning.optimizers import Adam
from kilnworks.components.learning.settings import EarlyStopping
from kilnworks.components.modeling.control.dqn import Dqn
from kilnworks.components.sources.environment import EnvironmentSource
from kilnworks.components.starting.recipe import Decision, Recipe
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.words import figure, listed

if TYPE_CHECKING:
    import numpy as np

PREFIX = "gym:"
EPOCHS, PATIENCE = 30, 8


def is_environment(data: str) -> bool:
    """Whether what is given as data is an environment."""
    return data.startswith(PREFIX)


def start_with_environment(name: str, data: str, *, label: str | None = None, task: str | None = None) -> Recipe:
    """Play at random, and decide on a first policy.

    Args:
        name: of the contract.
        data: ``gym:`` and a name of Gymnasium's registry, or ``module:name``.
        label: must be left out: what is learned are actions.
        task: must be left out.

    Raises:
        ConfigError: a label or a task, no such environment, or actions that are not some.
        StepFailed: the environment raises.
    """
    if label is not None or task is not None:
        raise ConfigError(
            f"--{'label' if label is not None else 'task'} with an environment", "neither: rewards say what is good",
            "leave it out",
        )  # fmt: skip
    source = EnvironmentSource(id=data.removeprefix(PREFIX))
    contract = source.contract(name)
    world = World(source.environment)
    spec = world.inside.spec
    world.close()
    chance, seconds = _played(source, world.actions)
    steps = int(chance.lengths.sum())
    decisions = [
        Decision("environment", source.id, f"{world.actions} actions; observes {listed(contract.features)}"),
        Decision("rows", f"{steps:,} steps of random play",
                 f"{source.episodes} episodes with a mean return of {figure(chance.returns.mean())}"),
        Decision("model", "dqn", "double, duelling, prioritized, returns of 3 steps; the epoch of the largest return"),
        Decision("gate", "none yet", "set EvaluateConfig(min={'mean_return': ...}, use='low')", flagged=True),
    ]  # fmt: skip
    training = {
        "epochs": EPOCHS, "batch": 64, "optimizer": Adam(learning_rate=1e-3), "monitor": "val_return",
        "early_stopping": EarlyStopping(patience=PATIENCE),
    }  # fmt: skip
    model = Dqn(environment=source.environment)
    longest = (spec.max_episode_steps if spec else None) or LONGEST
    return Recipe(
        contract, source, steps, model, training, decisions=tuple(decisions), step_seconds=seconds / steps,
        longest_episode=longest,
    )  # fmt: skip


def _played(source: EnvironmentSource, actions: int) -> tuple[Played, float]:
    """Episodes of random play, and their processor seconds, without those in which the environments are made."""
    at_random, begun = random_policy(actions, source.seed), list[float]()

    def policy(observations: Mapping[str, np.ndarray]) -> np.ndarray:
        if not begun:
            begun.append(time.process_time())
        return at_random(observations)

    found = play(source.environment, policy, source.episodes, source.seed)
    return found, time.process_time() - begun[0]
