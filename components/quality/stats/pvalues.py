"""Probabilities of two samples of one source differing this much by chance, as base-10 logarithms.

All functions compare ``n`` new rows with ``N`` reference rows that may be of any size, and return
``log10(p)`` in [-300, 0]. They depend on exchangeability alone (both samples drawn from one source) and err on
the side of larger p. Logarithms, because the values that decide lie far below the smallest that differ from 0.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincc, gammaln, log_ndtr

Floats = NDArray[np.float64]
FLOOR = -300.0
_LN10 = math.log(10.0)
_TERMS = 400
_NORMAL_SD = 40.0


def normal_tail(z: ArrayLike) -> Floats:
    """log10 of the two-sided normal tail beyond ``|z|``, for scores [...]."""
    return _clip((log_ndtr(-np.abs(np.asarray(z, float))) + math.log(2)) / _LN10)


def chi2_tail(statistic: float, df: int) -> float:
    """log10 P(chi-squared with ``df`` degrees of freedom > ``statistic``); 0 where ``df`` < 1."""
    if df < 1 or not statistic > 0:
        return 0.0
    tail = float(gammaincc(df / 2, statistic / 2))
    if tail > 1e-280:
        return max(FLOOR, min(0.0, math.log10(tail)))
    half = statistic / 2
    return max(FLOOR, float((-half + (df / 2 - 1) * math.log(half) - gammaln(df / 2)) / _LN10))


@lru_cache(maxsize=2**14)  # values of a column share a few counts, and stretches of one file their sizes
def rate_increase(k: int, n: int, K: int, N: int) -> float:
    """log10 P(at least ``k`` of ``n``), given ``K`` of ``N`` before and one common rate: Fisher's exact test.

    Exact where the hypergeometric law is narrow, normal with continuity correction where it is wide.
    """
    if k <= 0 or n <= 0 or N <= 0:
        return 0.0
    good, total = k + K, n + N
    mean = n * good / total
    if k <= mean:
        return 0.0
    sd = math.sqrt(max(mean * (1 - good / total) * N / max(total - 1, 1), 1e-300))
    if sd > _NORMAL_SD:
        return float(_clip(log_ndtr(-(k - 0.5 - mean) / sd) / _LN10))
    x = np.arange(k, min(k + _TERMS, min(good, n) + 1), dtype=float)
    terms = _log_choose(good, x) + _log_choose(total - good, n - x) - _log_choose(total, n)
    top = float(terms.max())
    return float(_clip((top + math.log(float(np.exp(terms - top).sum()))) / _LN10))


def rate_change(k: int, n: int, K: int, N: int) -> float:
    """log10 of the two-sided version of ``rate_increase``."""
    up = rate_increase(k, n, K, N) if k * N >= K * n else rate_increase(n - k, n, N - K, N)
    return min(0.0, up + math.log10(2))


def cell_z(k: Floats, n: float, K: Floats, N: float) -> Floats:
    """Signed root of the deviance of two Poisson rates, cell by cell [...], with continuity correction.

    ``k`` [...] of ``n`` new rows and ``K`` [...] of ``N`` reference rows fall into each cell; about standard normal
    when the rate is one, also for small counts (deviance residuals; McCullagh and Nelder 1989).
    """
    expected = (k + K) * n / (n + N)
    difference = k - expected
    shrunk = np.sign(difference) * np.maximum(np.abs(difference) - 0.5, 0.0)
    a, b = expected + shrunk, (k + K) - expected - shrunk
    other = (k + K) - expected
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(a > 0, a * np.log(a / np.maximum(expected, 1e-300)), 0.0)
        right = np.where(b > 0, b * np.log(b / np.maximum(other, 1e-300)), 0.0)
    return np.sign(shrunk) * np.sqrt(np.maximum(2 * (left + right), 0.0))


def homogeneity(new: ArrayLike, reference: ArrayLike, least: float = 5.0) -> float:
    """log10 p of two histograms over the same bins being draws of one distribution.

    Neighbouring bins are pooled until both samples expect ``least`` rows in each; the smaller of Pearson's
    statistic and the likelihood ratio is referred to the chi-squared law.
    """
    a, b = pool(np.asarray(new, float), np.asarray(reference, float), least)
    n, total = float(a.sum()), float(a.sum() + b.sum())
    if a.size < 2 or n in (0.0, total):
        return 0.0
    ea = (a + b) * n / total
    eb = (a + b) - ea
    pearson = float(((a - ea) ** 2 / ea).sum() + ((b - eb) ** 2 / eb).sum())
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = 2 * float(np.where(a > 0, a * np.log(a / ea), 0).sum() + np.where(b > 0, b * np.log(b / eb), 0).sum())
    return chi2_tail(min(pearson, ratio), a.size - 1)


def pool(new: Floats, reference: Floats, least: float) -> tuple[Floats, Floats]:
    """Merge neighbouring bins [B] from the left until each is expected to hold ``least`` rows of the smaller sample."""
    both = new + reference
    total = float(both.sum())
    if total == 0:
        return new[:0], reference[:0]
    share = min(float(new.sum()), float(reference.sum())) / total
    starts, running = [0], 0.0
    for i, rows in enumerate(both.tolist()):
        if running * share >= least:
            starts.append(i)
            running = 0.0
        running += rows
    if running * share < least and len(starts) > 1:
        starts.pop()
    return np.add.reduceat(new, starts), np.add.reduceat(reference, starts)


def ks_tail(distance: float, n: float, N: float) -> float:
    """log10 of the two-sided bound ``2 exp(-2 D^2 nN/(n+N))`` of Kolmogorov and Smirnov (holds with ties too)."""
    if n <= 0 or N <= 0:
        return 0.0
    return max(FLOOR, min(0.0, (math.log(2) - 2 * distance**2 * n * N / (n + N)) / _LN10))


def _log_choose(n: ArrayLike, k: ArrayLike) -> Floats:
    a, b = np.asarray(n, float), np.asarray(k, float)
    with np.errstate(invalid="ignore"):
        value = gammaln(a + 1) - gammaln(b + 1) - gammaln(np.maximum(a - b, 0) + 1)
    return np.where((b < 0) | (b > a), -np.inf, value)


def _clip(value: ArrayLike) -> Floats:
    return np.clip(np.asarray(value, float), FLOOR, 0.0)
