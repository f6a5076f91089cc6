"""What a forecast sees: the steps of the history, and each step ahead with what is known of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import layers, ops

from kilnworks.components.modeling.forecasts.settings import View
from kilnworks.components.tasks.forecast import Forecasting
from kilnworks.components.tasks.layer_names import LayerNames
from kilnworks.schemas.series import DAY

LEAST_SPREAD = 0.05
"""Spread of a window, in that of the training labels, that is added to its own."""
FARTHEST = 10.0
"""Spreads from the mean at which a feature is cut."""
LARGEST = 1e6
"""Spreads of the training labels at which a value of the history is cut, so that float32 can hold its square."""
SHORTEST_SLOT = 1800
"""Seconds of the slots that a day is cut into, at least."""


@dataclass(frozen=True)
class Steps:
    """Keras tensors of one forecast.

    Attributes:
        history: [N, window, D].
        ahead: [N, horizon, E].
        base: what the last days say of each step, in the window's spreads, [N, horizon, 1].
        level: mean of the window, [N, 1, 1].
        spread: standard deviation of the window, [N, 1, 1].
        root: whether level and spread are those of square roots of the label.
        told: whether the window holds any value, bool [N, 1, 1]; None where all do.
        unknown: low, median and high where it holds none, in the unit of the label.
    """

    history: Any
    ahead: Any
    base: Any
    level: Any
    spread: Any
    root: bool = False
    told: Any = None
    unknown: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @classmethod
    def of(
        cls,
        task: Forecasting,
        raw: Mapping[str, Any],
        days: int,
        names: LayerNames,
        root: bool = False,
        view: View = View(),
    ) -> Steps:
        """What a view sees of what is sent, by name of the column; ``days`` back are looked at hour by hour."""
        series = task.series
        window, horizon = series.window, series.horizon
        known, values, level, spread = _level(task, raw[task.label.name], root)
        numbers = {name: _standard(raw[name], *task.usual[name]) for name in task.usual}
        calendar = _calendar(raw[task.time], series.seconds, np.arange(-window, horizon))
        places = _same_step(window, horizon, series.day if series.day > 1 else 1, days)
        places = [p for back, p in enumerate(places, 1) if back in view.days] or places
        lags = [ops.take(values, p, axis=1) for p in places]
        missing = [1.0 - ops.take(known, p, axis=1) for p in places[:2]]
        known_ahead = [x for name, x in numbers.items() if name in series.ahead]
        ahead = [_last(x[:, window:]) for x in known_ahead]
        seen = (places[0], places[-1]) if view.before else ()
        before = [_last(ops.take(numbers[name], p, axis=1)) for name in series.ahead for p in seen]
        recent = [
            ops.tile(ops.expand_dims(values[:, -k : -k + 1 or None], 1), (1, horizon, 1))
            for k in (1, 2, 3)
            if k <= window
        ]
        back = [_last(x) for x in lags]
        steps = [
            *ahead,
            *before,
            *back,
            *_beside([values], places, view.around, window),
            *_beside(known_ahead, [np.arange(window, window + horizon)], view.around, window + horizon),
            *map(_last, missing),
            *recent,
            calendar[:, window:],
            _progress(values, horizon),
        ]
        if series.group:
            steps.append(_group(task, raw[series.group], horizon, names))
        history = [_last(values), _last(known), *(_last(x[:, :window]) for x in numbers.values()), calendar[:, :window]]
        base = layers.Dense(1, use_bias=False, kernel_initializer=_mean(len(back)), name=names("last_days"))(
            ops.concatenate(back, axis=-1) if len(back) > 1 else back[0]
        )
        told = ops.expand_dims(ops.any(ops.greater(known, 0), axis=1, keepdims=True), -1)
        both = ops.concatenate(history, axis=-1), ops.concatenate(steps, axis=-1)
        return cls(*both, base, level, spread, root, told, task.unknown)

    def quantiles(self, each: Any) -> Any:
        """Low, median and high in the unit of the label, [..., horizon, 3], of three free numbers a step.

        ``each``: [N, horizon, 3], or [N, members, horizon, 3]. Of a window without any value the answer is what the
        training labels say, at every step: its level, from which the network counts, is not known.
        """
        of_member = len(each.shape) == 4
        base, spread, level = (ops.expand_dims(x, 1) if of_member else x for x in (self.base, self.spread, self.level))
        median = base + each[..., 1:2]
        low, high = median - ops.softplus(each[..., 0:1]), median + ops.softplus(each[..., 2:3])
        # the level first: Keras takes what is added for a bias where its one long axis is as long as another one's
        found = level + ops.concatenate([low, median, high], axis=-1) * spread
        found = found * ops.abs(found) if self.root else found
        if self.told is None:
            return found
        told = ops.expand_dims(self.told, 1) if of_member else self.told
        return ops.where(told, found, np.array(self.unknown, np.float32))


def signed_root(x: Any) -> Any:
    """The square root of a number's size, with its sign."""
    return ops.sign(x) * ops.sqrt(ops.abs(x))


def _level(task: Forecasting, raw: Any, root: bool) -> tuple[Any, Any, Any, Any]:
    """Which steps are known, their values in the window's spreads, its mean and its spread."""
    there = ops.isfinite(raw)
    offset, scale = task.offset, task.scale
    if root:
        raw = signed_root(ops.where(there, raw, ops.full_like(raw, offset)))
        offset, scale = math.copysign(abs(offset) ** 0.5, offset), scale / (2 * max(abs(offset), scale) ** 0.5)
    known = ops.cast(there, "float32")
    standard = (ops.where(there, raw, ops.full_like(raw, offset)) - offset) / scale
    standard = ops.clip(standard, -LARGEST, LARGEST)
    count = ops.maximum(ops.sum(known, axis=1, keepdims=True), 1.0)
    mean = ops.sum(standard * known, axis=1, keepdims=True) / count
    variance = ops.sum(ops.square(standard - mean) * known, axis=1, keepdims=True) / count
    spread = ops.sqrt(variance + LEAST_SPREAD**2)
    values = ops.clip((standard - mean) * known / spread, -FARTHEST, FARTHEST)
    level = ops.expand_dims(mean * scale + offset, -1)
    return known, values, level, ops.expand_dims(spread * scale, -1)


def _standard(raw: Any, mean: float, deviation: float) -> Any:
    """A feature in its training spreads; a missing value is the mean."""
    there = ops.isfinite(raw)
    values = ops.where(there, raw, ops.full_like(raw, mean))
    return ops.clip((values - mean) / deviation, -FARTHEST, FARTHEST)


def _last(x: Any) -> Any:
    return ops.expand_dims(x, -1)


def _calendar(time: Any, seconds: int, steps: np.ndarray) -> Any:
    """Hour, weekday and time of the year of each step, [N, steps, D]; of a step of a day and longer no hour."""
    moments = ops.expand_dims(time, -1) + np.asarray(steps * seconds, np.int64)
    days, within = ops.floor_divide(moments, DAY), ops.mod(moments, DAY)
    weekday = ops.one_hot(ops.cast(ops.mod(days + 3, 7), "int32"), 7)
    parts = [weekday]
    turn = ops.cast(days, "float32") * (2 * math.pi / 365.2425)
    parts += [_last(ops.sin(turn)), _last(ops.cos(turn))]
    if seconds < DAY:
        slot = max(SHORTEST_SLOT, seconds)
        parts.append(ops.one_hot(ops.cast(ops.floor_divide(within, slot), "int32"), math.ceil(DAY / slot)))
    return ops.concatenate(parts, axis=-1)


def _same_step(window: int, horizon: int, season: int, most: int) -> list[np.ndarray]:
    """For each forecast step the places of the same time of 1, 2, ... days before, as far as all lie in the window."""
    steps, found = np.arange(horizon), list[np.ndarray]()
    for back in range(1, most + 1):
        places = window + steps - season * (steps // season + back)
        if places.min() < 0 and found:
            break
        found.append(np.maximum(places, 0).astype(np.int32))
    return found


def _beside(series: list[Any], places: list[np.ndarray], most: int, end: int) -> list[Any]:
    """Up to ``most`` steps before and behind some places of each series, [N, horizon, 1]; within 0 and ``end``."""
    apart = [k for k in range(-most, most + 1) if k]
    at = [np.clip(p + k, 0, end - 1).astype(np.int32) for p in places for k in apart]
    return [_last(ops.take(x, where, axis=1)) for x in series for where in at]


def _progress(values: Any, horizon: int) -> Any:
    """How far ahead a step is, 0 to 1, [N, horizon, 1]."""
    zero = ops.zeros_like(values[:, :1, None])
    return ops.tile(zero, (1, horizon, 1)) + np.linspace(0, 1, horizon, dtype=np.float32)[None, :, None]


def _group(task: Forecasting, raw: Any, horizon: int, names: LayerNames) -> Any:
    """A learned vector of the group at each step."""
    number = layers.StringLookup(vocabulary=list(task.groups), name=names("group_number"))(raw)
    size = min(16, max(2, len(task.groups) // 2))
    vector = layers.Embedding(len(task.groups) + 1, size, name=names("group_vector"))(number)
    return layers.RepeatVector(horizon, name=names("group_repeated"))(vector)


def _mean(count: int) -> Any:
    from keras import initializers

    return initializers.Constant(1.0 / count)
