"""What ``evaluation.json`` says of clusters: silhouettes, what is typical of each, and two views of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kilnworks.components.judging.cluster_fits import MOST_MEASURED, silhouettes, some
from kilnworks.components.judging.curves import rounded
from kilnworks.components.judging.intervals import Interval, interval_of, undefined

Array = np.ndarray
TYPICAL = 5
"""Columns that are named for a cluster, at most."""
DRAWN = 600
"""Rows in a view, at most."""
FEWEST_DRAWN = 30
"""Fewer rows than this have no t-SNE view."""
AXES = 10
"""Principal components whose share of the variance is told, at most."""


def silhouette(rows: Array, cluster: Array, resamples: int, seed: int) -> Interval:
    """The mean silhouette with its 95 % interval over rows drawn again, the clusters being as they are.

    Args:
        rows: as the model takes them, [N, D]; some of them where there are many.
        cluster: of each row, int [N].
        resamples: draws.
        seed: decides the draws, and which rows.
    """
    found = silhouettes(some(rows, MOST_MEASURED, seed), some(cluster, MOST_MEASURED, seed))
    if not len(found):
        return undefined("fewer than two clusters occur, or every row is one")
    rng = np.random.default_rng(seed)
    draws = np.array([found[rng.integers(0, len(found), len(found))].mean() for _ in range(resamples)])
    return interval_of(float(found.mean()), draws, None)


def table(rows: Array, cluster: Array, distance: Array, count: int, task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each cluster: how many rows, how far from its centre, and the columns that are farthest from the usual.

    Args:
        rows: [N, D].
        cluster: of each row, int [N].
        distance: of each row from the centre, [N].
        count: how many clusters there are.
        task: ``columns``, names [D], and ``mean`` and ``spread`` of the training rows [D].
    """
    mean, spread = np.array(task["mean"]), np.array(task["spread"])
    return [
        {
            "cluster": number,
            "rows": int((cluster == number).sum()),
            "share": float((cluster == number).mean()),
            "distance": float(distance[cluster == number].mean()) if (cluster == number).any() else None,
            "typical": _typical(rows[cluster == number], mean, spread, task["columns"]),
        }
        for number in range(count)
    ]


def views(rows: Array, cluster: Array, axes: Array, mean: Array, shares: Sequence[float], seed: int) -> dict[str, Any]:
    """Some rows in two dimensions: principal components of the training rows, and t-SNE (van der Maaten & Hinton 2008).

    Args:
        rows: [N, D].
        cluster: of each row, int [N].
        axes: the first two principal components, [2, D].
        mean: of the training rows, [D].
        shares: of the variance, of each component that is told.
        seed: decides which rows.
    """
    few, of = some(rows, DRAWN, seed).astype(np.float64), some(cluster, DRAWN, seed)
    drawn: dict[str, Any] = {"pca": _points((few - mean) @ axes.T, of) | {"explained": rounded(np.array(shares))}}
    if len(np.unique(few, axis=0)) >= FEWEST_DRAWN:
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):
            tsne = TSNE(perplexity=min(30.0, (len(few) - 1) / 3), init="pca", random_state=seed % 2**32, n_jobs=1)
            drawn["tsne"] = _points(tsne.fit_transform(few), of)
    return drawn


def principal(rows: Array) -> tuple[Array, list[float]]:
    """The first two principal components of rows [N, D], [2, D], and shares of the variance of up to ``AXES``.

    The second one is zeros where there is one column.
    """
    from sklearn.decomposition import PCA
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        found = PCA(min(AXES, *rows.shape), svd_solver="full").fit(np.asarray(rows, np.float64))
    axes = np.zeros((2, rows.shape[1]))
    axes[: min(2, len(found.components_))] = found.components_[:2]
    return axes, [float(share) for share in np.nan_to_num(found.explained_variance_ratio_)]


def _points(places: Array, cluster: Array) -> dict[str, Any]:
    return {"x": rounded(places[:, 0]), "y": rounded(places[:, 1]), "cluster": [int(one) for one in cluster]}


def _typical(rows: Array, mean: Array, spread: Array, names: Sequence[str]) -> list[dict[str, Any]]:
    if not len(rows):
        return []
    apart = (rows.mean(axis=0, dtype=np.float64) - mean) / spread
    places = np.argsort(-np.abs(apart), kind="stable")[:TYPICAL]
    return [{"column": names[place], "apart": float(apart[place])} for place in places if apart[place]]
