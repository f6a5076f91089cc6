"""A policy judged by play: greedy episodes, random ones beside them, and the optimum of a world that is known."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kilnworks.components.environments.environment import Environment
from kilnworks.components.environments.episodes import Played, World, greedy, play, random_policy
from kilnworks.components.environments.exact import Outcomes, outcomes_of, value_iteration
from kilnworks.components.environments.spaces import OBSERVATION
from kilnworks.schemas.errors import ConfigError

FRAMES, SIDE = 8, 120
"""Pictures of a strip, and pixels of the longer side of each, at most."""
POINTS, PARTS = 120, 8
"""First steps and parts of an observation that are drawn, at most; of every fifth step, what goes to and fro would look
like something else."""
SHOWN = 200
"""Returns that are kept for a picture, at most."""

Run = Callable[[Mapping[str, np.ndarray]], np.ndarray]


def judged_play(
    environment: Environment, run: Run, episodes: int, seed: int, discount: float
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Returns and lengths by episode, [E] each, and ``play`` and perhaps ``optimum`` for ``evaluation.json``.

    Args:
        environment: to be played in.
        run: from observations by feature, [n, ...], to values of actions [n, A].
        episodes: of the policy, and of random actions.
        seed: of the first; both kinds have the same ones.
        discount: of a reward one step later, for the optimum.

    Raises:
        ConfigError, StepFailed: as ``play``.
    """
    ours = play(environment, greedy(run), episodes, seed)
    world = World(environment)
    chance = play(environment, random_policy(world.actions, seed), episodes, seed)
    told: dict[str, Any] = {"play": {**_drawn(environment, ours, seed, world.first), **_returns(ours, chance)}}
    outcomes = outcomes_of(world.inside)
    if outcomes is not None and discount < 1:
        told["optimum"] = _optimum(environment, outcomes, run, (episodes, seed), discount)
    world.close()
    answers = {
        "episode_return": ours.returns, "episode_length": ours.lengths,
        "random_return": chance.returns, "random_length": chance.lengths,
    }  # fmt: skip
    return answers, told


def policy_value(outcomes: Outcomes, actions: np.ndarray, discount: float) -> np.ndarray:
    """What a policy is worth in every state, [S], by the linear equations of Bellman; ``actions`` [S] is the policy."""
    states = len(outcomes)
    matrix, paid = np.eye(states), np.zeros(states)
    for state in range(states):
        for share, after, reward, ends in outcomes[state][int(actions[state])]:
            paid[state] += share * reward
            matrix[state, after] -= 0.0 if ends else share * discount
    return np.linalg.solve(matrix, paid)


def _optimum(
    environment: Environment, outcomes: Outcomes, run: Run, played: tuple[int, int], discount: float
) -> dict[str, Any]:
    """What the best policy earns in the same episodes, and how far ours is from it in the states that it comes to."""
    best = value_iteration(outcomes, discount)
    found = run({OBSERVATION: np.arange(len(outcomes), dtype=np.int64)}).astype(np.float64)
    theirs = play(environment, lambda seen: best[seen[OBSERVATION]].argmax(axis=1), *played)
    met = np.unique(theirs.observations[OBSERVATION])
    start = int(theirs.observations[OBSERVATION][0])
    worth = policy_value(outcomes, found.argmax(axis=1), discount)
    return {
        "discount": discount,
        "mean_return": float(theirs.returns.mean()),
        "value": float(best[start].max()),
        "policy_value": float(worth[start]),
        "largest_error": float(np.abs(found[met].max(axis=1) - best[met].max(axis=1)).max()),
        "states": len(met),
    }


def _returns(ours: Played, chance: Played) -> dict[str, Any]:
    return {
        "returns": ours.returns[:SHOWN].tolist(),
        "random": chance.returns[:SHOWN].tolist(),
        "terminated": float(ours.terminated.mean()),
    }


def _drawn(environment: Environment, ours: Played, seed: int, first: int) -> dict[str, Any]:
    """The first episode: some frames, where the environment can be looked at, and what was observed."""
    moments = np.unique(np.linspace(0, len(ours.actions) - 1, min(FRAMES, len(ours.actions))).round().astype(int))
    seen = {
        name: values.reshape(len(values), -1).astype(np.float64)
        for name, values in ours.observations.items() if values.dtype != np.uint8
    }  # fmt: skip
    columns = {
        (name if values.shape[1] == 1 else f"{name} {i + 1}"): values[:, i]
        for name, values in seen.items() for i in range(values.shape[1])
    }  # fmt: skip
    return {
        "environment": environment.id,
        "length": len(ours.actions),
        "moments": moments.tolist(),
        "frames": _frames(environment, ours, seed, first, set(moments.tolist())),
        "observed": {name: column[:POINTS].tolist() for name, column in list(columns.items())[:PARTS]},
        "actions": (ours.actions[moments] + first).tolist(),
        "states": {name: column[moments].tolist() for name, column in list(columns.items())[:PARTS]},
    }


def _frames(environment: Environment, ours: Played, seed: int, first: int, moments: set[int]) -> list[str]:
    """PNGs in base64; empty where the environment cannot be looked at, or needs a package for it that is not there."""
    from gymnasium.error import DependencyNotInstalled

    try:
        made = environment.make(pixels=True)
        made.reset(seed=seed)
        drawn = []
        for number, action in enumerate(ours.actions.tolist()):
            if number in moments:
                drawn.append(_png(made.render()))
            made.step(first + action)
        made.close()
    except (DependencyNotInstalled, ConfigError):
        return []
    return drawn if all(drawn) else []


def _png(frame: Any) -> str:
    from PIL import Image

    pixels = np.asarray(frame)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        return ""
    image = Image.fromarray(pixels)
    image.thumbnail((SIDE, SIDE))
    held = io.BytesIO()
    image.save(held, "PNG", optimize=True)
    return base64.b64encode(held.getvalue()).decode()
