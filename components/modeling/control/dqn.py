"""Deep Q-learning: a network that says what each action is worth, learned from what was played.

::

    observation -> [normalized | one-hot | convolutions] -> dense layers -> value + advantage of each action
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from kilnworks.components.environments.environment import Environment, PlaysIn
from kilnworks.components.features.encoded import AS_SENT, EncodedTensor
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.modeling.base import Architecture, scope_name
from kilnworks.components.modeling.control.settings import Exploration, Priority
from kilnworks.components.modeling.learner import Learner, Phase
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.control import Control
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.search import Choice, Dimension

if TYPE_CHECKING:
    import numpy as np

VALIDATED = 1_000_000
"""Seed of the first episode that measures a policy while it is trained; those of ``evaluate`` begin elsewhere."""
FILTERS = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
"""Filters, side and stride of the convolutions over an image of at least 36 x 36 (Mnih et al. 2015)."""


class Dqn(Architecture):
    """A deep Q-network: observations [N, ...] by feature in, the value of every action [N, A] out.

    Mnih et al. 2015; double Q-learning (van Hasselt, Guez & Silver 2016), duelling heads (Wang et al. 2016),
    prioritized replay (Schaul et al. 2016) and returns of three steps (Sutton & Barto 2018) are on by default. Use it
    for environments of some actions with observations that tell where one stands, not where actions are continuous.
    """

    task: ClassVar[type[Task] | None] = Control
    takes: ClassVar[frozenset[str] | None] = frozenset({AS_SENT})

    kind: Literal["dqn"] = "dqn"
    environment: Environment
    """What is played in; a name, an ``Environment``, or the ``EnvironmentSource`` of the ingest step."""
    units: tuple[int, ...] = (128, 128)
    """Widths of the dense layers."""
    double: bool = True
    """Whether the network that is trained chooses the later action that the target network values."""
    dueling: bool = True
    """Whether the value of an observation and the advantages of actions have layers of their own."""
    n_step: int = Field(default=3, ge=1, le=100)
    """Rewards that are added up before the value of a later observation, at most: the sum ends before a random action,
    whose reward says nothing of the best one (tree backup of a greedy policy, Sutton & Barto 2018, 7.5). 1: each alone.
    """
    discount: float = Field(default=0.99, ge=0, le=1)
    """Of a reward one step later."""
    memory: int = Field(default=50_000, ge=100)
    """Transitions that are remembered; each holds two observations."""
    warm_up: int = Field(default=1000, ge=1)
    """Steps of random actions before the first training step."""
    steps: int = Field(default=1000, ge=1)
    """Training steps of an epoch."""
    play: float = Field(default=1.0, gt=0, le=1000)
    """Steps of the environment for each training step."""
    environments: int = Field(default=4, ge=1, le=256)
    """Environments that are played in beside one another."""
    target_every: int = Field(default=250, ge=1)
    """Training steps from one copy to the target network to the next."""
    exploration: Exploration = Exploration()
    """Share of random actions."""
    priority: Priority | None = Priority()
    """Which transitions are drawn more often; None: all alike."""
    validation_episodes: int = Field(default=10, ge=1)
    """Greedy episodes after each epoch, for ``val_return``; always the same seeds."""
    test_episodes: int = Field(default=100, ge=2)
    """Greedy episodes by which ``evaluate`` judges."""

    space: ClassVar[Mapping[str, Dimension]] = {
        "units": Choice(values=((64, 64), (128, 128), (256, 256))),
        "n_step": Choice(values=(1, 3, 5)),
        "target_every": Choice(values=(100, 250, 1000)),
    }

    _scales: Mapping[str, Any] = PrivateAttr(default={})

    @field_validator("environment", mode="before")
    @classmethod
    def _of_a_source(cls, value: Any) -> Any:
        return value.environment if isinstance(value, PlaysIn) else value

    @model_validator(mode="after")
    def _memory_holds_the_start(self) -> Self:
        if self.warm_up > self.memory:
            raise ValueError(f"warm_up {self.warm_up} is more than the memory of {self.memory} transitions holds")
        return self

    def transform(self, fitted: FeatureTransform) -> FeatureTransform:
        """None: observations come as the environment gives them, and are scaled inside of the network."""
        return fitted.as_sent()

    def shown(self, columns: Mapping[str, Any]) -> Self:
        """The same with mean and standard deviation of what random play observed."""
        import numpy as np

        seeing, scales = self.model_copy(), {}
        for name in columns:
            rows = np.asarray(columns[name])
            if rows.dtype.kind == "f":
                spread = rows.std(axis=0, dtype=np.float64)
                scales[name] = (rows.mean(axis=0, dtype=np.float64), np.where(spread > 0, spread, 1.0))
        seeing._scales = scales
        return seeing

    def network(self, encoded: Sequence[EncodedTensor], task: Task) -> Any:
        """See ``Architecture.network``."""
        import keras

        self.refuse_unread(encoded)
        names = LayerNames({t.name for t in encoded})
        inputs = {t.name: keras.Input(t.shape, dtype=t.dtype, name=t.name) for t in encoded}
        x = self.trunk(encoded, inputs, names)
        values = self._dueling(x, task.outputs, names) if self.dueling else self._linear(x, task.outputs, "q", names)
        return keras.Model(inputs, task.finishing(names(task.output))(values), name=scope_name(self.kind))

    def trunk(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """All parts of an observation side by side, through the dense layers, [N, F]."""
        import keras

        parts = [self._part(tensor, inputs[tensor.name], names) for tensor in encoded]
        x = keras.layers.Concatenate(name=names("features"))(parts) if len(parts) > 1 else parts[0]
        return self.dense_layers(x, self.units[:-1] if self.dueling else self.units, names)

    def learner(self, encoded: Sequence[EncodedTensor], task: Task) -> Learner:
        """One phase of play and training. Raises ``ConfigError`` on several replicas, or for another environment."""
        import tensorflow as tf

        from kilnworks.components.environments.episodes import World, greedy, play
        from kilnworks.components.modeling.control.q_learning import QLearning
        from kilnworks.components.modeling.control.replay_feed import Plays, ReplayFeed, acting

        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            raise ConfigError("model dqn on several replicas", "one: play waits for the step before",
                              "set strategy of devices to single")  # fmt: skip
        world = World(self.environment)
        found, wanted = (set(world.dtypes), world.actions), ({t.name for t in encoded}, task.outputs)
        world.close()
        if found != wanted:
            raise ConfigError(
                f"environment {self.environment.id} has {found[1]} actions and observes {', '.join(sorted(found[0]))}",
                f"{wanted[1]} actions and {', '.join(sorted(wanted[0]))}, as the contract says",
                "use the same environment for source and model, and the contract that it makes",
            )
        model, target = self.network(encoded, task), self.network(encoded, task)
        trained = QLearning(
            model, target, double=self.double, target_every=self.target_every,
            memory=self.memory if self.priority else 0,
        )  # fmt: skip
        plays = Plays(
            environment=self.environment, environments=self.environments, steps=self.steps, per_step=self.play,
            memory=self.memory, warm_up=self.warm_up, n_step=self.n_step, discount=self.discount,
            exploration=self.exploration, priority=self.priority,
        )  # fmt: skip
        values = acting(model)

        def measured(validation: Any) -> dict[str, float]:
            played = play(self.environment, greedy(values), self.validation_episodes, VALIDATED)
            return {"return": float(played.returns.mean()), "length": float(played.lengths.mean())}

        def feed(rows: Any, batch: int, seed: int) -> Any:
            return ReplayFeed(plays, trained, batch, seed)

        return Learner(model, (Phase("fit", trained),), (target,), feed, measured=measured, latest=True)

    def calibrated(self, task: Task, transform: FeatureTransform, outputs: Callable[[str], np.ndarray | None]) -> Task:
        """The task with the environment in which the policy is judged."""
        tell: Callable[..., Task] | None = getattr(task, "played_in", None)
        return tell(self.environment, self.test_episodes, self.discount) if tell else task

    def _part(self, tensor: EncodedTensor, x: Any, names: LayerNames) -> Any:
        """One part of an observation as [N, F]."""
        import keras

        tag = scope_name(tensor.name)
        if tensor.dtype == "uint8":
            x = keras.layers.Rescaling(1 / 255, name=names(f"scaled_{tag}"))(x)
            if min(tensor.shape[:2]) >= 36:
                for i, (filters, side, stride) in enumerate(FILTERS, 1):
                    x = self.activated(x, keras.layers.Conv2D, f"{tag}_{i}", names, filters=filters, kernel_size=side,
                                       strides=stride)  # fmt: skip
        elif tensor.dtype == "float32":
            mean, spread = self._scales.get(tensor.name, (0.0, 1.0))
            shape = tensor.shape or (1,)
            x = keras.layers.Reshape(shape, name=names(f"shaped_{tag}"))(x)
            import numpy as np

            variance = np.broadcast_to(np.square(spread), shape)
            x = keras.layers.Normalization(
                axis=None if not tensor.shape else tuple(range(1, len(shape) + 1)),
                mean=np.broadcast_to(mean, shape) if tensor.shape else float(np.mean(mean)),
                variance=variance if tensor.shape else float(variance[0]), name=names(f"normalized_{tag}"),
            )(x)  # fmt: skip
        else:
            x = self._numbers(tensor, x, tag, names)
        return keras.layers.Flatten(name=names(f"flat_{tag}"))(x)

    def _numbers(self, tensor: EncodedTensor, x: Any, tag: str, names: LayerNames) -> Any:
        """A whole number as a column for each that there is; several as they are."""
        import keras

        low, high = self._ends(tensor.name) if not tensor.shape else (0, 0)
        if tensor.shape:
            return keras.layers.Rescaling(1.0, name=names(f"float_{tag}"))(x)
        encoding = keras.layers.CategoryEncoding(high - low + 1, output_mode="one_hot", name=names(f"one_hot_{tag}"))
        x = keras.layers.Reshape((1,), name=names(f"shaped_{tag}"))(x)
        return encoding(x - low if low else x)

    def _ends(self, name: str) -> tuple[int, int]:
        from kilnworks.components.environments.spaces import parts

        made = self.environment.make()
        space = parts(made.observation_space).get(name)
        made.close()
        if space is None or not hasattr(space, "n"):
            raise ConfigError(f"{name!r} is no number of {self.environment.id}", "a part of its observation",
                              "use the same environment for source and model")  # fmt: skip
        return int(space.start), int(space.start + space.n - 1)

    def _dueling(self, x: Any, actions: int, names: LayerNames) -> Any:
        """Value plus advantage, the advantages with mean 0."""
        import keras

        parts = []
        for what, width in (("value", 1), ("advantage", actions)):
            hidden = self.activated(x, keras.layers.Dense, what, names, units=self.units[-1]) if self.units else x
            parts.append(self._linear(hidden, width, what, names))
        value, advantage = parts
        return value + advantage - keras.ops.mean(advantage, axis=-1, keepdims=True)

    def _linear(self, x: Any, width: int, what: str, names: LayerNames) -> Any:
        import keras

        return keras.layers.Dense(width, kernel_regularizer=self.regularizer(), name=names(f"{what}_output"))(x)
