"""The last transitions, from which batches are drawn: all alike, or those with large errors more often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kilnworks.components.modeling.control.n_step import Transition
from kilnworks.components.modeling.control.sum_tree import SumTree

SMALLEST = 1e-3
"""What is added to an error, so that no transition is never drawn again."""


class Replay:
    """At most ``capacity`` transitions; the oldest make room (Lin 1992).

    Attributes:
        size: transitions that are there.
        played: steps of the environment so far.
    """

    def __init__(self, capacity: int, alpha: float | None) -> None:
        """``alpha``: how much errors count for being drawn, 0 to 1; None: all are drawn alike."""
        self.capacity, self.alpha, self.size, self.played, self._next = capacity, alpha, 0, 0, 0
        self._held: dict[str, np.ndarray] = {}
        self._tree = SumTree(capacity) if alpha is not None else None
        self._largest = 1.0

    def add(self, transitions: Sequence[Transition]) -> None:
        """Remember them; a new one is as likely to be drawn as the likeliest so far."""
        for one in transitions:
            row = _flat(one)
            if not self._held:
                self._held = {n: np.zeros((self.capacity, *v.shape), v.dtype) for n, v in row.items()}
            for name, value in row.items():
                self._held[name][self._next] = value
            if self._tree is not None and self.alpha is not None:
                self._tree.set(np.array([self._next]), np.array([self._largest**self.alpha]))
            self._next = (self._next + 1) % self.capacity
            self.size = min(self.size + 1, self.capacity)

    def judge(self, places: np.ndarray, errors: np.ndarray) -> None:
        """Note the absolute errors of some transitions, [n] both."""
        if self._tree is not None and self.alpha is not None and len(places):
            grown = errors.astype(np.float64) + SMALLEST
            self._largest = max(self._largest, float(grown.max()))
            self._tree.set(places, grown**self.alpha)

    def draw(self, batches: int, rows: int, beta: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Places of transitions, int32 [batches, rows], and what each counts in the loss, float32, 1 at most.

        By errors: one from each of ``rows`` parts of equal probability, weighed by ``(N P(i)) ** -beta`` over the
        largest of the batch (Schaul et al. 2016).
        """
        if self._tree is None:
            places = rng.integers(0, self.size, (batches, rows))
            return places.astype(np.int32), np.ones((batches, rows), np.float32)
        parts = (np.arange(rows) + rng.random((batches, rows))) / rows * self._tree.total
        places = np.minimum(self._tree.find(parts.reshape(-1)), self.size - 1).reshape(batches, rows)
        chance = self._tree.values[places] / self._tree.total
        weights = (self.size * chance) ** -beta
        weights /= weights.max(axis=1, keepdims=True)
        return places.astype(np.int32), weights.astype(np.float32)

    def taken(self, places: np.ndarray) -> dict[str, np.ndarray]:
        """The transitions at these places, [*places.shape, ...] by name (``before.X``, ``later.X``, ``action`` ...)."""
        return {name: values[places] for name, values in self._held.items()}

    @property
    def shapes(self) -> Mapping[str, np.ndarray]:
        """What is held, [capacity, ...] by name."""
        return self._held

    def state(self) -> dict[str, np.ndarray]:
        """All of it as arrays, for the backup."""
        counts = np.array([self.size, self._next, self.played])
        held = {f"held.{name}": values[: self.size] for name, values in self._held.items()}
        tree = {"tree": self._tree.values.copy()} if self._tree is not None else {}
        return {"counts": counts, "largest": np.array(self._largest), **held, **tree}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Take back what ``state`` gave, [...] by name."""
        self.size, self._next, self.played = (int(n) for n in state["counts"])
        self._largest = float(state["largest"])
        for name, values in state.items():
            if name.startswith("held."):
                array = np.zeros((self.capacity, *values.shape[1:]), values.dtype)
                array[: self.size] = values
                self._held[name.removeprefix("held.")] = array
        if self._tree is not None:
            self._tree.set(np.arange(self.capacity), state["tree"])


def _flat(one: Transition) -> dict[str, np.ndarray]:
    numbers = {
        "action": np.int32(one.action), "reward": np.float32(one.reward), "discount": np.float32(one.discount),
    }  # fmt: skip
    return {
        **{f"before.{n}": np.asarray(v) for n, v in one.observation.items()},
        **{f"later.{n}": np.asarray(v) for n, v in one.later.items()},
        **{n: np.asarray(v) for n, v in numbers.items()},
    }
