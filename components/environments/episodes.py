"""Whole episodes of a policy, several at a time, so that the policy is asked once for all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kilnworks.components.environments.environment import Environment
from kilnworks.components.environments.spaces import actions_of, arrays_of, dtypes_of, stacked
from kilnworks.schemas.errors import KilnworksError, StepFailed

if TYPE_CHECKING:
    import numpy as np

TOGETHER = 32
"""Episodes that run beside one another, at most."""

Policy = Callable[[Mapping[str, "np.ndarray"]], "np.ndarray"]
"""From observations [n, *shape] by feature to numbers of actions [n], counted from 0."""


@dataclass(frozen=True)
class Played:
    """What came of some episodes.

    Attributes:
        returns: sum of the rewards of each, float64 [E].
        lengths: steps of each, int64 [E].
        terminated: whether each came to an end, and was not cut, bool [E].
        observations: of the first episode, [T, *shape] by feature.
        actions: of the first episode, [T].
    """

    returns: np.ndarray
    lengths: np.ndarray
    terminated: np.ndarray
    observations: Mapping[str, np.ndarray]
    actions: np.ndarray


class World:
    """One environment in which episodes are played one after the other; says in words what goes wrong inside it."""

    def __init__(self, environment: Environment) -> None:
        self._id, self._env = environment.id, environment.make()
        self.first, self.actions = actions_of(self._env)
        self.dtypes = dtypes_of(self._env.observation_space)
        self._last: Any = None

    @property
    def inside(self) -> Any:
        """The ``gymnasium.Env``."""
        return self._env

    def reset(self, seed: int) -> dict[str, np.ndarray]:
        """Begin an episode; its observation by feature."""

        def begun() -> dict[str, np.ndarray]:
            self._last, _ = self._env.reset(seed=seed)
            return arrays_of(self._last, self.dtypes)

        found: dict[str, np.ndarray] = self._asked(begun)
        return found

    def holds(self) -> bool:
        """Whether the last observation lies in the environment's own space."""
        return bool(self._env.observation_space.contains(self._last))

    def step(self, action: int) -> tuple[dict[str, np.ndarray], float, bool, bool]:
        """Do the action of this number, from 0: observation by feature, reward, terminated, truncated.

        Raises:
            StepFailed: the environment raises, or gives a reward that is not finite, or not what it should.
        """

        def done() -> tuple[dict[str, np.ndarray], float, bool, bool]:
            self._last, reward, terminated, truncated, _ = self._env.step(self.first + action)
            return arrays_of(self._last, self.dtypes), float(reward), bool(terminated), bool(truncated)

        observation, reward, terminated, truncated = self._asked(done)
        if not math.isfinite(reward):
            raise StepFailed(f"environment {self._id} gives reward {reward}", "a finite number", "mend its step()")
        return observation, reward, terminated, truncated

    def _asked(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except KilnworksError:
            raise
        except Exception as error:
            raise StepFailed(
                f"environment {self._id} raises {type(error).__name__}: {str(error).strip()[:300]}",
                "reset() -> (observation, info) and step() -> (observation, reward, terminated, truncated, info)",
                "mend the environment; --traceback in front of the command shows the line",
            ) from error

    def close(self) -> None:
        """Give back what the environment holds."""
        self._env.close()


@dataclass
class _Running:
    number: int
    world: World
    observation: Mapping[str, np.ndarray]
    total: float = 0.0
    length: int = 0
    seen: list[Mapping[str, np.ndarray]] = field(default_factory=list)
    done: list[int] = field(default_factory=list)


def play(environment: Environment, policy: Policy, episodes: int, seed: int) -> Played:
    """Play episodes; number ``i`` begins with ``reset(seed=seed + i)``, however many run beside one another.

    Raises:
        ConfigError: the environment cannot be made.
        StepFailed: it raises.
    """
    import numpy as np

    worlds = [World(environment) for _ in range(min(episodes, TOGETHER))]
    returns, lengths, ended = np.zeros(episodes), np.zeros(episodes, np.int64), np.zeros(episodes, bool)
    running = [_Running(i, world, world.reset(seed + i)) for i, world in enumerate(worlds)]
    first, waiting = running[0], len(running)
    while running:
        chosen = policy(stacked([one.observation for one in running]))
        going = []
        for one, action in zip(running, chosen.tolist(), strict=True):
            if one is first:
                one.seen.append(one.observation)
                one.done.append(int(action))
            one.observation, reward, terminated, truncated = one.world.step(int(action))
            one.total, one.length = one.total + reward, one.length + 1
            if not (terminated or truncated):
                going.append(one)
                continue
            returns[one.number], lengths[one.number], ended[one.number] = one.total, one.length, terminated
            if waiting < episodes:
                going.append(_Running(waiting, one.world, one.world.reset(seed + waiting)))
                waiting += 1
        running = going
    for world in worlds:
        world.close()
    return Played(returns, lengths, ended, stacked(first.seen), np.array(first.done))


def random_policy(actions: int, seed: int) -> Policy:
    """Any of so many actions, each as likely as the others."""
    import numpy as np

    rng = np.random.default_rng(seed)
    return lambda observations: rng.integers(0, actions, len(next(iter(observations.values()))))


def greedy(values: Callable[[Mapping[str, np.ndarray]], np.ndarray]) -> Policy:
    """The action of the largest value; ``values`` gives those of all actions, [n, A]."""
    return lambda observations: values(observations).argmax(axis=1)
