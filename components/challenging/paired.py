"""How much better one model is than another on the same rows, with bounds. Errors of both go together: pairs are kept.

* A share of rows that are right: rows that both get right, or both wrong, say nothing. Of the others the number won is
  binomial; its exact bounds (Clopper & Pearson 1934) are McNemar's exact test turned round (McNemar 1947).
* Any other metric: rows are drawn again by Poisson(1) weights (Chamandy et al. 2012), one draw for both models, and the
  bounds are quantiles of the difference, by the ranks ``(1 - level)(B + 1)`` and ``level (B + 1)`` of B draws; where
  a rank lies below 1, as in one of many slices, no draw is far enough out, and they are those of the normal.

Where no row tells two models apart, the rule of three holds: of n rows, ``-ln(1 - level)`` may be of a kind not seen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.challenging.gain import Gain

Rows = NDArray[np.intp]
Influence = NDArray[np.floating]
FEWEST_DRAWS = 200
ROWS_DRAWN = 20_000_000
"""Rows of all draws together, about; fewer draws are made of many rows, whose bounds need fewer."""


def share_gain(before: NDArray[np.bool_], now: NDArray[np.bool_], level: float) -> Gain:
    """The gain in the share of rows that are right.

    Args:
        before: rows that the old model has right, [N], at least one.
        now: rows that the new model has right, [N].
        level: confidence of each bound, 0.5 to 1.
    """
    from scipy.stats import beta

    rows, won, lost = len(now), int((now & ~before).sum()), int((before & ~now).sum())
    differ = won + lost
    least = float(beta.ppf(1 - level, won, lost + 1)) if won else 0.0
    most = float(beta.ppf(level, won + 1, lost)) if lost else 1.0
    value, open_by = (won - lost) / rows, unseen(rows, level)
    low, high = (differ * (2 * share - 1) / rows for share in (least, most))
    method = f"exact McNemar, {won} rows won and {lost} lost"
    return Gain(value, max(min(low, value - open_by), -1.0), min(max(high, value + open_by), 1.0), method)


def unseen(rows: int, level: float) -> float:
    """The largest share of rows that may be of a kind of which ``rows`` show none (the rule of three)."""
    return min(1.0, float(-np.log(1 - level)) / rows)


@dataclass(frozen=True)
class Resampled:
    """A gain in any metric, and what the draws made of it.

    Attributes:
        value: measured; NaN where the metric of one of the models is undefined on all rows.
        drawn: of the draws on which the metric is defined, [draws].
        count: of all draws.
    """

    value: float
    drawn: NDArray[np.floating]
    count: int

    def at(self, level: float) -> Gain:
        """The gain with bounds of that confidence; all NaN where it is undefined."""
        if not np.isfinite(self.value):
            return Gain(float("nan"), float("nan"), float("nan"), "")
        low = high = self.value
        if len(self.drawn):
            low, high = np.quantile(self.drawn, [1 - level, level], method="weibull")
        if len(self.drawn) and (1 - level) * (len(self.drawn) + 1) < 1:
            wide = self._normal(level)
            low, high = min(low, self.value - wide), max(high, self.value + wide)
        method = f"paired Poisson bootstrap, {self.count} draws"
        return Gain(self.value, min(float(low), self.value), max(float(high), self.value), method)

    def _normal(self, level: float) -> float:
        """How far out a bound lies by the normal distribution: where the outermost draw is not far enough."""
        from scipy.stats import norm

        return float(norm.ppf(level) * np.std(self.drawn))


def resampled(values: Callable[[Rows], tuple[float, float]], rows: int, sign: int, draws: int, seed: int) -> Resampled:
    """The gain in any metric.

    Args:
        values: from numbers of rows, with repeats, to the metric of the old and of the new model; NaN where undefined.
        rows: N.
        sign: 1 where a large value is better, -1 where a small one is.
        draws: most draws.
        seed: of the draws.
    """
    before, now = values(np.arange(rows))
    value = float(sign * (now - before))
    if not np.isfinite(value):
        return Resampled(value, np.empty(0), 0)
    rng = np.random.default_rng(seed)
    count = int(np.clip(ROWS_DRAWN // rows, FEWEST_DRAWS, draws))
    found = np.array([_drawn(values, rng, rows, sign) for _ in range(count)])
    return Resampled(value, found[np.isfinite(found)], count)


def influenced_gain(
    before: tuple[float, Influence], now: tuple[float, Influence], sign: int, draws: int, seed: int, level: float
) -> Gain:
    """The gain in a metric of which the influence of each row is known: the same draws, without the metric of each.

    Args:
        before: the metric of the old model, and the influence of every row on it, [N], mean 0.
        now: the same of the new model.
        sign: 1 where a large value is better, -1 where a small one is.
        draws: how many.
        seed: of the draws.
        level: confidence of each bound.
    """
    value, each = sign * (now[0] - before[0]), sign * (now[1] - before[1])
    sums, counts = _weighted(np.asarray(each, np.float64), draws, seed)
    found = value + sums / np.maximum(1, counts)
    low, high = np.quantile(found, [1 - level, level], method="weibull")
    return Gain(value, min(float(low), value), max(float(high), value), f"paired Poisson bootstrap, {draws} draws")


def _weighted(each: Influence, draws: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The weighted sum of the rows in every draw, and the sum of the weights, [draws] each."""
    weights = _weights(len(each), draws, seed)  # a float for every weight would be eight times the memory
    return np.einsum("dn,n->d", weights, each), weights.sum(axis=1, dtype=np.int64)


@lru_cache(maxsize=1)
def _weights(rows: int, draws: int, seed: int) -> NDArray[np.uint8]:
    """Poisson(1) weights, [draws, rows]: the same for every metric and every other model on the same rows."""
    rng = np.random.default_rng(seed)
    weights = np.empty((draws, rows), np.uint8)  # one beyond 255 comes once in 10^500
    for drawn in weights:
        drawn[:] = rng.poisson(1.0, rows)
    return weights


def _drawn(values: Callable[[Rows], tuple[float, float]], rng: np.random.Generator, rows: int, sign: int) -> float:
    drawn = np.repeat(np.arange(rows), rng.poisson(1.0, rows))
    if not len(drawn):
        return float("nan")
    before, now = values(drawn)
    return sign * (now - before)
