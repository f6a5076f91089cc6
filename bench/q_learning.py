"""What each part of deep Q-learning brings in a world whose optimum is known; prints the table of ``docs/control.md``.

A small map of the world of ``gridworld``, with one part changed at a time, three seeds each. After every block of
training steps the values of all squares are held against those of value iteration with the same discount.

usage: python -m bench.q_learning [--seeds N] [--steps N] [--only NAME ...]
"""

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kilnworks.components.environments.grid import GridWorld

WORLD = "bench.q_learning:Counted"
MAP = ("S..#.", ".#...", "...X.", ".#..G")
"""The shortest way takes 7 steps."""
EPOCH = 500
SETTINGS: Mapping[str, Any] = {
    "units": (64, 64), "discount": 0.97, "target_every": 100, "warm_up": 500, "steps": EPOCH,
    "exploration": {"end": 0.2, "steps": 2000},
}  # fmt: skip
RATE, BATCH = 1e-3, 64
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "all, `n_step` 3": {},
    "`n_step` 1": {"n_step": 1},
    "`n_step` 5": {"n_step": 5},
    "not `double`": {"double": False},
    "not `dueling`": {"dueling": False},
    "no `priority`": {"priority": None},
    "none of the four, `n_step` 1": {"n_step": 1, "double": False, "dueling": False, "priority": None},
}


class Counted(GridWorld):
    """The world of ``gridworld``, whose episodes are counted over all that are made."""

    began = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Back to the start."""
        Counted.began += 1
        return super().reset(seed=seed, options=options)


@dataclass(frozen=True)
class Found:
    """One training.

    Attributes:
        first: episodes that had begun when the greedy way from the start first was the best one; None: never.
        last: those when it last was not; 0: it was always.
        error: mean distance of the value of a square, that of its best action, from the exact one, in rewards.
        above: mean of what is too much, less what is too little.
        right: share of the squares whose greedy action is a best one.
        seconds: of the processor.
    """

    first: int | None
    last: int
    error: float
    above: float
    right: float
    seconds: float


def trained(seed: int, steps: int, changed: Mapping[str, Any]) -> Found:
    """Play and train for so many steps, looked at after each block."""
    import keras

    from bench.q_learning import Counted as Played  # run as a program, this file is another module than WORLD names
    from kilnworks.components.environments.exact import value_iteration
    from kilnworks.components.learning.loop import BlockFunction, parts
    from kilnworks.components.learning.optimizers import Adam
    from kilnworks.components.modeling.control.dqn import Dqn
    from kilnworks.components.sources import EnvironmentSource
    from kilnworks.components.tasks.control import Control

    source = EnvironmentSource(id=WORLD, options={"map": list(MAP)}, max_steps=50)
    architecture = Dqn.model_validate({**SETTINGS, "environment": source.environment, **changed})
    keras.utils.set_random_seed(seed)
    task = Control.of(source.contract("world"))
    learner = architecture.learner(encoded(), task)
    learning = learner.phases[0].trained
    learning.compile(optimizer=Adam().build(RATE), loss=task.loss())
    learning.optimizer.build(learning.trainable_variables)
    world = GridWorld(MAP)
    exact = value_iteration(world.P, architecture.discount)
    squares = np.array([s for s, kind in enumerate(world.squares) if kind in "S."])
    assert learner.feed is not None
    feed = learner.feed(None, BATCH, seed)
    train = BlockFunction(learning, feed, jit=False)
    items = parts(feed.blocks(range(steps // EPOCH), feed.longest_block), None)
    Played.began, first, last, began = 0, None, 0, time.process_time()
    values = np.zeros_like(exact)
    for _ in range(steps // EPOCH * -(-EPOCH // feed.longest_block)):
        train(items)
        values = np.asarray(learner.model({"observation": np.arange(len(exact))}), np.float64)
        if best_way(world, values, exact):
            first = Played.began if first is None else first
        else:
            last = Played.began
    off = (values.max(axis=1) - exact.max(axis=1))[squares]
    chosen = exact[squares, values[squares].argmax(axis=1)]
    right = float(np.isclose(chosen, exact[squares].max(axis=1)).mean())
    return Found(first, last, float(np.abs(off).mean()), float(off.mean()), right, time.process_time() - began)


def encoded() -> tuple[Any, ...]:
    """The number of a square, as it is sent."""
    from kilnworks.components.features.encoded import AS_SENT, EncodedTensor

    return (EncodedTensor(name="observation", shape=(), dtype="int64", kind=AS_SENT),)


def best_way(world: GridWorld, values: np.ndarray, exact: np.ndarray) -> bool:
    """Whether every greedy action on the way from the start is a best one, up to the end of the episode."""
    at, ends = world.start, False
    while not ends:
        action = int(values[at].argmax())
        if not np.isclose(exact[at, action], exact[at].max()):
            return False
        ((_, at, _, ends),) = world.P[at][action]
    return True


def row(name: str, found: Sequence[Found]) -> str:
    """Medians, lowest to highest in brackets."""

    def cell(numbers: Sequence[float | None], form: str) -> str:
        known = [n for n in numbers if n is not None]
        if len(known) < len(numbers):
            return f"in {len(known)} of {len(numbers)}"
        return f"{statistics.median(known):{form}} ({min(known):{form}} to {max(known):{form}})"

    cells = [cell([f.first for f in found], ".0f"), cell([f.last for f in found], ".0f")]
    cells += [cell([getattr(f, part) for f in found], form) for part, form in
              (("error", ".2f"), ("above", "+.2f"), ("right", ".2f"))]  # fmt: skip
    return f"| {name} | {' | '.join(cells)} | {statistics.median(f.seconds for f in found):.0f} |"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=3_000)
    parser.add_argument("--only", nargs="+", default=[*VARIANTS], choices=[*VARIANTS])
    args = parser.parse_args()
    print("| | episodes until the way is the best | until it stays so | error of the values | of it too high | "
          "squares with a best action | CPU s |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    for name in args.only:
        print(row(name, [trained(seed, args.steps, VARIANTS[name]) for seed in range(args.seeds)]), flush=True)


if __name__ == "__main__":
    main()
