"""What comes next in a series: the median of each step ahead, and an interval that is to hold 80 % of what comes.

A row is a window: the history up to a moment, and ``horizon`` steps behind it. Nothing that was measured behind that
moment is looked at, unless the contract says that it is known ahead.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, FiniteFloat

from kilnworks.components.judging.metric import Direction, Metric
from kilnworks.components.judging.settings import JudgeSettings
from kilnworks.components.series.served import AHEAD, BEFORE, HOUR, windowed
from kilnworks.components.tasks.base import Answer, Answers, Task
from kilnworks.components.tasks.labels import LabelStatistics, labelled
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.components.tasks.regression import Regression
from kilnworks.components.tasks.settings import TaskSettings
from kilnworks.components.tasks.totals import Totals
from kilnworks.schemas.contract import Contract, Label
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.series import Series

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    from kilnworks.components.judging.intervals import Interval

LOW, HIGH = 0.1, 0.9
"""Shares of what comes that lie below ``low`` and ``high``."""
LEAST_WIDTH = 1e-3
"""Distance of low and high from the median, in standard deviations of the label, below which they count as that far."""


def _mae(truth: Any, answers: Mapping[str, Any]) -> float:
    return float(abs(answers["forecast"] - truth[:, 0]).mean())


def _rmse(truth: Any, answers: Mapping[str, Any]) -> float:
    return float(((answers["forecast"] - truth[:, 0]) ** 2).mean() ** 0.5)


def _mase(truth: Any, answers: Mapping[str, Any]) -> float:
    return float((abs(answers["forecast"] - truth[:, 0]) / truth[:, 3]).mean())


def _relative(truth: Any, answers: Mapping[str, Any]) -> float:
    import numpy as np

    known = np.isfinite(truth[:, 1])
    apart = abs(truth[:, 1] - truth[:, 0])[known].mean() if known.any() else 0.0
    return float(abs(answers["forecast"] - truth[:, 0])[known].mean() / apart) if apart else float("nan")


def _coverage(truth: Any, answers: Mapping[str, Any]) -> float:
    return float(((answers["low"] <= truth[:, 0]) & (truth[:, 0] <= answers["high"])).mean())


METRICS = (
    Metric("mae", "min", "Mean absolute error", "in units of the label; less is better", of=_mae),
    Metric("rmse", "min", "Root mean squared error", "in units of the label; less is better", of=_rmse),
    Metric("mase", "min", "MASE", "error over that of last season's value in training; below 1 is better", of=_mase),
    Metric("relative_mae", "min", "Against last season", "error over that of last season's value, here", of=_relative),
    Metric(
        "coverage", "max", "Coverage", "share of values between low and high; 0.8 is wanted", share=True, of=_coverage
    ),
)


class Forecasting(Task):
    """``quantiles`` [N, horizon, 3]: low, median and high of each step, in the unit of the label."""

    kind: ClassVar[str] = "forecast"
    title: ClassVar[str] = "The forecast"
    validated: ClassVar[Mapping[str, Direction]] = {"mae": "min"}
    monitor: ClassVar[str] = "val_mae"
    headline: ClassVar[tuple[str, ...]] = ("mae", "relative_mae", "coverage")
    first_limits: ClassVar[Mapping[str, float]] = {"relative_mae": 1.0}
    judged: ClassVar[tuple[str, ...]] = ("forecast", "low", "high")
    output: ClassVar[str] = "quantiles"
    takes_windows: ClassVar[bool] = True
    unit: ClassVar[str] = "windows"

    label: Label
    series: Series
    time: str
    """Column that says when a row was measured."""
    offset: FiniteFloat = 0.0
    """Mean of the training labels, in their unit."""
    scale: FiniteFloat = Field(default=1.0, gt=0)
    """Standard deviation of the training labels, in their unit."""
    usual: dict[str, tuple[FiniteFloat, FiniteFloat]] = Field(default_factory=dict)
    """Mean and standard deviation of each number among the features, of the training split."""
    groups: tuple[str, ...] = ()
    """Groups of the training split."""
    seasonal_error: FiniteFloat = Field(default=1.0, gt=0)
    """Mean absolute difference of a training label from that of a season before: the scale of MASE (Hyndman & Koehler
    2006)."""
    quantiles: tuple[FiniteFloat, FiniteFloat, FiniteFloat] | None = None
    """A tenth, half and nine tenths of the training labels lie below these."""
    margin: FiniteFloat = 0.0
    """By how much low and high are moved apart, in the unit of the label: what models of an earlier release learned."""
    stretch: FiniteFloat = Field(default=1.0, gt=0)
    """By which factor low and high are moved away from the median, so that 80 % of the validation values lie between
    them (conformalized quantile regression, Romano, Patterson & Candès 2019, scaled by the distance to the median:
    Kivaranovic, Johnson & Leeb 2020): a window of which more is known has a narrow interval, and never none."""

    @classmethod
    def suits(cls, contract: Contract) -> bool:
        """A contract with a series."""
        return contract.series is not None

    @classmethod
    def metrics_of(cls, top_k: int) -> tuple[Metric, ...]:
        """See ``Task.metrics_of``."""
        return METRICS

    @classmethod
    def of(cls, contract: Contract) -> Self:
        """See ``Task.of``. Raises ``ConfigError`` for a contract without a series."""
        if contract.series is None:
            raise ConfigError(
                f"contract {contract.name!r} has no series, and the model forecasts",
                "series: {step: 1h, window: 168, horizon: 24}",
                "add it to the contract",
            )
        return cls(label=labelled(contract), series=contract.series, time=str(contract.time))

    @classmethod
    def fitted(cls, contract: Contract, seen: LabelStatistics, settings: TaskSettings) -> Self:
        """See ``Task.fitted``; refuses labels that never vary."""
        told = Regression.fitted(contract.model_copy(update={"series": None}), seen, settings)
        return cls.of(contract).model_copy(update={"offset": told.offset, "scale": told.scale})

    def taught(
        self,
        usual: Mapping[str, tuple[float, float]],
        groups: tuple[str, ...],
        seasonal_error: float,
        quantiles: tuple[float, float, float] | None = None,
    ) -> Self:
        """The task with what the training split says of features, groups, seasons and labels."""
        found = {"usual": dict(usual), "groups": groups, "quantiles": quantiles}
        return self.model_copy(update={**found, "seasonal_error": seasonal_error or self.scale})

    @property
    def unknown(self) -> tuple[float, float, float]:
        """What is answered where a window holds no value: low, median and high of the training labels; of a normal
        distribution where they were not kept.
        """
        wide = NormalDist().inv_cdf(HIGH) * self.scale
        return self.quantiles or (self.offset - wide, self.offset, self.offset + wide)

    def with_stretch(self, quantiles: np.ndarray, truth: np.ndarray) -> Self:
        """The task with the stretch that these windows ask for, [rows, horizon, 3] and [rows, horizon].

        Windows without any value, which are answered as they are, are not counted; of those alone it stays as it is.
        """
        import numpy as np

        tells = np.asarray(self._tells(quantiles))
        if not tells.any():
            return self
        quantiles, truth = quantiles[tells], truth[tells]
        low, median, high = np.moveaxis(quantiles.astype(np.float64), -1, 0)
        least = LEAST_WIDTH * self.scale
        above, below = (
            (truth - median) / np.maximum(high - median, least),
            (median - truth) / np.maximum(median - low, least),
        )
        apart = np.maximum(above, below).ravel()
        share = min(1.0, (HIGH - LOW) * (len(apart) + 1) / len(apart))
        return self.model_copy(update={"stretch": max(LEAST_WIDTH, float(np.quantile(apart, share, method="higher")))})

    def _tells(self, quantiles: Any) -> Any:
        """Which windows held a value, bool [rows], by what the network answers, [rows, horizon, 3]."""
        import numpy as np
        from keras import ops

        unknown = np.array(self.unknown, np.float32)
        rounded = LEAST_WIDTH**2 * (self.scale + np.abs(unknown))  # a mean of several rounds
        return ops.any(ops.abs(quantiles - unknown) > rounded, axis=(1, 2))

    # ---- labels

    @classmethod
    def needed(cls, contract: Contract) -> list[str]:
        """What a window is compared with."""
        return [AHEAD, BEFORE, HOUR]

    @classmethod
    def encode(cls, label: Label, series: pl.Series) -> np.ndarray:
        """float32 [rows, horizon]."""
        return series.list.to_array(len(series[0])).to_numpy()

    @classmethod
    def learned(cls, contract: Contract, frame: pl.DataFrame) -> np.ndarray:
        """What each window is followed by, float32 [rows, horizon]."""
        return cls.encode(labelled(contract), frame[AHEAD])

    def judged_by(self, frame: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        """Of each step the value, that of a season before, the hour and the scale of MASE: [rows, 4, horizon]."""
        import numpy as np

        parts = [self.encode(self.label, frame[name]).astype(np.float64) for name in (AHEAD, BEFORE, HOUR)]
        truth = np.stack([*parts, np.full_like(parts[0], self.seasonal_error)], axis=1)
        return truth, np.asarray(~np.isfinite(truth[:, 0]).all(axis=1))

    def truth(self, series: pl.Series) -> tuple[np.ndarray, np.ndarray]:
        """What each window is followed by, and which are not followed by numbers alone."""
        import numpy as np

        values = self.encode(self.label, series)
        return values, np.asarray(~np.isfinite(values).all(axis=1))

    @property
    def wanted(self) -> str:
        """Finite numbers."""
        return "a finite number at every step ahead"

    def target(self, label: np.ndarray) -> np.ndarray:
        """As they are, [rows, horizon]."""
        return label

    # ---- training

    @property
    def outputs(self) -> int:
        """Three numbers a step."""
        return 3 * self.series.horizon

    def head(self, features: Any, names: LayerNames) -> Any:
        """Quantiles as they are, in float32."""
        return self.finishing(names(self.output))(features)

    def loss(self) -> Any:
        """Pinball loss of the three quantiles, in standard deviations of the label."""
        from kilnworks.components.tasks.losses import Pinball

        return Pinball((LOW, 0.5, HIGH), self.scale)

    def totals(self) -> Totals:
        """Pinball loss and mean absolute error."""
        return _Totals(self.loss())

    # ---- serving

    def served(self, contract: Contract) -> Contract:
        """History and what is known ahead; see ``windowed``."""
        return windowed(contract)

    @property
    def answered(self) -> tuple[Answer, ...]:
        """Forecast, low and high."""
        shape = (self.series.horizon,)
        return (
            Answer("forecast", "float32", shape, f"the median of each of the {self.series.horizon} steps ahead"),
            Answer("low", "float32", shape, "a tenth of what comes is expected below"),
            Answer("high", "float32", shape, "a tenth of what comes is expected above"),
        )

    def answers(self, output: Any) -> dict[str, Any]:
        """See ``Task.answers``; never beyond the limits of the label.

        A window without any value is answered as it is: what the training labels say has nothing to be calibrated.
        """
        from keras import ops

        wide = ops.cast(output, "float32")
        low, forecast, high = wide[:, :, 0], wide[:, :, 1], wide[:, :, 2]
        stretch = ops.expand_dims(ops.where(self._tells(wide), self.stretch, 1.0), 1)
        found = {
            "forecast": forecast,
            "low": ops.minimum(forecast - stretch * (forecast - low) - self.margin, forecast),
            "high": ops.maximum(forecast + stretch * (high - forecast) + self.margin, forecast),
        }
        if self.label.min is not None:
            found = {name: ops.maximum(value, float(self.label.min)) for name, value in found.items()}
        if self.label.max is not None:
            found = {name: ops.minimum(value, float(self.label.max)) for name, value in found.items()}
        return found

    def difference(self, name: str, got: np.ndarray, wanted: Mapping[str, np.ndarray]) -> np.ndarray:
        """See ``Task.difference``; in standard deviations of the label: sums over a window round in that unit."""
        return super().difference(name, got / self.scale, {name: wanted[name] / self.scale})

    def table(self, answers: Answers) -> pl.DataFrame:
        """Columns ``forecast``, ``low`` and ``high``, a row for each step of each window."""
        import numpy as np
        import polars as pl

        return pl.DataFrame({n: np.asarray(answers[n]).reshape(-1).astype(np.float64) for n in self.judged})

    # ---- judging

    def scores(self, truth: np.ndarray, answers: Answers, settings: JudgeSettings) -> Mapping[str, Interval]:
        """Nothing besides what ``metrics_of`` computes itself: whole windows are drawn again."""
        return {}

    def described(self, truth: np.ndarray, answers: Answers) -> dict[str, Any]:
        """Error by step ahead and by hour; the best, the median and the worst window; last season's value."""
        from kilnworks.components.judging.forecasts import described

        return described(truth, answers)

    @classmethod
    def pictures(cls, results: Mapping[str, Any]) -> list[tuple[str, str]]:
        """See ``Task.pictures``."""
        from kilnworks.components.judging.forecast_pictures import pictures

        return pictures(results)


class _Totals(Totals):
    def means(self, target: np.ndarray, output: np.ndarray) -> dict[str, float]:
        """Mean absolute error of the median."""
        import numpy as np

        return {"mae": float(np.abs(output[:, :, 1].astype(np.float64) - target).mean())}

    def others(self) -> dict[str, float]:
        """MAE."""
        return {"mae": self.mean["mae"]}
