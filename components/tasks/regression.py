"""A number a row, in the unit of the label; the layers learn it in standard deviations from the mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, FiniteFloat

from kilnworks.components.judging.metric import Direction, Metric
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.tasks.base import Answer, Answers, Task
from kilnworks.components.tasks.labels import LabelStatistics, labelled, refuse_labels
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.components.tasks.settings import RegressionLoss, TaskSettings
from kilnworks.components.tasks.totals import Totals
from kilnworks.schemas.contract import Contract, Label
from kilnworks.schemas.errors import ConfigError, DataInvalid
from kilnworks.schemas.magnitudes import LARGEST_SPREAD
from kilnworks.schemas.words import figure

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from kilnworks.components.judging.intervals import Interval

METRICS = (
    Metric("mae", "min", "Mean absolute error", "in units of the label; less is better"),
    Metric("rmse", "min", "Root mean squared error", "in units of the label; less is better"),
    Metric("r2", "max", "R²", "share of the label's variance that is explained", most=1.0),
    Metric("median_ae", "min", "Median absolute error", "half of the rows are closer; less is better"),
    Metric("mape", "min", "Mean absolute share of error", "error as a share of the label; less is better"),
)


class Regression(Task):
    """``value`` [N, 1]."""

    kind: ClassVar[str] = "regression"
    title: ClassVar[str] = "The value"
    trained: ClassVar[Mapping[str, Direction]] = {"mae": "min"}
    validated: ClassVar[Mapping[str, Direction]] = {"mae": "min", "rmse": "min"}
    monitor: ClassVar[str] = "val_rmse"
    headline: ClassVar[tuple[str, ...]] = ("mae", "r2")
    compared: ClassVar[tuple[str, ...]] = ("rmse",)
    simple: ClassVar[Mapping[str, str]] = {
        "constant": "the mean of the training rows",
        "linear": "ridge regression",
    }
    explains: ClassVar[bool] = True
    judged: ClassVar[tuple[str, ...]] = ("score",)
    methods: ClassVar[Mapping[Literal["classify", "regress"], str]] = {"regress": "score"}

    label: Label
    offset: FiniteFloat = 0.0
    """Mean of the training labels, in their unit."""
    scale: FiniteFloat = Field(default=1.0, gt=0)
    """Standard deviation of the training labels, in their unit."""
    error: RegressionLoss = "squared"
    """What the loss makes of a difference."""
    log: bool = False
    """Whether the layers learn the logarithm of the label; ``offset`` and ``scale`` are then of the logarithms."""

    @classmethod
    def suits(cls, contract: Contract) -> bool:
        """A label without classes."""
        return contract.label is not None and contract.label.classes is None

    @classmethod
    def metrics_of(cls, top_k: int) -> tuple[Metric, ...]:
        """See ``Task.metrics_of``."""
        return METRICS

    @classmethod
    def of(cls, contract: Contract) -> Self:
        """See ``Task.of``."""
        return cls(label=labelled(contract))

    @classmethod
    def fitted(cls, contract: Contract, seen: LabelStatistics, settings: TaskSettings) -> Self:
        """See ``Task.fitted``; the labels vary, and not too widely for float32."""
        label = labelled(contract)
        _refuse_spread(label.name, seen)
        if settings.label_smoothing:
            raise ConfigError(
                "label_smoothing for a regression", "label_smoothing 0 (it is for classes)", "leave label_smoothing out"
            )
        log = settings.label_scale == "log"
        if log and seen.low <= 0:
            raise ConfigError(
                f"label_scale 'log', and a label {label.name!r} of {seen.low:g}",
                "labels above 0 in every training row",
                "set label_scale to plain, or correct the label",
            )
        mean, variance = (seen.log_mean, seen.log_variance) if log else (seen.mean, seen.variance)
        return cls(label=label, offset=mean, scale=math.sqrt(variance), error=settings.regression_loss, log=log)

    @classmethod
    def encode(cls, label: Label, series: pl.Series) -> np.ndarray:
        """float32 [rows]."""
        import numpy as np
        import polars as pl

        values = series.cast(pl.Float32).fill_null(float("nan")).to_numpy()
        refuse_labels(label, series, ~np.isfinite(values), "a finite number in every row")
        return values

    def truth(self, series: pl.Series) -> tuple[np.ndarray, np.ndarray]:
        """float64 [rows]."""
        import numpy as np
        import polars as pl

        values = series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        return values, ~np.isfinite(values)

    @property
    def wanted(self) -> str:
        """A finite number."""
        return "a finite number"

    # ---- training

    output: ClassVar[str] = "value"

    @property
    def outputs(self) -> int:
        """1."""
        return 1

    def head(self, features: Any, names: LayerNames) -> Any:
        """``value`` [N, 1] in the unit of the label."""
        import keras

        standard = keras.layers.Dense(1, dtype="float32", name=names("standard_value"))(features)
        return self.finishing(names(self.output))(standard)

    def finished(self, outputs: Any) -> Any:
        """Back in the unit of the label."""
        import keras

        values = outputs * self.scale + self.offset
        return keras.ops.exp(values) if self.log else values

    def finishing(self, name: str) -> Any:
        """The same as a layer."""
        import keras

        scaled = keras.layers.Rescaling(
            self.scale, self.offset, dtype="float32", name=f"{name}_log" if self.log else name
        )
        if not self.log:
            return scaled
        power = keras.layers.Activation("exponential", dtype="float32", name=f"{name}_power")
        return keras.Sequential([scaled, power], name=name)

    def loss(self) -> Any:
        """In standard deviations of the training labels."""
        from kilnworks.components.tasks.losses import StandardisedError

        return StandardisedError(self.error, self.scale, log=self.log)

    def target(self, label: np.ndarray) -> np.ndarray:
        """float32 [rows, 1]."""
        import numpy as np

        return label.astype(np.float32)[:, None]

    def metrics(self) -> list[Any]:
        """Mean absolute error."""
        import keras

        return [keras.metrics.MeanAbsoluteError(name="mae")]

    def totals(self) -> Totals:
        """Mean absolute and root mean squared error."""
        return _Totals(self.loss())

    # ---- serving

    @property
    def answered(self) -> tuple[Answer, ...]:
        """The value."""
        return (Answer("score", "float32", (), "the value, in the unit of the label"),)

    def answers(self, output: Any) -> dict[str, Any]:
        """See ``Task.answers``."""
        import tensorflow as tf

        return {"score": tf.cast(output, tf.float32)[:, 0]}

    def answer_layers(self, output: Any) -> dict[str, Any]:
        """See ``Task.answer_layers``."""
        return {"score": output[:, 0]}

    def table(self, answers: Answers) -> pl.DataFrame:
        """A column ``value``."""
        import numpy as np
        import polars as pl

        return pl.DataFrame({"value": np.asarray(answers["score"]).reshape(-1).astype(np.float64)})

    # ---- judging

    def told(self, answers: Answers) -> Any:
        """The value."""
        return answers["score"]

    def scores(self, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> Mapping[str, Interval]:
        """See ``Task.scores``."""
        import numpy as np

        from kilnworks.components.judging.intervals import regression_intervals

        return regression_intervals(truth, answers["score"], settings.resamples, np.random.default_rng(settings.seed))

    def measured(self, name: str, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> float:
        """See ``Task.measured``."""
        from kilnworks.components.judging.metrics import regression

        return regression(truth, answers["score"])[name]

    def simple_models(
        self, rows: Any, truth: np.ndarray, names: Collection[str] = ("constant", "linear")
    ) -> Mapping[str, Callable[[Any], Answers]]:
        """The mean of the training labels, ridge regression and trees (of logarithms, where the layers learn those)."""
        from kilnworks.components.judging.simple_models import of_numbers

        def answering(model: Callable[[Any], np.ndarray]) -> Callable[[Any], Answers]:
            return lambda some: {"score": model(some)}

        return {name: answering(model) for name, model in of_numbers(rows, truth, self.log, names).items()}

    def described(self, truth: np.ndarray, answers: Answers) -> dict[str, Any]:
        """Residuals; without a model: the mean of the labels."""
        from kilnworks.components.judging.curves import residuals
        from kilnworks.components.judging.described import always_mean

        return {"curves": {"residuals": residuals(truth, answers["score"])}, "baseline": always_mean(truth)}


def _refuse_spread(name: str, seen: LabelStatistics) -> None:
    """Raise ``DataInvalid`` where labels never vary, or too widely for float32."""
    if seen.low == seen.high:
        raise DataInvalid(
            f"label {name!r} is {seen.low:g} in every training row",
            "values that vary",
            "check the source: there is nothing to learn",
        )
    spread = math.sqrt(seen.variance)
    if not 1 / LARGEST_SPREAD <= spread <= LARGEST_SPREAD:
        raise DataInvalid(
            f"label {name!r} has a standard deviation of {figure(spread, 3)}",
            f"one from {1 / LARGEST_SPREAD:g} to {LARGEST_SPREAD:g}: float32 rounds the gradients of others to 0",
            "write the label in another unit, or as its logarithm",
        )


class _Totals(Totals):
    def means(self, target: np.ndarray, output: np.ndarray) -> dict[str, float]:
        """Mean absolute and squared error of these rows."""
        import numpy as np

        error = output[:, 0].astype(np.float64) - target[:, 0]
        return {"mae": float(np.abs(error).mean()), "square": float(np.square(error).mean())}

    def others(self) -> dict[str, float]:
        """MAE and RMSE."""
        return {"mae": self.mean["mae"], "rmse": math.sqrt(self.mean["square"])}
