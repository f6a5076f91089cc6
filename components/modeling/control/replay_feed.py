"""Batches of transitions from play: some steps of the environments, then as many batches as the steps are worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from kilnworks.components.environments.environment import Environment
from kilnworks.components.environments.episodes import World
from kilnworks.components.environments.spaces import stacked
from kilnworks.components.modeling.control.n_step import Rewards
from kilnworks.components.modeling.control.q_learning import QLearning
from kilnworks.components.modeling.control.replay import Replay
from kilnworks.components.modeling.control.settings import Exploration, Priority
from kilnworks.components.modeling.feeds.feed import Feed

LONGEST = 32
"""Training steps between which the actor's weights do not change, at most."""

Values = Callable[[Mapping[str, np.ndarray]], np.ndarray]
"""From observations [n, *shape] by feature to values [n, A]."""


@dataclass(frozen=True)
class Plays:
    """How a game is played while it is learned.

    Attributes:
        environment: which.
        environments: how many of it beside one another.
        steps: training steps of an epoch.
        per_step: steps of an environment before each of them.
        memory: transitions that are remembered.
        warm_up: of these before the first training step, all of random actions.
        n_step: rewards that are added up, at most; never over a random action.
        discount: of a reward one step later.
        exploration: random actions after that.
        priority: what is drawn more often; None for nothing.
    """

    environment: Environment
    environments: int
    steps: int
    per_step: float
    memory: int
    warm_up: int
    n_step: int
    discount: float
    exploration: Exploration
    priority: Priority | None


class _Player:
    """One environment, its running episode, and the rewards that wait to be added up."""

    def __init__(self, world: World, plays: Plays, seeds: np.random.Generator) -> None:
        self.world, self._seeds = world, seeds
        self.rewards = Rewards(plays.n_step, plays.discount)
        self.observation = self._begun()

    def _begun(self) -> Mapping[str, np.ndarray]:
        return self.world.reset(int(self._seeds.integers(2**31)))

    def step(self, action: int, greedy: bool, replay: Replay) -> None:
        """One step, remembered; an episode that is over begins anew."""
        later, reward, terminated, truncated = self.world.step(action)
        replay.add(self.rewards.add(self.observation, action, reward, later, terminated, greedy=greedy))
        replay.played += 1
        if truncated and not terminated:
            replay.add(self.rewards.cut())
        self.observation = self._begun() if terminated or truncated else later


class ReplayFeed(Feed):
    """Plays with the weights as they are, then draws batches. An epoch begins with new episodes and cuts its last ones.

    So all that a killed run needs is the replay and the weights; the draws of an epoch follow from seed and epoch.
    Before a block, its share of steps is played; errors of a block count from the next one on.
    """

    synchronous: ClassVar[bool] = True

    def __init__(self, plays: Plays, trained: QLearning, batch: int, seed: int) -> None:
        super().__init__(round(plays.steps * plays.per_step), batch, seed)
        self._plays, self._trained = plays, trained
        self.replay = Replay(plays.memory, plays.priority.alpha if plays.priority else None)
        self._worlds: list[World] = []
        self._waiting = np.zeros(0, np.int32)
        self._values: Values = acting(trained.online)

    @property
    def steps(self) -> int:
        """Training steps of an epoch."""
        return self._plays.steps

    @property
    def longest_block(self) -> int:
        """Training steps with the same acting weights."""
        return min(LONGEST, self.steps)

    def hold(self, devices: Sequence[str]) -> None:
        """Make the environments."""
        self._worlds = self._worlds or [World(self._plays.environment) for _ in range(self._plays.environments)]

    def block_signature(self, rows: int) -> Any:
        """Observations, what is told of them, weights."""
        inputs = {i.name: tf.TensorSpec((None, rows, *i.shape[1:]), i.dtype) for i in self._trained.online.inputs}
        told: dict[str, Any] = {"later": dict(inputs)}
        for name, dtype in (("action", tf.int32), ("reward", tf.float32), ("discount", tf.float32)):
            told[name] = tf.TensorSpec((None, rows), dtype)
        told["place"] = tf.TensorSpec((None, rows), tf.int32)
        return inputs, told, tf.TensorSpec((None, rows), tf.float32)

    def _packed(self, block: Any, index: Any, device: int) -> Any:
        return tf.nest.map_structure(lambda tensor: tensor[index], block)

    def not_finite(self) -> list[str]:
        """Features of which NaN or infinity was observed."""
        held = {n.removeprefix("before."): v for n, v in self.replay.shapes.items() if n.startswith("before.")}
        return [n for n, v in held.items() if v.dtype.kind == "f" and not np.isfinite(v[: self.replay.size]).all()]

    def state(self) -> Mapping[str, np.ndarray]:
        """The replay."""
        self._settle()
        return self.replay.state()

    def resume(self, state: Mapping[str, np.ndarray]) -> None:
        """The replay, [...] by name."""
        self.replay.resume(state)

    def _epoch_blocks(self, epoch: int, size: int) -> Iterator[Any]:
        rng, plays, replay = self._random(epoch), self._plays, self.replay
        players = [_Player(world, plays, rng) for world in self._worlds]
        due = 0.0
        for start in range(0, plays.steps, size):
            self._settle()
            while replay.played < plays.warm_up:
                self._played(players, 1.0, rng)
            count = min(size, plays.steps - start)
            due += count * plays.per_step
            while due >= len(players) or not replay.size:
                self._played(players, plays.exploration.at(replay.played - plays.warm_up), rng)
                due -= len(players)
            if start + count == plays.steps:
                for player in players:
                    replay.add(player.rewards.cut())
            yield self._drawn(count, rng)

    def _played(self, players: Sequence[_Player], random: float, rng: np.random.Generator) -> None:
        """One step in every environment."""
        chosen = rng.integers(0, players[0].world.actions, len(players))
        own = rng.random(len(players)) >= random
        if own.any():
            best = self._values(stacked([player.observation for player in players])).argmax(axis=1)
            chosen = np.where(own, best, chosen)
        for player, action, greedy in zip(players, chosen.tolist(), own.tolist(), strict=True):
            player.step(action, greedy, self.replay)

    def _drawn(self, count: int, rng: np.random.Generator) -> Any:
        priority = self._plays.priority
        beta = priority.at(self.replay.played) if priority else 0.0
        places, weights = self.replay.draw(count, self.batch, beta, rng)
        taken = self.replay.taken(places)
        before, later = ({n[len(p) :]: v for n, v in taken.items() if n.startswith(p)} for p in ("before.", "later."))
        self._waiting = np.unique(places)
        told = {"later": later, **{n: taken[n] for n in ("action", "reward", "discount")}, "place": places}
        return before, told, weights

    def _settle(self) -> None:
        """Take the errors of the last block to the replay, once."""
        if len(self._waiting) and self.replay.alpha is not None:
            self.replay.judge(self._waiting, np.asarray(self._trained.errors)[self._waiting])
        self._waiting = np.zeros(0, np.int32)


def acting(model: Any) -> Values:
    """The values of a Keras model for observations, compiled once for any number of rows."""
    signature = {i.name: tf.TensorSpec(i.shape, i.dtype) for i in model.inputs}
    run = tf.function(lambda x: model(x, training=False), input_signature=[signature], autograph=False)
    return lambda rows: np.asarray(run({name: tf.constant(rows[name]) for name in signature}))
