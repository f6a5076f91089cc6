"""Quantiles of batches against NumPy on all rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilnworks.components.sketches.quantiles import Quantiles


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200), st.integers(1, 50))
def test_quantiles_are_exact_while_values_fit(values, size):
    stream = Quantiles()
    for i in range(0, len(values), size):
        stream.add(np.array(values[i : i + size]))
    shares = np.linspace(0, 1, 21)
    np.testing.assert_allclose(stream.at(shares), np.quantile(values, shares), rtol=1e-12, atol=1e-9)


def test_quantiles_of_many_values_are_close_in_rank():
    r = np.random.default_rng(2)
    values = np.concatenate([r.lognormal(0, 3, 200_000), np.zeros(50_000)])
    r.shuffle(values)
    stream = Quantiles(capacity=2000)
    for batch in np.array_split(values, 25):
        stream.add(batch)
    assert len(stream.seen.values) <= 2000
    assert stream.seen.weights.sum() == pytest.approx(len(values))
    shares = np.linspace(0, 1, 101)
    ranks = np.searchsorted(np.sort(values), stream.at(shares), side="right") / len(values)
    zeros = shares < 0.195
    assert np.abs(ranks - shares)[~zeros].max() < 0.005
    assert (stream.at(shares)[zeros] == 0).all()
    assert (stream.at(np.array([0.0, 1.0])) == [0, values.max()]).all()
