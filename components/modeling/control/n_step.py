"""Rewards of several steps added up, with what has to be added for the rest of the episode."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np


class Transition(NamedTuple):
    """From one observation to a later one.

    Attributes:
        observation: by feature.
        action: number of what was done, from 0.
        reward: the discounted sum of rewards in between.
        later: the observation after that, by feature.
        discount: of the value of ``later``; 0 where the episode terminated.
    """

    observation: Mapping[str, np.ndarray]
    action: int
    reward: float
    later: Mapping[str, np.ndarray]
    discount: float


class Rewards:
    """The last steps of a running episode, at most ``steps`` of them, all but the first greedy.

    With the value of the best action behind them, this is the tree backup of a greedy policy (Sutton & Barto 2018,
    7.5).
    """

    def __init__(self, steps: int, discount: float) -> None:
        self._steps, self._discount = steps, discount
        self._waiting: deque[tuple[Mapping[str, np.ndarray], int, float]] = deque()
        self._later: Mapping[str, np.ndarray] = {}

    def add(
        self, observation: Mapping[str, np.ndarray], action: int, reward: float, later: Mapping[str, np.ndarray],
        terminated: bool, *, greedy: bool,
    ) -> list[Transition]:  # fmt: skip
        """Take one step, from ``observation`` to ``later`` ([*shape] by feature); the transitions that it completes.

        ``terminated``: whether the episode came to its end. One that was cut goes on in its value: call ``cut``.
        ``greedy``: whether the action was the best one; before another one, what waits takes the value of
        ``observation``, so that no reward of a random action is added to that of the action before it.
        """
        found = [] if greedy else self._all(ends=False)
        self._waiting.append((observation, action, reward))
        self._later = later
        if terminated:
            return found + self._all(ends=True)
        return [*found, self._first(ends=False)] if len(self._waiting) == self._steps else found

    def cut(self) -> list[Transition]:
        """The transitions of an episode that is not followed further, with the value of its last observation."""
        return self._all(ends=False)

    def _all(self, *, ends: bool) -> list[Transition]:
        return [self._first(ends=ends) for _ in range(len(self._waiting))]

    def _first(self, *, ends: bool) -> Transition:
        total = sum(self._discount**k * reward for k, (_, _, reward) in enumerate(self._waiting))
        rest = 0.0 if ends else self._discount ** len(self._waiting)
        observation, action, _ = self._waiting.popleft()
        return Transition(observation, action, total, self._later, rest)
