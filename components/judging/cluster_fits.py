"""Clusters of rows as scikit-learn finds them: k-means (Lloyd 1982) and mixtures of Gaussians (Dempster 1977).

How many there are is chosen by the mean silhouette (Rousseeuw 1987); how steady they are is told by fits on two halves
of the rows (Hennig 2007), compared by the adjusted Rand index (Hubert & Arabie 1985).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from kilnworks.components.judging.cluster_settings import How

Array = np.ndarray
MOST_MEASURED = 2000
"""Rows behind a silhouette, at most: it compares every row with every other one."""
MOST_HALVED = 4000
"""Rows that are halved to see how steady clusters are, at most."""
PAIRS = 20
"""Pairs of halves."""
STARTS = {"kmeans": 10, "gaussian_mixture": 2}
"""Starts of a fit, the best of which counts."""


def fitted(rows: Array, count: int, how: How) -> Any:
    """The scikit-learn model of ``count`` clusters of rows [N, D], N >= ``count``; on one thread, so bit by bit."""
    from sklearn.cluster import KMeans
    from sklearn.mixture import GaussianMixture

    starts = STARTS[how.method]
    model: Any
    if how.method == "kmeans":
        model = KMeans(count, n_init=starts, random_state=how.seed)
    else:
        model = GaussianMixture(
            count,
            covariance_type=how.covariance,
            reg_covar=how.least_variance,
            n_init=starts,
            max_iter=300,
            random_state=how.seed,
        )
    with threadpool_limits(1):
        return model.fit(np.asarray(rows, np.float64))


def by_size(model: Any, rows: Array) -> Array:
    """Numbers of the clusters of a model, [K], that of the most of ``rows`` [N, D] first."""
    counts = np.bincount(told(model, rows), minlength=count_of(model))
    return np.argsort(-counts, kind="stable")


def count_of(model: Any) -> int:
    """How many clusters a model has."""
    return len(model.cluster_centers_ if hasattr(model, "cluster_centers_") else model.means_)


def told(model: Any, rows: Array) -> Array:
    """The cluster of each of rows [N, D], int [N]."""
    with threadpool_limits(1):
        return np.asarray(model.predict(np.asarray(rows, np.float64)))


def some(rows: Array, most: int, seed: int) -> Array:
    """``most`` of rows [N, ...] at random, in their order; all where there are no more."""
    if len(rows) <= most:
        return rows
    return rows[np.sort(np.random.default_rng(seed).permutation(len(rows))[:most])]


def silhouettes(rows: Array, cluster: Array) -> Array:
    """The silhouette of each row, [N]; empty where fewer than two clusters occur, or as many as there are rows.

    Args:
        rows: [N, D].
        cluster: of each row, int [N].
    """
    from sklearn.metrics import silhouette_samples

    if not 2 <= len(np.unique(cluster)) < len(rows):
        return np.empty(0)
    with threadpool_limits(1):
        return np.asarray(silhouette_samples(np.asarray(rows, np.float64), cluster))


def mean_silhouette(model: Any, rows: Array) -> float:
    """The mean silhouette of rows [N, D], of which the caller takes ``some``; -1 where it is not defined."""
    found = silhouettes(rows, told(model, rows))
    return float(found.mean()) if len(found) else -1.0


def best_count(rows: Array, most: int, how: How) -> tuple[Any, dict[int, float]]:
    """The model whose clusters have the largest mean silhouette, of 2 to ``most``; and that of each count.

    ``rows`` is [N, D], of which at least ``most`` differ.
    """
    measured = some(rows, MOST_MEASURED, how.seed)
    models = {count: fitted(rows, count, how) for count in range(2, most + 1)}
    tried = {count: mean_silhouette(model, measured) for count, model in models.items()}
    return models[max(tried, key=lambda count: tried[count])], tried


def steadiness(rows: Array, count: int, how: How) -> tuple[float, float, float]:
    """Adjusted Rand index of what fits on two halves of the rows say of all of them: mean, and 2.5 % and 97.5 %.

    ``rows`` is [N, D]; over ``PAIRS`` pairs of halves. NaN where half of the rows are fewer than the clusters.
    """
    from sklearn.metrics import adjusted_rand_score

    drawn = some(rows, MOST_HALVED, how.seed)
    if len(np.unique(drawn, axis=0)) < 4 * count:
        return float("nan"), float("nan"), float("nan")
    rng, found = np.random.default_rng(how.seed), []
    for _ in range(PAIRS):
        mixed = rng.permutation(len(drawn))
        halves = (mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :])
        one, two = (told(fitted(drawn[half], count, how), drawn) for half in halves)
        found.append(adjusted_rand_score(one, two))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(np.mean(found)), float(low), float(high)


def shuffled(rows: Array, seed: int) -> Array:
    """Rows [N, D] whose columns are shuffled each by itself: the same values, and nothing that goes together."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.permutation(column) for column in rows.T], axis=1)


def baseline(rows: Array, count: int, how: How) -> Mapping[str, Any]:
    """The silhouette of the same method on shuffled columns of rows [N, D], for ``evaluation.json``."""
    drawn = some(shuffled(rows, how.seed), MOST_HALVED, how.seed)
    if len(np.unique(drawn, axis=0)) <= count:
        return {}
    value = mean_silhouette(fitted(drawn, count, how), some(drawn, MOST_MEASURED, how.seed))
    rule = f"the same method on columns that are shuffled each by itself has a silhouette of {value:.3f}"
    return {
        "baselines": {"shuffled columns": {"silhouette": value}},
        "baseline": {"rule": rule, "metrics": {"silhouette": value}},
    }
