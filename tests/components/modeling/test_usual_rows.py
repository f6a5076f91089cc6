"""Medians, spreads and the rows to learn from, against NumPy and planted anomalies."""

import numpy as np
import pytest

from kilnworks.components.modeling.usual_rows import centre_and_spread, soft_clipped, usual_rows
from tests.components.modeling.dirty_rows import nine_numbers


def test_spreads_are_standard_deviations_that_bear_strange_rows() -> None:
    rows = np.random.default_rng(0).normal([5, -3], [2, 0.5], (4000, 2))
    rows[:280] = 1e4
    centre, spread = centre_and_spread(rows)
    assert centre == pytest.approx([5, -3], abs=0.3)
    assert spread == pytest.approx([2, 0.5], rel=0.15)


def test_a_column_that_hardly_or_never_varies_has_a_spread() -> None:
    rows = np.zeros((100, 2))
    rows[:9, 0], rows[9, 0] = 4.0, 1e6
    centre, spread = centre_and_spread(rows)
    assert centre.tolist() == [0, 0]
    assert spread == pytest.approx([4 * np.sqrt(0.1), 1.0])


def test_the_clip_is_that_of_the_layer() -> None:
    rows = np.array([[0.0], [1.0], [1e6], [-1e6]])
    found = soft_clipped(rows, np.zeros(1), np.ones(1), 5.0)
    assert found[:, 0] == pytest.approx([0, 1 / np.sqrt(1.04), 5, -5])


@pytest.mark.slow
def test_anomalies_that_lie_close_together_are_not_learned_from() -> None:
    rows, odd = nine_numbers(0, 4000, 0.07)
    kept = usual_rows(rows, 0.15, 5.0, seed=0)
    assert kept.sum() == 4000 - 600
    assert kept[odd].mean() < 0.1  # a tenth of them do not
    assert (kept == usual_rows(rows, 0.15, 5.0, seed=0)).all()
