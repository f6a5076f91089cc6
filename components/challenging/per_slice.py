"""The same comparison on slices of the rows: a model that is better in the mean may serve a group worse.

Each slice is a hypothesis of its own, "the loss here is no more than the margin". Holm's procedure (Holm 1979) keeps
the chance that any true one of them is rejected at ``1 - level``: of m that are left, one is rejected at
``(1 - level) / m``, and so on until none is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.challenging.gain import Gain
from kilnworks.components.judging.slices import sliced
from kilnworks.schemas.contract import Contract

if TYPE_CHECKING:
    import polars as pl

POWER = 0.8
"""Of the loss that a slice is said to show: in so many of 100 cases it is found out."""

Bounds = Callable[[float], Gain]
"""Confidence of each bound -> the gain with its bounds."""


@dataclass(frozen=True)
class Measured:
    """Both models on the rows of one slice.

    Attributes:
        column, value: the rows that have this value.
        rows: how many there are.
        values: the metric of the champion and of the challenger.
        bounds: of the gain.
    """

    column: str
    value: str
    rows: int
    values: tuple[float, float]
    bounds: Bounds


def measured(
    frame: "pl.DataFrame",
    columns: Sequence[str],
    contract: Contract,
    min_rows: int,
    measure: Callable[[NDArray[np.intp]], tuple[tuple[float, float], Bounds]],
) -> list[Measured]:
    """Every frequent value of each column on which the metric is defined for both models.

    Args:
        frame: the columns of the rows that are compared.
        columns: to slice by.
        contract: says which values are sensitive, and are masked.
        min_rows: fewest rows of a slice.
        measure: from numbers of rows to the metric of both models, and the bounds of the gain.
    """
    found = []
    for one in sliced(frame, columns, contract, min_rows=min_rows):
        for group in one.groups:
            values, bounds = measure(group.rows)
            if np.isfinite(values).all():
                found.append(Measured(one.column, group.name, len(group.rows), values, bounds))
    return found


def judged(slices: Sequence[Measured], margin: float, level: float, sign: int) -> list[dict[str, Any]]:
    """What is shown of each slice, those that are served worse first.

    Args:
        slices: as ``measured`` gives them.
        margin: a loss that does not matter.
        level: confidence that no slice is called worse which is not.
        sign: 1 where a large value of the metric is better, else -1.

    Returns:
        ``{"column", "value", "rows", "champion", "challenger", "difference", "low", "high", "verdict", "shows"}`` each;
        bounds of the difference are corrected for all slices (Bonferroni), ``shows`` is the loss that so many rows
        show in 80 of 100 cases.
    """
    worse = shown_worse([one.bounds for one in slices], margin, level)
    strict = 1 - (1 - level) / max(1, len(slices))
    told = [_told(one, place in worse, margin, strict, sign) for place, one in enumerate(slices)]
    return sorted(told, key=lambda one: (one["verdict"] != "worse", sign * one["difference"]))


def shown_worse(bounds: Sequence[Bounds], margin: float, level: float) -> set[int]:
    """Places of those that are worse by more than the margin, with confidence ``level`` for all together (Holm)."""
    left, found = set(range(len(bounds))), set[int]()
    while left:
        strict = 1 - (1 - level) / len(left)
        rejected = {place for place in left if bounds[place](strict).high < -margin}
        if not rejected:
            break
        left, found = left - rejected, found | rejected
    return found


def _told(one: Measured, worse: bool, margin: float, strict: float, sign: int) -> dict[str, Any]:
    from scipy.stats import norm

    gain = one.bounds(strict)
    low, high = sorted((sign * gain.low, sign * gain.high))
    sure = float(norm.ppf(strict))
    error = (gain.high - gain.low) / (2 * sure)
    otherwise = "better" if gain.low > 0 else "not worse" if gain.low >= -margin else "undecided"
    return {
        "column": one.column, "value": one.value, "rows": one.rows,
        "champion": one.values[0], "challenger": one.values[1], "difference": one.values[1] - one.values[0],
        "low": low, "high": high, "verdict": "worse" if worse else otherwise,
        "shows": margin + (sure + float(norm.ppf(POWER))) * error,
    }  # fmt: skip
