"""Mergeable statistics against scikit-learn and NumPy, whatever the batches."""

import numpy as np
import polars as pl
import pytest
from sklearn.preprocessing import StandardScaler

from kilnworks.components.features.statistics import scalar_moments, tensor_moments
from kilnworks.components.sketches.moments import Moments


def _in_batches(values, sizes):
    edges = np.cumsum([0, *sizes])
    return [values[a:b] for a, b in zip(edges, [*edges[1:], len(values)], strict=True)]


@pytest.mark.parametrize("sizes", [[], [1], [10, 500], [0, 333, 333]])
def test_moments_of_batches_are_those_of_standard_scaler(sizes):
    values = np.random.default_rng(0).normal(1e9, 0.5, 1000)
    merged = Moments()
    for batch in _in_batches(values, sizes):
        merged.merge(scalar_moments(pl.DataFrame({"x": batch}))["x"])
    scaler = StandardScaler().fit(values[:, None])
    assert merged.count == 1000
    assert merged.mean == pytest.approx(scaler.mean_[0], rel=1e-14)
    assert merged.variance == pytest.approx(np.var(values), rel=1e-6)
    assert (merged.low, merged.high) == (values.min(), values.max())


def test_null_and_nan_are_missing():
    found = scalar_moments(
        pl.DataFrame({"x": [1.0, None, float("nan"), 3.0], "y": [None] * 4}, schema_overrides={"y": pl.Float64})
    )
    assert (found["x"].count, found["x"].missing, found["x"].mean, found["x"].variance) == (2, 2, 2.0, 1.0)
    assert (found["y"].count, found["y"].missing) == (0, 4)


def test_tensor_moments_are_those_of_each_place_of_the_last_axis():
    values = np.random.default_rng(1).normal([0, 5, -3], [1, 2, 0.1], (50, 7, 3))
    values[3] = np.nan
    merged = Moments()
    for batch in (values[:20], values[20:]):
        merged.merge(tensor_moments(batch))
    kept = np.delete(values, 3, axis=0).reshape(-1, 3)
    np.testing.assert_allclose(merged.mean, kept.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(merged.variance, kept.var(axis=0), rtol=1e-10)
    assert merged.missing == 1
