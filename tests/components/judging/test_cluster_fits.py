"""How steady clusters are, and what stands beside their silhouette."""

import numpy as np
import pytest

from kilnworks.components.judging.cluster_fits import (
    baseline,
    fitted,
    mean_silhouette,
    shuffled,
    silhouettes,
    steadiness,
)
from kilnworks.components.judging.cluster_settings import How


def groups(n: int = 300, apart: float = 8.0) -> np.ndarray:
    draw = np.random.default_rng(0)
    return np.repeat([[0.0, 0.0], [apart, apart], [-apart, apart]], n // 3, axis=0) + draw.normal(size=(n, 2))


@pytest.mark.slow
def test_groups_that_lie_apart_are_found_by_any_half_and_one_heap_is_not() -> None:
    assert steadiness(groups(), 3, How()) == (1.0, 1.0, 1.0)
    mean, low, high = steadiness(groups(apart=0.0), 5, How())
    assert low < mean < high and mean < 0.8


@pytest.mark.slow
def test_a_mixture_is_as_steady_and_two_fits_are_the_same_bit_by_bit() -> None:
    how = How(method="gaussian_mixture")
    assert steadiness(groups(), 3, how)[0] == pytest.approx(1.0)
    one, two = (fitted(groups(), 3, how) for _ in range(2))
    np.testing.assert_array_equal(one.means_, two.means_)


def test_too_few_rows_have_no_stability_and_one_cluster_no_silhouette() -> None:
    assert np.isnan(steadiness(groups(9), 3, How())[0])
    assert len(silhouettes(groups(9), np.zeros(9, int))) == 0


def test_shuffled_columns_keep_their_values_and_lose_what_goes_together() -> None:
    rows = groups()
    mixed = shuffled(rows, 0)
    np.testing.assert_array_equal(np.sort(mixed, axis=0), np.sort(rows, axis=0))
    beside = baseline(rows, 3, How())["baseline"]["metrics"]["silhouette"]
    assert beside == pytest.approx(mean_silhouette(fitted(mixed, 3, How()), mixed))
    assert beside < mean_silhouette(fitted(rows, 3, How()), rows) - 0.1
    assert baseline(np.ones((20, 2)), 3, How()) == {}
