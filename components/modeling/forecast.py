"""Forecast: the history through a recurrent or convolutional encoder, each step ahead from its code and what is known.

::

    history, past  -> in the window's own mean and spread -> GRU | LSTM | convolutions | transformer -> code
    each step      -> calendar, what is known ahead, the same hour of the last days, code -> dense -> three quantiles
    several members: dense layers of their own, each with a loss of its own -> mean of their quantiles
    several views  : members that see different things of a step, each with the same hour of the last days of its own

Level and spread are those of the window (instance normalization: Kim et al. 2022), so that a series that grows is
forecast at its level. Dilated causal convolutions: Bai, Kolter & Koltun 2018; encoder and decoder: Cho et al. 2014; a
transformer over patches of the history: Nie et al. 2023.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import Field, model_validator

from kilnworks.components.features.encoded import AS_SENT, EncodedTensor, keras_name
from kilnworks.components.modeling.base import DROPOUTS, Architecture, scope_name
from kilnworks.components.modeling.forecasts.settings import SeriesAugmentation, View
from kilnworks.components.series.served import windowed
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.forecast import Forecasting
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.search import Choice, Dimension
from kilnworks.schemas.words import listed

if TYPE_CHECKING:
    from kilnworks.components.features.transform import FeatureTransform
    from kilnworks.components.modeling.forecasts.steps import Steps

MEMBERS = "quantiles_of_members"


class Forecast(Architecture):
    """Quantiles of each step ahead.

    History [N, window] and what is known ahead [N, window + horizon] in, quantiles [N, horizon, 3] out. Cores: GRU,
    LSTM (Hochreiter & Schmidhuber 1997), dilated convolutions (Bai, Kolter & Koltun 2018), transformer over patches
    (Nie et al. 2023), or none: the last days alone. Use it for numbers on a regular grid of moments.
    """

    task: ClassVar[type[Task] | None] = Forecasting
    takes: ClassVar[frozenset[str] | None] = frozenset({AS_SENT})

    kind: Literal["forecast"] = "forecast"
    core: Literal["gru", "lstm", "tcn", "transformer", "none"] = "gru"
    """What reads the history; ``none`` looks at the same hour of the last days alone."""
    width: int = Field(default=32, ge=1, le=1024)
    """Units of the recurrent layer, filters of the convolutions, or dimensions of a patch."""
    units: tuple[Annotated[int, Field(ge=1)], ...] = (64, 64)
    """Width of each dense layer of a step ahead; empty for a linear model."""
    decoder: Literal["dense", "gru"] = "dense"
    """Whether the steps ahead are each for themselves, or read one after the other, from the code on."""
    days: int = Field(default=7, ge=1, le=28)
    """Days back whose same hour each step sees, as far as the window goes."""
    members: int = Field(default=1, ge=1, le=64)
    """Sets of dense layers, whose mean is answered; the cost grows with it."""
    views: tuple[View, ...] = Field(default=(View(),), min_length=1)
    """What members look at: as many of them at each view, whose number ``members`` is a multiple of."""
    root: bool = False
    """Whether the network sees and forecasts square roots of the label, whose noise is alike at all levels where it
    counts something (Bartlett 1936); the loss stays that of the label. Of a number below 0 the root of its size is
    taken, with its sign."""
    augmentation: SeriesAugmentation = SeriesAugmentation()
    """How windows are changed while it trains, and what comes next with them."""
    patch: int = Field(default=12, ge=1)
    """For ``transformer``: steps of a patch."""
    layers: int = Field(default=2, ge=1, le=24)
    """For ``transformer``: blocks above one another."""
    heads: int = Field(default=4, ge=1)
    """For ``transformer``: heads of the attention; they share ``width``."""

    space: ClassVar[Mapping[str, Dimension]] = {
        "core": Choice(values=("gru", "tcn", "none")),
        "width": Choice(values=(16, 32, 64)),
        "dropout": DROPOUTS,
    }

    def transform(self, fitted: FeatureTransform) -> FeatureTransform:
        """Windows as a client sends them: levels and spreads are made in the model.

        Raises:
            ConfigError: the preprocessing derives something from rows.
        """
        from kilnworks.components.features.kinds import AnyPlan
        from kilnworks.components.features.kinds.as_sent import AsSentPlan
        from kilnworks.components.features.plan import TransformPlan
        from kilnworks.components.features.transform import FeatureTransform

        if fitted.plan.derived:
            raise ConfigError(
                f"derived {listed(list(fitted.plan.derived))} for a forecast, which reads windows as they are sent",
                "no `derived` in the preprocessing",
                "leave it out, or choose a model of single rows",
            )
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
        sent = {name: inputs[keras_name(name)] for name in self._names(task)}
        seen = [Steps.of(task, sent, self.days, names, self.root, view) for view in self.views]
        code = self._code(seen[0].history, names)
        answers = [one.quantiles(self._each(self._steps(one, code, task, names), names)) for one in seen]
        each = answers[0] if len(answers) == 1 else keras.layers.Concatenate(axis=1, name=names("views"))(answers)
        if self.members > 1:
            each = keras.layers.Identity(dtype="float32", name=names(MEMBERS))(each)
            each = keras.layers.Identity(name=names("mean_of_members"))(keras.ops.mean(each, axis=1))
        return keras.Model(inputs, task.head(each, names), name=scope_name(self.kind))

    def _steps(self, seen: Steps, code: Any, task: Forecasting, names: LayerNames) -> Any:
        """What dense layers read of each step, [N, horizon, D]: what is seen, the code, and what a decoder makes of it.

        ``code``: of the history, [N, width]; None where nothing reads it.
        """
        import keras

        steps = seen.ahead if code is None else keras.layers.Concatenate(name=names("steps"))(
            [seen.ahead, keras.layers.RepeatVector(task.series.horizon, name=names("code_repeated"))(code)]
        )  # fmt: skip
        if self.decoder == "dense":
            return steps
        state = None if code is None else keras.layers.Dense(self.width, activation="tanh", name=names("state"))(code)
        read = keras.layers.GRU(self.width, return_sequences=True, name=names("decoder"))(steps, initial_state=state)
        return keras.layers.Concatenate(name=names("decoded"))([steps, read])

    def training(self, model: Any, task: Task) -> Any:
        """See ``Architecture.training``: each member with a loss of its own, on windows that are changed."""
        if self.members == 1 and not self.augmentation.changes:
            return super().training(model, task)
        from kilnworks.components.modeling.ensemble import MemberTraining
        from kilnworks.components.modeling.forecasts.changes import ChangedMembers, ChangedSeries

        name, label = model.name, cast("Forecasting", task).label.name
        changed: dict[str, Any] = {"past": keras_name(label), "changes": self.augmentation}
        if self.members == 1:
            return ChangedSeries(model.input, model.output, name=name, **changed)
        outputs = model.get_layer(LayerNames({i.name for i in model.inputs})(MEMBERS)).output
        if not self.augmentation.changes:
            return MemberTraining(model.input, outputs, name=name, task=task)
        return ChangedMembers(model.input, outputs, name=name, task=task, **changed)

    def _each(self, steps: Any, names: LayerNames) -> Any:
        """Three free numbers of each step [N, horizon, 3]; of several members at a view [N, members, horizon, 3]."""
        import keras

        if self.members == 1:
            deep = self.dense_layers(steps, self.units, names)
            return keras.layers.Dense(3, dtype="float32", name=names("each_step"))(deep)
        x = steps
        for i, width in enumerate(self.units, 1):
            x = self._of_members(x, width, names(f"members_dense_{i}"), activation=self.activation,
                                 kernel_regularizer=self.regularizer())  # fmt: skip
            if self.dropout:
                x = keras.layers.Dropout(self.dropout, name=names(f"dropout_{i}"))(x)
        return self._of_members(x, 3, names("members_each_step"), dtype="float32")

    def _of_members(self, x: Any, size: int, name: str, **options: Any) -> Any:
        """A dense layer of each member at a view: [N, (members,) horizon, D] to [N, members, horizon, size]."""
        import keras

        limit = math.sqrt(6 / (x.shape[-1] + size))
        return keras.layers.EinsumDense(
            "nhd,kdu->nkhu" if len(x.shape) == 3 else "nkhd,kdu->nkhu",
            (self.members // len(self.views), x.shape[-2], size),
            bias_axes="ku", kernel_initializer=keras.initializers.RandomUniform(-limit, limit), name=name, **options,
        )(x)  # fmt: skip

    @model_validator(mode="after")
    def _heads_share_a_patch(self) -> Self:
        if self.core == "transformer" and self.width % self.heads:
            raise ValueError(f"width {self.width} is not divisible by {self.heads} heads")
        if self.members > 1 and self.normalization != "none":
            raise ValueError("several members have no normalization: they would share its statistics; leave it out")
        if self.members % len(self.views):
            raise ValueError(f"{self.members} members for {len(self.views)} views; make it a multiple of them")
        return self

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
            case "transformer":
                from kilnworks.components.modeling.forecasts.attention import attended

                return attended(history, self.width, self.patch, self.layers, self.heads, self.dropout, names)
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
