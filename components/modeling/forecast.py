"""Forecast: the history through a recurrent or convolutional encoder, each step ahead from its code and what is known.

::

    history, past  -> in the window's own mean and spread -> GRU | LSTM | dilated convolutions -> code
    each step      -> calendar, what is known ahead, the same hour of the last days, code -> dense -> three quantiles

Level and spread are those of the window (instance normalization: Kim et al. 2022), so that a series that grows is
forecast at its level. Dilated causal convolutions: Bai, Kolter & Koltun 2018; encoder and decoder: Cho et al. 2014.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

from pydantic import Field

from kilnworks.components.features.encoded import AS_SENT, EncodedTensor, keras_name
from kilnworks.components.modeling.base import DROPOUTS, Architecture, scope_name
from kilnworks.components.series.served import windowed
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.forecast import Forecasting
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.search import Choice, Dimension

if TYPE_CHECKING:
    from kilnworks.components.features.transform import FeatureTransform


class Forecast(Architecture):
    """Quantiles of each step ahead."""

    task: ClassVar[type[Task] | None] = Forecasting
    takes: ClassVar[frozenset[str] | None] = frozenset({AS_SENT})

    kind: Literal["forecast"] = "forecast"
    core: Literal["gru", "lstm", "tcn", "none"] = "gru"
    """What reads the history; ``none`` looks at the same hour of the last days alone."""
    width: int = Field(default=32, ge=1, le=1024)
    """Units of the recurrent layer, or filters of the convolutions."""
    units: tuple[Annotated[int, Field(ge=1)], ...] = (64, 64)
    """Width of each dense layer of a step ahead; empty for a linear model."""
    decoder: Literal["dense", "gru"] = "dense"
    """Whether the steps ahead are each for themselves, or read one after the other, from the code on."""
    days: int = Field(default=7, ge=1, le=28)
    """Days back whose same hour each step sees, as far as the window goes."""

    space: ClassVar[Mapping[str, Dimension]] = {
        "core": Choice(values=("gru", "tcn", "none")),
        "width": Choice(values=(16, 32, 64)),
        "dropout": DROPOUTS,
    }

    def transform(self, fitted: FeatureTransform) -> FeatureTransform:
        """Windows as a client sends them: levels and spreads are made in the model."""
        from kilnworks.components.features.kinds import AnyPlan
        from kilnworks.components.features.kinds.as_sent import AsSentPlan
        from kilnworks.components.features.plan import TransformPlan
        from kilnworks.components.features.transform import FeatureTransform

        contract = windowed(fitted.contract)
        plans: dict[str, AnyPlan] = {name: AsSentPlan() for name in contract.features}
        return FeatureTransform(TransformPlan(contract=contract, rows=fitted.plan.rows, features=plans))

    def trunk(self, encoded: Sequence[EncodedTensor], inputs: Mapping[str, Any], names: LayerNames) -> Any:
        """There is none without its task: see ``network``."""
        raise NotImplementedError

    def network(self, encoded: Sequence[EncodedTensor], task: Task) -> Any:
        """See ``Architecture.network``; the output is [N, horizon, 3]."""
        import keras

        from kilnworks.components.modeling.forecasts.steps import Steps

        self.refuse_unread(encoded)
        task = cast("Forecasting", task)
        names = LayerNames({t.name for t in encoded})
        inputs = {t.name: keras.Input(t.shape, dtype=t.dtype, name=t.name) for t in encoded}
        seen = Steps.of(task, {name: inputs[keras_name(name)] for name in self._names(task)}, self.days, names)
        code = self._code(seen.history, names)
        steps = seen.ahead if code is None else keras.layers.Concatenate(name=names("steps"))(
            [seen.ahead, keras.layers.RepeatVector(task.series.horizon, name=names("code_repeated"))(code)]
        )  # fmt: skip
        if self.decoder == "gru":
            state = (
                None if code is None else keras.layers.Dense(self.width, activation="tanh", name=names("state"))(code)
            )
            read = keras.layers.GRU(self.width, return_sequences=True, name=names("decoder"))(
                steps, initial_state=state
            )
            steps = keras.layers.Concatenate(name=names("decoded"))([steps, read])
        deep = self.dense_layers(steps, self.units, names)
        each = keras.layers.Dense(3, dtype="float32", name=names("each_step"))(deep)
        return keras.Model(inputs, task.head(seen.quantiles(each), names), name=scope_name(self.kind))

    @staticmethod
    def _names(task: Forecasting) -> list[str]:
        group = [task.series.group] if task.series.group else []
        return [task.time, task.label.name, *task.usual, *group]

    def _code(self, history: Any, names: LayerNames) -> Any:
        """The history [N, window, D] as [N, width]; None where nothing reads it."""
        import keras

        match self.core:
            case "gru":
                return keras.layers.GRU(self.width, name=names("history_gru"))(history)
            case "lstm":
                return keras.layers.LSTM(self.width, name=names("history_lstm"))(history)
            case "tcn":
                return self._convolved(history, names)
        return None

    def _convolved(self, x: Any, names: LayerNames) -> Any:
        """Two steps wide convolutions, each twice as far apart as the one before, until they see the window."""
        import keras

        steps, apart = x.shape[1], 1
        x = keras.layers.Dense(self.width, name=names("history_in"))(x)
        while apart < steps:
            layer = keras.layers.Conv1D(
                self.width, 2, padding="causal", dilation_rate=apart, activation=self.activation,
                kernel_initializer=self.initializer, kernel_regularizer=self.regularizer(), name=names(f"conv_{apart}"),
            )  # fmt: skip
            x = keras.layers.Add(name=names(f"residual_{apart}"))([x, layer(x)])
            apart *= 2
        return x[:, -1]
