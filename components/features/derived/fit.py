"""Find clusters and components among numbers of the training rows, with scikit-learn, on one thread: bit by bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from kilnworks.components.features.derived.plan import FAR, DerivedInput, DerivedPlan
from kilnworks.components.features.derived.settings import Derived
from kilnworks.components.features.kinds.dropped import DroppedPlan
from kilnworks.components.features.kinds.learned import usable_variance
from kilnworks.components.features.kinds.scalars import Number, fill
from kilnworks.components.features.plan import TransformPlan
from kilnworks.components.features.shards import batches
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.words import listed

Array = np.ndarray
MOST_ROWS = 50_000
"""Training rows that are looked at, at most; of more, as many at random."""
STARTS = {"kmeans": 10, "gaussian_mixture": 2}
"""Starts of a fit, the best of which counts."""
LEAST_VARIANCE = 1e-3
"""Added to the variances of Gaussians, in squared deviations."""


def fit_derived(plan: TransformPlan, files: Sequence[Path], derived: Mapping[str, Derived]) -> dict[str, DerivedPlan]:
    """What is derived from features whose own plans are made, by name.

    Args:
        plan: of the features.
        files: the Parquet shards of the training split, at least one row.
        derived: settings by name, as ``refuse_names`` lets them pass.

    Raises:
        ConfigError: a feature gives no number, there are fewer different rows than clusters or numbers than
            components, or all rows are alike.
    """
    return {name: _fit(name, one, _inputs(name, one, plan), plan, files) for name, one in derived.items()}


def _inputs(name: str, settings: Derived, plan: TransformPlan) -> list[DerivedInput]:
    """The numbers that the named features have in the block."""
    for feature in settings.of:
        one = plan.features[feature]
        if not one.numbers(feature):
            reason = f" ({one.reason})" if isinstance(one, DroppedPlan) else ""
            raise ConfigError(
                f"derived.{name}.of names {feature!r}, which is encoded as {one.title}{reason}",
                "features that are encoded as numbers",
                f"leave {feature!r} out of it, or encode it as a number",
            )
    return [
        DerivedInput(feature=n.feature, part=n.part, plan=n.plan.model_copy(update={"indicator": False}))
        for feature in settings.of
        for n in plan.features[feature].numbers(feature).values()
    ]


def _fit(
    name: str, settings: Derived, inputs: list[DerivedInput], plan: TransformPlan, files: Sequence[Path]
) -> DerivedPlan:
    rows = _rows(settings.seed, [one.number for one in inputs], plan, files)
    found = DerivedPlan(
        method=settings.method,
        gives=settings.gives,
        inputs=tuple(inputs),
        **(_components(name, settings, rows) if settings.method == "pca" else _clusters(name, settings, rows)),
    )
    if settings.gives == "membership":
        return found
    # what it gives for the rows it was fitted on, on their own scale, says how to scale it
    count = found.count
    given = found.model_copy(update={"mean": (0.0,) * count, "deviation": (1.0,) * count}).of(np, rows)
    wide = given.astype(np.float64)
    mean, deviation = wide.mean(axis=0), np.sqrt(usable_variance(wide.var(axis=0), 1.0))
    if settings.method != "pca":
        return found.model_copy(update={"mean": tuple(mean.tolist()), "deviation": tuple(deviation.tolist())})
    factors = np.array(found.factors) / deviation
    return found.model_copy(update={"factors": _tuples(factors)})


def _rows(seed: int, numbers: list[Number], plan: TransformPlan, files: Sequence[Path]) -> Array:
    """Scaled numbers of training rows, at most ``MOST_ROWS`` in their order, float32 [rows, D]."""
    names = list(dict.fromkeys(number.feature for number in numbers))
    chosen = np.ones(plan.rows, bool)
    if plan.rows > MOST_ROWS:
        chosen[:] = False
        chosen[np.random.default_rng(seed).permutation(plan.rows)[:MOST_ROWS]] = True
    found, start = [], 0
    for batch in batches(files, names):
        kept = batch.filter(pl.Series(chosen[start : start + batch.height]))
        start += batch.height
        values = np.zeros((kept.height, len(numbers)), np.float32)
        fill(plan.contract, numbers, {}, kept, values, np.zeros((kept.height, 0), np.float32))
        found.append(np.clip(values, -FAR, FAR))  # as what is found will see them
    return np.concatenate(found)


def _components(name: str, settings: Derived, rows: Array) -> dict[str, Any]:
    """Means and axes of principal components."""
    from sklearn.decomposition import PCA

    most = min(rows.shape)
    if settings.count > most:
        raise ConfigError(
            f"derived.{name}.count is {settings.count}, of {rows.shape[1]} numbers in {len(rows)} training rows",
            f"1 to {most} components",
            "lower the count, or name more numbers",
        )
    if not (rows != rows[0]).any():
        raise ConfigError(
            f"derived.{name}: {listed(list(settings.of))} {'is' if len(settings.of) == 1 else 'are'} the same in all "
            f"{len(rows)} training rows",
            "numbers that differ",
            "name other features, or leave it out",
        )
    with threadpool_limits(1):
        model = PCA(settings.count, svd_solver="full").fit(rows.astype(np.float64))
    return {"centres": _tuples(model.mean_[None]), "factors": _tuples(model.components_.T[None])}


def _clusters(name: str, settings: Derived, rows: Array) -> dict[str, Any]:
    """Centres of clusters, that of the most rows first; of Gaussians their precisions and densities, too."""
    different = len(np.unique(rows, axis=0))
    if different < settings.count:
        raise ConfigError(
            f"derived.{name}.count is {settings.count}, and {listed(list(settings.of))} have {different} different "
            f"values in {len(rows)} training rows",
            f"at most {different} clusters",
            "lower the count, or name more numbers",
        )
    wide = rows.astype(np.float64)
    with threadpool_limits(1):
        model = _model(settings).fit(wide)
        order = np.argsort(-np.bincount(model.predict(wide), minlength=settings.count), kind="stable")
    if settings.method == "kmeans":
        return {"centres": _tuples(model.cluster_centers_[order])}
    factors = model.precisions_cholesky_[order]
    diagonals = np.diagonal(factors, axis1=1, axis2=2)
    offsets = np.log(model.weights_[order]) + np.log(diagonals).sum(axis=1)  # what all share falls out of the shares
    return {
        "centres": _tuples(model.means_[order]), "factors": _tuples(factors), "offsets": tuple(offsets.tolist())
    }  # fmt: skip


def _model(settings: Derived) -> Any:
    from sklearn.cluster import KMeans
    from sklearn.mixture import GaussianMixture

    starts = STARTS[settings.method]
    if settings.method == "kmeans":
        return KMeans(settings.count, n_init=starts, random_state=settings.seed)
    return GaussianMixture(
        settings.count, reg_covar=LEAST_VARIANCE, n_init=starts, max_iter=300, random_state=settings.seed
    )


def _tuples(values: Array) -> Any:
    """Nested tuples of float."""
    return tuple(_tuples(one) for one in values) if values.ndim > 1 else tuple(values.tolist())
