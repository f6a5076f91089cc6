"""What two methods without a network reach on the same rows: an isolation forest, and the Mahalanobis distance.

Isolation forest: Liu, Ting & Zhou 2008, as scikit-learn has it. Mahalanobis 1936: the distance from the mean in the
units of the covariance of all training rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from kilnworks.components.judging import metrics

Array = np.ndarray
MOST_ROWS = 100_000
"""Training rows that are learned from, at most: the first ones."""


def baselines(
    train: Iterable[Mapping[str, Array]], judged: Iterator[Mapping[str, Array]], truth: Array
) -> dict[str, Any]:
    """Average precision and AUC of both, and the better one as what stands beside the model.

    Args:
        train: encoded training rows, part by part.
        judged: encoded rows of the split that is judged, part by part, in the order of ``truth``.
        truth: 1 for an anomaly, [N].
    """
    if not 0 < truth.sum() < len(truth):
        return {}
    learned = _first(train)
    methods: dict[str, Callable[[Array], Array]] = {
        "isolation forest": isolation_forest(learned),
        "Mahalanobis distance": mahalanobis(learned),
    }
    scores: dict[str, list[Array]] = {name: [] for name in methods}
    for part in judged:
        rows = flat(part)
        for name, method in methods.items():
            scores[name].append(method(rows))
    found = {name: _measured(truth, np.concatenate(parts)) for name, parts in scores.items()}
    best = max(found, key=lambda name: found[name]["average_precision"])
    words = "; ".join(f"{name} {each['average_precision']:.3f}" for name, each in found.items())
    return {
        "baselines": found,
        "baseline": {"rule": f"average precision of {words}", "metrics": found[best]},
    }


def flat(rows: Mapping[str, Array]) -> Array:
    """Encoded tensors side by side, float64 [N, D]."""
    return np.concatenate([a.reshape(len(a), -1).astype(np.float64) for a in rows.values()], axis=1)


def isolation_forest(train: Array) -> Callable[[Array], Array]:
    """Rows [N, D] to scores [N], higher for stranger ones; 100 trees of up to 256 of the training rows."""
    from sklearn.ensemble import IsolationForest

    fitted = IsolationForest(random_state=0).fit(train)
    return lambda rows: np.asarray(-fitted.score_samples(rows))


def mahalanobis(train: Array) -> Callable[[Array], Array]:
    """Rows [N, D] to squared distances [N] from the mean of the training rows."""
    mean = train.mean(axis=0)
    spread = np.atleast_2d(np.cov(train, rowvar=False))
    inverse = np.linalg.pinv(spread, hermitian=True)
    return lambda rows: np.asarray(np.einsum("ni,ij,nj->n", rows - mean, inverse, rows - mean))


def _first(parts: Iterable[Mapping[str, Array]]) -> Array:
    found, count = [], 0
    for part in parts:
        found.append(flat(part)[: MOST_ROWS - count])
        count += len(found[-1])
        if count >= MOST_ROWS:
            break
    return np.concatenate(found)


def _measured(truth: Array, score: Array) -> dict[str, float]:
    """By the ranks of the scores, which is all that both metrics look at."""
    ranks = np.unique(score, return_inverse=True)[1]
    cells = metrics.cells(truth, (ranks + 1) / (ranks.max() + 2))
    found = metrics.binary(cells)
    return {name: float(found[name]) for name in ("average_precision", "auc")}
