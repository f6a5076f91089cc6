"""The Fréchet distance of two sets of features, each taken for a Gaussian (Heusel et al. 2017: the FID).

::

    |m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2))

With features of the network that the paper takes it is the FID; here they are of a network of our own, so that figures
of other data, or of another network, cannot be compared with it.
"""

from __future__ import annotations

import numpy as np

from kilnworks.components.judging.intervals import Interval

Array = np.ndarray


def frechet(one: Array, other: Array) -> float:
    """The distance of two sets of features, [N, D] and [M, D]; two rows each at least. The larger, the less alike."""
    return between(moments(one), moments(other))


def moments(rows: Array) -> tuple[Array, Array]:
    """Mean [D] and covariance [D, D] of rows [N, D]."""
    wide = np.asarray(rows, np.float64)
    return wide.mean(axis=0), np.atleast_2d(np.cov(wide, rowvar=False))


def between(one: tuple[Array, Array], other: tuple[Array, Array]) -> float:
    """The distance of two Gaussians, mean [D] and covariance [D, D] each.

    The trace of the root is that of (C1^(1/2) C2 C1^(1/2))^(1/2), which is symmetric. NaN where anything is not finite.
    """
    if not all(np.isfinite(part).all() for part in (*one, *other)):
        return float("nan")
    root = _root(one[1])
    inside = np.linalg.eigvalsh(root @ other[1] @ root)
    shared = np.sqrt(np.clip(inside, 0, None)).sum()
    apart = float(((one[0] - other[0]) ** 2).sum() + np.trace(one[1]) + np.trace(other[1]) - 2 * shared)
    return max(0.0, apart)


def frechet_interval(generated: Array, real: Array, resamples: int, seed: int) -> Interval:
    """The distance of features, [N, D] each, with its 95 % interval.

    Pairs of a generated and a real row, which have the same class where one was asked for, are drawn again. Rows that
    occur twice make covariances poorer, and so draws larger than the value they are about: their mean is moved onto it.
    """
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(seed)
    rows = len(real)
    with threadpool_limits(1):
        value = frechet(generated, real)
        draws = (rng.integers(0, rows, rows) for _ in range(resamples))
        drawn = np.array([frechet(generated[some], real[some]) for some in draws])
    low, high = np.quantile(drawn - drawn.mean(), [0.025, 0.975])
    return Interval(value, max(0.0, value + float(low)), value + float(high))


def _root(covariance: Array) -> Array:
    """The symmetric root of a covariance, [D, D]."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
