"""What labels tell, part by part, against NumPy over all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilnworks.components.tasks.labels import LabelStatistics
from tests.components.learning.training_examples import DIGITS, PRICES

VALUES = st.floats(-1e9, 1e9, width=32)


@given(st.lists(st.lists(VALUES, max_size=20), min_size=1, max_size=6).filter(any))
def test_values(parts: list[list[float]]) -> None:
    found = LabelStatistics.of(PRICES, [np.array(p, np.float32) for p in parts])
    every = np.concatenate([np.array(p, np.float64) for p in parts])
    assert found.rows == len(every)
    assert (found.low, found.high) == (every.min(), every.max())
    scale = float(np.abs(every).max())
    assert found.mean == pytest.approx(every.mean(), rel=1e-9, abs=1e-12 * scale)
    assert found.variance == pytest.approx(every.var(), rel=1e-9, abs=1e-12 * scale**2)


def test_one_part_is_exactly_what_numpy_says() -> None:
    """So that a training in memory has the numbers that it always had."""
    label = np.random.default_rng(0).normal(3e5, 7e4, 10_001).astype(np.float32)
    found = LabelStatistics.of(PRICES, [label])
    values = label.astype(np.float64)
    assert (found.mean, found.variance) == (values.mean(), values.var())


def test_classes() -> None:
    parts = [np.array(p, np.int32) for p in ([0, 3, 3], [], [9])]
    found = LabelStatistics.of(DIGITS, parts)
    assert found.rows == 4
    assert found.counts.tolist() == [1, 0, 0, 2, 0, 0, 0, 0, 0, 1]


@given(st.lists(st.lists(st.floats(2**-10, 2**20, width=32), max_size=9), min_size=1, max_size=4).filter(any))
def test_logarithms_of_values_above_0(parts: list[list[float]]) -> None:
    found = LabelStatistics.of(PRICES, [np.array(p, np.float32) for p in parts])
    logs = np.log(np.concatenate([np.array(p, np.float32).astype(np.float64) for p in parts]))
    assert (found.log_mean, found.log_variance) == pytest.approx((logs.mean(), logs.var()), rel=1e-9, abs=1e-9)
