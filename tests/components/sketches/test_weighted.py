"""Weighted values against NumPy and Python on all rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilnworks.components.sketches.weighted import Weighted

WHOLE = st.integers(-(2**62), 2**62)
ROWS = st.one_of(
    st.lists(st.floats(-1e9, 1e9), min_size=1), st.lists(WHOLE, min_size=1), st.lists(st.integers(-9, 9), min_size=1)
)


@given(ROWS, st.integers(0, 50))
def test_parts_merge_into_the_whole(rows, cut):
    values = np.array(rows)
    merged = Weighted.of(values[:cut]).merged(Weighted.of(values[cut:]))
    different, counts = np.unique(values, return_counts=True)
    np.testing.assert_array_equal(merged.values, different)
    np.testing.assert_array_equal(merged.weights, counts)
    assert merged.rows == len(rows)


@given(ROWS)
def test_what_lies_nearest_and_below(rows):
    values, ordered = Weighted.of(np.array(rows)), sorted(rows)
    shares = [0.0, 0.1, 0.25, 0.5, 0.9, 1.0]
    assert values.nearest(shares).tolist() == [ordered[round(q * (len(rows) - 1))] for q in shares]
    edges = np.array(ordered)
    assert values.below(edges).tolist() == [sum(one < edge for one in rows) for edge in ordered]


@pytest.mark.parametrize("size", [10, 500])
def test_thinning_keeps_the_ends_the_rows_and_the_ranks(size):
    rows = np.random.default_rng(0).lognormal(size=20_000)
    thin = Weighted.of(rows).thinned(size)
    assert len(thin.values) <= size and thin.rows == pytest.approx(len(rows))
    assert (thin.values[0], thin.values[-1]) == (rows.min(), rows.max())
    shares = np.linspace(0, 1, 41)
    ranks = np.searchsorted(np.sort(rows), thin.nearest(shares), side="right") / len(rows)
    assert np.abs(ranks - shares).max() <= 1 / (2 * (size - 1)) + 1e-4


def test_nothing_was_seen():
    empty = Weighted.of(np.empty(0))
    assert empty.rows == 0 and len(empty.merged(Weighted()).values) == 0
    assert empty.merged(Weighted.of(np.array([2.0, 1.0]))).values.tolist() == [1.0, 2.0]
