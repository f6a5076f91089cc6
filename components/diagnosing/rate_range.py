"""A learning rate range test: a training of its own, by the settings of a definition, whose rate rises step by step.

It goes through the ordinary training, so model, optimizer, loss, clipping and batches are those of a run. What it
leaves lies in a folder that is removed; nothing of it is an artifact.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras

from kilnworks.components.diagnosing.rate_curve import RateCurve, diverges, rate_at, rate_curve, smooth
from kilnworks.components.features.transform import FeatureTransform
from kilnworks.components.learning.fit import fit
from kilnworks.components.learning.settings import FitSettings
from kilnworks.components.modeling.base import Architecture
from kilnworks.schemas.artifacts import Examples, Transform
from kilnworks.schemas.context import RunContext
from kilnworks.schemas.errors import ConfigError, TrainingDiverged

PLAIN: Mapping[str, Any] = {
    "schedule": None, "early_stopping": None, "reduce_on_plateau": None, "refit": 0, "budget_minutes": None,
    "backup_epochs": 0, "checkpoints": "none", "health": "none", "tensorboard": False, "steps_per_execution": 1,
}  # fmt: skip
"""Settings that would end the test, change the rate, or write what nobody reads; where a training has them."""


class RangeEnded(Exception):
    """The test has seen enough."""


class RisingRate(keras.callbacks.Callback):
    """Sets the rate of every step, keeps the loss of its batch, and ends the training by ``RangeEnded``."""

    def __init__(self, low: float, high: float, steps: int) -> None:
        """``low``, ``high``: rates of the first and the last of ``steps`` steps."""
        super().__init__()
        self._low, self._high, self._steps = low, high, steps
        self._began, self._seconds = 0.0, 0.0
        self._phases = 0
        self.rates: list[float] = []
        self.losses: list[float] = []
        self.ended = False
        """Whether a loss was not finite."""

    @property
    def seconds(self) -> float:
        """Of the steps behind the first, which holds the tracing; what lies between them, as a validation, not."""
        return self._seconds

    def on_train_begin(self, logs: Mapping[str, Any] | None = None) -> None:
        """A second phase trains other layers: the test ends before it."""
        self._phases += 1
        if self._phases > 1:
            raise RangeEnded
        if getattr(self.model, "optimizer", None) is None:
            raise ConfigError(
                f"a range test of {type(self.model).__name__}, which has no optimizer of its own",
                "a model that one optimizer trains",
                "set the rates of its optimizers by kilnworks tune",
            )

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Set the rate."""
        rate = rate_at(len(self.losses), self._steps, self._low, self._high)
        try:
            self.model.optimizer.learning_rate = rate
        except TypeError as error:
            raise ConfigError(
                "a range test of an optimizer whose rate follows a schedule of its own",
                "an optimizer with one learning rate",
                "compile the model with a number as its learning rate",
            ) from error
        self.model.reset_metrics()
        self.rates.append(rate)
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Keep the loss."""
        if logs is None or "loss" not in logs:
            raise ConfigError(
                f"a range test of {self.model.name}, the first phase of this training, which tells no loss",
                "a first phase that learns by a loss",
                "try rates by kilnworks tune",
            )
        loss = float(logs["loss"])
        self._seconds += time.perf_counter() - self._began if self.losses else 0.0
        if not math.isfinite(loss):
            self.ended = True
            raise RangeEnded
        self.losses.append(loss)
        if len(self.losses) >= self._steps or diverges(smooth(self.losses)):
            raise RangeEnded


def range_test(
    settings: FitSettings,
    architecture: Architecture,
    examples: Examples,
    transform: Transform,
    rates: tuple[float, float],
    steps: int,
) -> dict[str, Any]:
    """Train with a rising rate on fresh weights.

    Args:
        settings: of the training; those of ``PLAIN`` are put aside.
        architecture: what is trained.
        examples: whose training rows are read.
        transform: the fitted preprocessing.
        rates: of the first and of the last step.
        steps: at most; the test ends where the loss has diverged.

    Returns:
        The record of its ``RateCurve``, with ``batch``, ``steps``, ``ended`` and ``rows_per_second``, by the steps
        behind the first.

    Raises:
        ConfigError: settings that do not work with these data, a model without an optimizer of its own, or a first
            phase without a loss.
        DataInvalid: labels from which nothing can be learned.
    """
    batch = min(settings.batch, examples.rows("train"))
    plain = {name: value for name, value in PLAIN.items() if name in type(settings).model_fields}
    config = settings.model_copy(update={**plain, "epochs": steps})  # one step an epoch at least, as of few windows
    rising = RisingRate(*rates, steps)
    with TemporaryDirectory() as folder:
        out, work = Path(folder) / "out", Path(folder) / "work"
        out.mkdir()
        work.mkdir()
        context = RunContext(Path(folder), "", "", "", work)
        used = architecture.transform(FeatureTransform.load(transform))
        try:
            with suppress(RangeEnded):  # as it is meant to
                fit(config, architecture, examples, used, out, context, [rising])
        except TrainingDiverged:
            rising.ended = True
    curve = _curve(rising, rates[0])
    seconds = rising.seconds
    return {
        **curve.record(),
        "batch": batch,
        "steps": len(curve.losses),
        "ended": rising.ended,
        "rows_per_second": round(batch * (len(curve.losses) - 1) / seconds, 1) if seconds else None,
    }


def _curve(rising: RisingRate, low: float) -> RateCurve:
    if not rising.losses:
        raise ConfigError(
            f"a loss that is not finite at the first step, at a rate of {low:g}",
            "a finite loss at the lowest rate",
            "give a lower --from, or look at the data",
        )
    return rate_curve(rising.rates[: len(rising.losses)], rising.losses, rising.ended)
