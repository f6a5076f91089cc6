"""The optimum of a small world that says what its actions lead to, by dynamic programming (Bellman 1957)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

Outcomes = Mapping[int, Mapping[int, Sequence[tuple[float, int, float, bool]]]]
"""By state and action: probability, next state, reward, whether the episode ends."""
TOLERANCE, SWEEPS = 1e-10, 100_000
LARGEST = 100_000
"""States and actions together that are solved, at most."""


def outcomes_of(environment: Any) -> Outcomes | None:
    """``P`` of a ``gymnasium.Env`` of numbered states, as of Gymnasium's toy texts; None where it has none."""
    import gymnasium

    inside = getattr(environment, "unwrapped", environment)
    found, space = getattr(inside, "P", None), environment.observation_space
    if not isinstance(found, Mapping) or not isinstance(space, gymnasium.spaces.Discrete):
        return None
    return found if int(space.n) * len(found[next(iter(found))]) <= LARGEST else None


def value_iteration(outcomes: Outcomes, discount: float) -> np.ndarray:
    """The optimal value of every action in every state, [S, A] float64; accurate to about 1e-10.

    ``discount``: of a reward one step later, 0 to 1; with 1, episodes have to end under every policy that is worth it.
    """
    import numpy as np

    states, actions = len(outcomes), len(outcomes[0])
    flat = [
        (s * actions + a, p, after, reward, 0.0 if ends else discount)
        for s in range(states) for a in range(actions) for p, after, reward, ends in outcomes[s][a]
    ]  # fmt: skip
    row, share, after, reward, kept = (np.array(column) for column in zip(*flat, strict=True))
    paid = np.bincount(row, share * reward, states * actions)
    values: np.ndarray = np.zeros((states, actions))
    for _ in range(SWEEPS):
        later = np.bincount(row, share * kept * values.max(axis=1)[after], states * actions)
        new: np.ndarray = (paid + later).reshape(states, actions)
        moved = float(np.abs(new - values).max())
        values = new
        if moved < TOLERANCE:
            break
    return values
