"""How large a batch should be, found from the times of runs that are made up."""

from collections.abc import Callable

import numpy as np
import pytest

from kilnworks.components.serving.batching.batch_size import ANY, BatchSize


def run(
    size: BatchSize, seconds: Callable[[int], float], rounds: int = 400, at_hand: int = 16, now: float = 0.0
) -> int:
    """Batches of the wanted size, of ``at_hand`` rows at most; the size learned in the end."""
    for _ in range(rounds):
        rows = min(size.wanted(now), at_hand)
        size.learn(rows, seconds(rows))
        now += seconds(rows)
    return size.learned(now)


def test_rows_that_cost_nothing_come_in_any_number() -> None:
    size = BatchSize()
    assert run(size, lambda rows: 0.002 * rows) == 1
    assert run(size, lambda rows: 0.002, 20_000, now=1.0) >= 16


def test_rows_that_cost_as_much_as_runs_come_alone() -> None:
    assert run(BatchSize(), lambda rows: 0.002 * rows) == 1


@pytest.mark.parametrize("seed", range(5))
def test_noise_does_not_make_requests_wait(seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = BatchSize()
    run(size, lambda rows: 0.002 * rows)
    found = [run(size, lambda rows: 0.002 * rows * rng.uniform(1, 1.6), 50, now=1.0 + i) for i in range(20)]
    assert set(found) <= {1, ANY}, "ANY: a trial is due"
    assert found.count(1) > 15


def test_the_smallest_size_that_is_good_enough() -> None:
    """8 ms and 1 ms a row: a row costs 1.5 ms among 16 and 1.13 among 64, 1.34 times less; among 8 it costs 2 ms."""
    size = BatchSize()
    for rows in (1, 2, 4, 8, 16, 32, 64):
        for _ in range(8):
            size.learn(rows, 0.008 + 0.001 * rows)
    assert [size.wanted(0) for _ in range(5)] == [1, 1, 1, 1, ANY], "a trial"
    assert size.learned(0.1) == 31, "16 to 31 rows are kept apart from fewer and from more"


def test_one_client_teaches_nothing_about_many() -> None:
    size = BatchSize()
    for _ in range(500):
        size.learn(1, 0.001)
    assert size.learned(0.0) == ANY


@pytest.mark.slow
def test_what_was_learned_is_tried_again_and_ever_more_seldom() -> None:
    size = BatchSize()
    now, trials = 0.0, []
    for _ in range(300_000):
        rows = min(size.wanted(now), 16)
        if rows == 16 and now > 1:
            trials.append(now)
        size.learn(rows, 0.0005 * rows)
        now += 0.0005 * rows
    gaps = np.diff(trials)
    assert len(trials) >= 4
    assert gaps[0] < 10
    assert gaps[-1] == pytest.approx(20, abs=0.1)
    assert run(size, lambda rows: 0.002, 40_000, now=now) >= 16, "now runs cost the same whatever their size"
