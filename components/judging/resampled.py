"""The interval of a metric of which nothing is known but a function of rows: they are drawn again with replacement."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.judging.intervals import LEVEL, Interval, undefined
from kilnworks.components.judging.metric import Metric
from kilnworks.schemas.errors import KilnworksError, StepFailed

DRAWS = 200
"""Calls of the function behind an interval, at most: it may be slow, and its ends need no more."""


def resampled(metric: Metric, truth: NDArray[Any], answers: Mapping[str, Any], draws: int, seed: int) -> Interval:
    """The metric of all rows, with the 95 % interval of its bootstrap (Efron 1979).

    Args:
        metric: one with a function, ``of``.
        truth: as the task gives it, [N, ...].
        answers: of the model, [N, ...] each.
        draws: resamples, ``DRAWS`` at most.
        seed: decides them.

    Raises:
        StepFailed: the function raises or returns no number; ``__cause__`` is the reason.
    """
    rng = np.random.default_rng(seed)
    value = value_of(metric, truth, answers)
    if not np.isfinite(value):
        return undefined(f"{metric.name} is {value} for these rows")
    drawn = []
    for _ in range(min(draws, DRAWS)):
        rows = rng.integers(0, len(truth), len(truth))
        drawn.append(value_of(metric, truth[rows], {name: values[rows] for name, values in answers.items()}))
    kept = np.array([one for one in drawn if np.isfinite(one)] or [value])
    low, high = np.quantile(kept, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, min(float(low), value), max(float(high), value))


def value_of(metric: Metric, truth: NDArray[Any], answers: Mapping[str, Any]) -> float:
    """What the function of a metric says of ``truth`` [N, ...] and ``answers`` [N, ...]. Raises as ``resampled``."""
    assert metric.of is not None
    try:
        return float(metric.of(truth, answers))
    except KilnworksError:
        raise
    except Exception as error:
        shapes = {"truth": list(truth.shape), **{name: list(values.shape) for name, values in answers.items()}}
        raise StepFailed(
            f"metric {metric.name!r} raised {type(error).__name__}: {error}",
            f"a number from {', '.join(f'{name} {shape}' for name, shape in shapes.items())}",
            "try the function on such arrays; NaN says that rows do not define it",
        ) from error
