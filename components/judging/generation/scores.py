"""The metrics of generated images, each with its 95 % interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from kilnworks.components.judging.generation.frechet import frechet_interval
from kilnworks.components.judging.generation.measures import COPY, classes_seen
from kilnworks.components.judging.intervals import Interval, interval_of, undefined

Array = np.ndarray
NO_LABEL = "the contract has no label to tell classes by"
UNASKED = "no class is asked for"


def scores(
    answers: Mapping[str, Array], classes: int, conditional: bool, resamples: int, seed: int
) -> dict[str, Interval]:
    """By name.

    Args:
        answers: as ``judged`` gives them, [N, ...] each.
        classes: how many; 0 without a label.
        conditional: whether a class was asked for.
        resamples: draws of images.
        seed: decides them.
    """
    distance = frechet_interval(answers["generated"], answers["real"], resamples, seed)
    noise = float(answers["noise"][0])
    told, real, asked = (answers[name] for name in ("told", "real_told", "asked"))
    near = answers["apart"] < np.quantile(answers["usual"], COPY)

    def drawn(of: Callable[[Array], float], count: int | None) -> Interval:
        """A number of some of the rows, with the interval of rows drawn anew."""
        rng = np.random.default_rng(seed)
        rows = len(told)
        draws = np.array([of(rng.integers(0, rows, rows)) for _ in range(resamples)])
        return interval_of(of(np.arange(rows)), draws, count)

    rows = len(told)
    return {
        "frechet_distance": distance,
        "relative_distance": _over(distance, noise),
        "classes_seen": drawn(lambda some: classes_seen(told[some], real, classes), None)
        if classes
        else undefined(NO_LABEL),
        "class_agreement": drawn(lambda some: float((told == asked)[some].mean()), rows)
        if classes and conditional
        else undefined(UNASKED if classes else NO_LABEL),
        "near_copies": drawn(lambda some: float(near[some].mean()), rows),
    }


def _over(distance: Interval, noise: float) -> Interval:
    """The distance in units of that of noise, which is taken for known."""
    if not noise:
        return undefined("noise is as near as real images")
    value, low, high = (
        None if part is None else part / noise for part in (distance.value, distance.low, distance.high)
    )
    return Interval(value, low, high)
