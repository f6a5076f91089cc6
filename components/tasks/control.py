"""What to do: an observation in, an action out, judged by what a whole episode of such actions earns.

Nothing is learned from rows, and nothing is judged by them: a policy plays (``tried``), greedily, on seeds of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from kilnworks.components.environments.environment import Environment
from kilnworks.components.judging.metric import Direction, Metric
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.base import Answer, Answers, Beside
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.components.tasks.totals import Totals
from kilnworks.components.tasks.unlabelled import Unlabelled
from kilnworks.schemas.contract import Contract, Label
from kilnworks.schemas.errors import ConfigError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from kilnworks.components.judging.intervals import Interval

JUDGED = 2_000_000
"""Seed of the first episode of an evaluation, apart from those of training."""
TIE = 1e-4
"""Of two actions whose values differ by less, relative above 1, either may be told."""


def _mean(truth: Any, answers: Mapping[str, Any]) -> float:
    return float(answers["episode_return"].mean())


def _low(truth: Any, answers: Mapping[str, Any]) -> float:
    import numpy as np

    return float(np.quantile(answers["episode_return"], 0.1))


def _length(truth: Any, answers: Mapping[str, Any]) -> float:
    return float(answers["episode_length"].mean())


METRICS = (
    Metric("mean_return", "max", "Mean return", "sum of the rewards of an episode of greedy actions", of=_mean),
    Metric("low_return", "max", "Return of a bad episode", "one episode in ten earns less", of=_low),
    Metric("mean_length", "max", "Mean length", "steps of an episode", of=_length),
)


class Control(Unlabelled):
    """``values`` [N, A]: what each action is worth, the discounted sum of the rewards that follow it."""

    kind: ClassVar[str] = "control"
    title: ClassVar[str] = "The action"
    trained: ClassVar[Mapping[str, Direction]] = {"value": "max"}
    validated: ClassVar[Mapping[str, Direction]] = {"return": "max", "length": "max"}
    monitor: ClassVar[str] = "val_return"
    headline: ClassVar[tuple[str, ...]] = ("mean_return", "low_return")
    judged: ClassVar[tuple[str, ...]] = ("values",)
    unit: ClassVar[str] = "episodes"
    output: ClassVar[str] = "values"

    environment: Environment | None = None
    """What the policy is judged in; None before it is trained."""
    episodes: int = 100
    """Greedy episodes of an evaluation."""
    discount: float = 0.99
    """Of a reward one step later."""

    @classmethod
    def suits(cls, contract: Contract) -> bool:
        """Never by itself: an architecture says that it learns a policy."""
        return False

    @classmethod
    def metrics_of(cls, top_k: int) -> tuple[Metric, ...]:
        """See ``Task.metrics_of``."""
        return METRICS

    @classmethod
    def reported(cls, validation: bool) -> dict[str, Direction]:
        """A policy is measured by play, whether or not there are rows to validate."""
        return {"loss": "min", **cls.trained, **{f"val_{name}": way for name, way in cls.validated.items()}}

    @classmethod
    def of(cls, contract: Contract) -> Self:
        """See ``Task.of``. Raises ``ConfigError`` where the label does not say what can be done."""
        label = contract.label
        if label is None or label.several or label.dtype != "int" or not label.classes:
            raise ConfigError(
                f"contract {contract.name!r} does not say what can be done",
                "label: {name: action, dtype: int, classes: [0, 1, ...], learned: false}",
                "take the contract of the environment: EnvironmentSource(id=...).contract(name)",
            )
        return cls(label=label)

    def played_in(self, environment: Environment, episodes: int, discount: float) -> Self:
        """The task of a trained policy, judged by so many ``episodes`` in that environment."""
        return self.model_copy(update={"environment": environment, "episodes": episodes, "discount": discount})

    @classmethod
    def learned(cls, contract: Contract, frame: pl.DataFrame) -> np.ndarray:
        """Zeros, int32 [rows], whatever was done."""
        import numpy as np

        return np.zeros(frame.height, np.int32)

    def target(self, label: np.ndarray) -> np.ndarray:
        """Zeros, float32 [rows, 1]."""
        import numpy as np

        return label.astype(np.float32)[:, None]

    @classmethod
    def encode(cls, label: Label, series: pl.Series) -> np.ndarray:
        """Zeros, int32 [rows]: nothing is learned from what was done."""
        import numpy as np

        return np.zeros(len(series), np.int32)

    # ---- training

    @property
    def outputs(self) -> int:
        """Actions."""
        return len(self.label.classes or ()) if self.label else 0

    @property
    def first(self) -> int:
        """The smallest action."""
        return int((self.label.classes or (0,))[0]) if self.label else 0

    def head(self, features: Any, names: LayerNames) -> Any:
        """A value for each action, float32."""
        import keras

        return keras.layers.Dense(self.outputs, dtype="float32", name=names(self.output))(features)

    def loss(self) -> Any:
        """Huber's, which is linear from an error of 1 on (Mnih et al. 2015)."""
        import keras

        return keras.losses.Huber()

    def totals(self) -> Totals:
        """Nothing is measured on rows."""
        return Totals(lambda target, output: 0.0)

    # ---- serving

    @property
    def answered(self) -> tuple[Answer, ...]:
        """Action and values."""
        last = self.first + self.outputs - 1
        return (
            Answer("action", "int32", (), f"the one of the largest value, {self.first} to {last}"),
            Answer("values", "float32", (self.outputs,), "discounted sum of rewards after each action"),
        )

    def answers(self, output: Any) -> dict[str, Any]:
        """See ``Task.answers``."""
        from keras import ops

        values = ops.cast(output, "float32")
        return {"action": ops.cast(ops.argmax(values, axis=-1), "int32") + self.first, "values": values}

    def difference(self, name: str, got: np.ndarray, wanted: Mapping[str, np.ndarray]) -> np.ndarray:
        """See ``Task.difference``; of two actions that are worth the same up to rounding, either may be told."""
        import numpy as np

        apart = super().difference(name, got, wanted)
        if name != "action" or got.shape != wanted[name].shape:
            return apart
        second, first = np.sort(wanted["values"], axis=1)[:, -2:].T
        return np.where(first - second <= TIE * np.maximum(1.0, np.abs(first)), 0.0, apart)

    def table(self, answers: Answers) -> pl.DataFrame:
        """Columns ``action`` and ``value``, that of the action."""
        import numpy as np
        import polars as pl

        values = np.asarray(answers["values"]).astype(np.float64)
        action = np.asarray(answers["action"]) if "action" in answers else values.argmax(axis=1) + self.first
        return pl.DataFrame({"action": action.astype(np.int64), "value": values.max(axis=1)})

    # ---- judging

    def tried(
        self, run: Callable[[Mapping[str, np.ndarray]], np.ndarray], settings: JudgeSettings, beside: Beside
    ) -> tuple[Answers, dict[str, Any]] | None:
        """Greedy episodes, random ones beside them, and the optimum where the world says what actions lead to."""
        from kilnworks.components.judging.control.played import judged_play

        if self.environment is None:
            raise ConfigError("a policy without an environment", "one that was trained", "train it again")
        return judged_play(self.environment, run, self.episodes, JUDGED + 1000 * settings.seed, self.discount)

    def scores(self, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> Mapping[str, Interval]:
        """Nothing besides what ``metrics_of`` computes itself: episodes are drawn again."""
        return {}

    def described(self, truth: np.ndarray, answers: Answers) -> dict[str, Any]:
        """What random actions earn in as many episodes."""
        by_chance = {"episode_return": answers["random_return"], "episode_length": answers["random_length"]}
        reached = {metric.name: metric.of(truth, by_chance) for metric in METRICS if metric.of}
        return {"baseline": {"rule": "random actions", "metrics": reached}}

    @classmethod
    def pictures(cls, results: Mapping[str, Any]) -> list[tuple[str, str]]:
        """See ``Task.pictures``."""
        from kilnworks.components.judging.control.pictures import pictures

        return pictures(results)
