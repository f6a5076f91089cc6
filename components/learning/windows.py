"""A series as the training loop wants it: held once, its windows gathered in the graph by their origins."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import tensorflow as tf

from kilnworks.components.features.encoded import keras_name
from kilnworks.components.learning.arrays import Arrays, Encoder
from kilnworks.components.learning.settings import FitSettings
from kilnworks.components.learning.splits import Splits, Validation
from kilnworks.components.modeling.feeds.feed import Feed
from kilnworks.components.series.grid import Grid
from kilnworks.components.series.served import AHEAD
from kilnworks.components.tasks.base import Task
from kilnworks.components.tasks.forecast import HIGH, LOW, Forecasting
from kilnworks.components.tasks.labels import LabelStatistics
from kilnworks.schemas.artifacts import Examples
from kilnworks.schemas.errors import ConfigError, DataInvalid
from kilnworks.schemas.series import Series

if TYPE_CHECKING:
    import polars as pl

    from kilnworks.components.features.transform import FeatureTransform

ORDER = ("train", "val", "test")
VALIDATED = 8
"""Validation windows begin every eighth part of a horizon."""


@dataclass(frozen=True)
class WindowEncoder(Encoder):
    """Reads a split as windows, whose history may lie in the splits before it."""

    examples: Examples

    @cached_property
    def grid(self) -> Grid:
        """All rows of the examples."""
        import polars as pl

        contract = self.examples.contract
        parts = [
            pl.scan_parquet(self.examples.files(s), glob=False).select(contract.columns).collect() for s in self.parts
        ]
        return Grid.of(contract, parts)

    @property
    def parts(self) -> list[str]:
        """The splits with rows, in the order of time."""
        return [s for s in ORDER if s in self.examples.splits and self.examples.rows(s)]

    @property
    def series(self) -> Series:
        """What the contract says of it."""
        return cast(Series, self.examples.contract.series)

    def label(self, frame: pl.DataFrame) -> np.ndarray:
        """What each window is followed by, float32 [rows, horizon]."""
        return frame[AHEAD].list.to_array(self.series.horizon).to_numpy()

    def origins(self, files: Sequence[Path]) -> np.ndarray:
        """Origins of a split a whole horizon apart."""
        named = next(s for s in self.parts if list(files) == list(self.examples.files(s)))
        found = self.grid.origins(self.parts.index(named), self.series.horizon)
        if not len(found):
            raise too_short(named, self.series)
        return found

    def frames(self, files: Sequence[Path], rows: int) -> Iterator[pl.DataFrame]:
        """Windows whose horizons follow one another through a split."""
        return self.grid.windows(self.origins(files), rows)

    def whole(self, files: Sequence[Path], rows: int) -> Arrays:
        """The same at once."""
        return self.encode(next(self.frames(files, 1 << 30)))

    def label_chunks(self, files: Sequence[Path]) -> Iterator[np.ndarray]:
        """The same, their labels."""
        return map(self.label, self.frames(files, 1 << 12))


def too_short(split: str, series: Series) -> DataInvalid:
    """That a split holds no window."""
    return DataInvalid(
        f"no window of split {split!r}: nowhere lie {series.window} steps of history before {series.horizon} "
        "known values of it",
        f"splits of at least {series.horizon} rows in the order of time (ByTime), behind {series.window} others",
        "give more rows, or a smaller `window` or `horizon` of the series in the contract",
    )


def encoder_of(transform: FeatureTransform, task: type[Task], examples: Examples) -> Encoder:
    """What reads a split: rows, or windows where the contract has a series.

    Raises:
        ConfigError: a forecast without a series, or a series with another task.
    """
    series, forecasts = examples.contract.series is not None, task.takes_windows
    if series != forecasts:
        raise ConfigError(
            "a model that forecasts, and a contract without series" if forecasts
            else f"a contract with series, and a model of another kind ({task.kind})",
            "series: {step, window, horizon} and a model that forecasts, Forecast()", "correct one of both",
        )  # fmt: skip
    return WindowEncoder(transform, task, examples) if series else Encoder(transform, task)


def with_stretch(task: Task, encoder: WindowEncoder, outputs: Callable[[str], np.ndarray | None]) -> Task:
    """The task with an interval as wide as the validation windows ask for; as it is without any.

    ``outputs`` gives the model's quantiles for a split, [windows, horizon, 3].
    """
    given = outputs("val")
    if given is None:
        return task
    windows = next(encoder.frames(encoder.examples.files("val"), 1 << 30))
    return cast("Forecasting", task).with_stretch(given, encoder.label(windows))


def window_splits(settings: FitSettings, encoder: WindowEncoder, batch: int) -> tuple[Task, Splits]:
    """The task, with statistics of the training split alone, and both splits."""
    grid, series = encoder.grid, encoder.series
    train = encoder.parts.index("train")
    origins = grid.origins(train)
    if not len(origins):
        raise too_short("train", series)
    contract = encoder.examples.contract
    inside = grid.split == train
    known = grid.values[inside, 0]
    known = known[np.isfinite(known)]
    seen = LabelStatistics.of(contract, [known])
    groups = tuple(sorted({str(g) for g in grid.group[inside]}))
    low, middle, high = np.quantile(known.astype(np.float64), (LOW, 0.5, HIGH)).tolist()
    task = (
        cast(type[Forecasting], encoder.task)
        .fitted(contract, seen, settings)
        .taught(_usual(grid, train), groups, grid.seasonal_error(train), (low, middle, high))
    )
    feed = WindowFeed(grid, origins, min(batch, len(origins)), settings.seed)
    if "val" not in encoder.parts:
        return task, Splits(feed, None, False)
    val = encoder.parts.index("val")
    others, found = grid.origins(val), grid.origins(val, max(1, series.horizon // VALIDATED))
    if not len(found):
        raise too_short("val", series)

    def parts() -> Iterator[tuple[Arrays, np.ndarray]]:
        for frame in grid.windows(found, 1024):
            yield encoder.encode(frame), encoder.label(frame)

    both = np.concatenate([origins, others])

    def everything(seed: int) -> WindowFeed:
        return WindowFeed(grid, both, min(batch, len(both)), seed)

    validation = Validation(len(others), len(found), task, encoder.transform, parts)
    return task, Splits(feed, validation, False, everything)


def _usual(grid: Grid, train: int) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation of each number among the features, of the training split."""
    found = {}
    for at, name in enumerate(grid.names[1:], 1):
        values = grid.values[grid.split == train, at].astype(np.float64)
        values = values[np.isfinite(values)]
        spread = float(values.std()) if len(values) else 0.0
        found[name] = (float(values.mean()) if len(values) else 0.0, spread or 1.0)
    return found


class WindowFeed(Feed):
    """Numbers of origins become history, past, what is known ahead and targets inside the graph."""

    def __init__(self, grid: Grid, origins: np.ndarray, size: int, seed: int) -> None:
        super().__init__(len(origins), size, seed)
        self._grid, self._origins = grid, origins
        self._held: dict[str, Any] = {}

    def hold(self, devices: Sequence[str]) -> None:
        """Move the series into TensorFlow, once."""
        if not self._held:
            grid = self._grid
            self._held = {"values": tf.constant(grid.values), "seconds": tf.constant(grid.seconds),
                          "origins": tf.constant(self._origins.astype(np.int32))}  # fmt: skip
            if grid.contract.series is not None and grid.contract.series.group:
                self._held["group"] = tf.constant(grid.group)

    def _packed(self, block: Any, index: Any, device: int) -> Any:
        grid, held = self._grid, self._held
        series = cast(Series, grid.contract.series)
        origin = tf.gather(held["origins"], block[index])
        places = origin[:, tf.newaxis] + tf.range(-series.window, series.horizon)
        taken = tf.gather(held["values"], places)
        arrays = {keras_name(str(grid.contract.time)): tf.gather(held["seconds"], origin)}
        for at, name in enumerate(grid.names):
            steps = None if name in series.ahead else series.window
            arrays[keras_name(name)] = taken[:, :steps, at]
        if series.group:
            arrays[keras_name(series.group)] = tf.gather(held["group"], origin)
        return arrays, taken[:, series.window :, 0]

    def not_finite(self) -> list[str]:
        """Infinite numbers alone: NaN is a step without a value."""
        infinite = np.isinf(self._grid.values).any(axis=0)
        return [name for name, bad in zip(self._grid.names, infinite, strict=True) if bad]

    def _epoch_blocks(self, epoch: int, size: int) -> Iterator[np.ndarray]:
        order = self._random(epoch).permutation(self.rows)[: self.steps * self.batch].astype(np.int32)
        order = order.reshape(self.steps, self.batch)
        for start in range(0, self.steps, size):
            yield order[start : start + size]

    def block_signature(self, rows: int) -> Any:
        """Numbers of origins."""
        return tf.TensorSpec((None, rows), tf.int32)
