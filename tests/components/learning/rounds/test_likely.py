"""How far early stopping is likely to let a training go, held against trainings of first models."""

import pytest

from kilnworks.components.learning.rounds.likely import likely_end

TRAININGS = [
    (6, 150, [1, 3, 4, 5, 6, 8, 9, 12, 13]),
    (6, 150, [*range(1, 12), 14, 17, 19, 23]),
    (6, 60, [*range(1, 10), 12, 15, 17]),
    (12, 150, [*range(1, 30), 34, 38, 47]),
    (6, 150, [*range(1, 60), *range(62, 104, 3)]),
]
"""Patience, epochs at most, and those that were the best one so far, of trainings like those of decision 365."""


@pytest.mark.parametrize(("patience", "most", "better"), TRAININGS)
def test_from_a_third_of_a_training_on_the_time_to_go_is_within_a_factor_of_two(patience, most, better) -> None:
    """With two networks on all rows behind it, which take as many epochs as the best one."""
    last = better[-1]
    ends = last + patience
    for done in range(ends // 3 + 1, ends):
        best = max(one for one in better if one <= done)
        end, likely = likely_end(done, best, patience, most)
        assert done < end <= most
        told, came = end - done + 2.25 * likely, ends - done + 2.25 * last
        assert 0.5 <= told / came <= 2, (done, told, came)


def test_without_a_better_epoch_for_half_of_the_patience_it_was_the_best_one() -> None:
    assert likely_end(13, 10, 6, 150) == (16, 10)
    assert likely_end(12, 10, 6, 150) == (22, 16)


def test_the_most_that_may_be_trained_is_the_most_that_is_told() -> None:
    assert likely_end(50, 50, 6, 60) == (60, 54)
    assert likely_end(60, 57, 6, 60) == (60, 57)
    assert likely_end(0.5, 0, 6, 150) == (18, 12)
    assert likely_end(40.2, 30, 6, 150) == (41, 35), "a stopping that waits longer than its patience"
