"""A training ends after the last epoch that fits into its budget, also where it was killed in between."""

import pytest

from kilnworks.components.learning.rounds import budget as module
from kilnworks.components.learning.rounds.budget import Budget


class Model:
    stop_training = False


@pytest.fixture
def clock(monkeypatch):
    """Seconds that the test sets."""
    now = [0.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    return now


def budget(seconds: float) -> Budget:
    made = Budget(seconds)
    made.set_model(Model())
    made.on_train_begin()
    return made


def test_it_stops_before_the_epoch_that_would_end_too_late(clock) -> None:
    one = budget(10.0)
    stopped = []
    for epoch, end in enumerate((3.0, 6.0, 9.0)):
        clock[0] = end
        one.on_epoch_end(epoch)
        stopped.append(one.model.stop_training)
    assert stopped == [False, False, True]
    assert one.summary() == {"seconds": 10.0, "spent": 9.0, "over": True}


def test_the_time_between_two_processes_does_not_count(clock) -> None:
    one = budget(10.0)
    clock[0] = 4.0
    one.on_epoch_end(0)
    clock[0] = 1000.0
    two = budget(10.0)
    two.resume(one.state())
    clock[0] = 1002.0
    two.on_epoch_end(1)
    assert (two.spent, two.over) == (6.0, False)
    clock[0] = 1005.0
    two.on_epoch_end(2)
    assert (two.spent, two.over) == (9.0, True)


def test_a_phase_that_has_a_share_ends_within_it_and_what_came_before_is_no_epoch(clock) -> None:
    """Of 13 s, three go by before the first epoch; half of the other ten are for the first phase."""
    one = budget(13.0)
    one.prepared(3.0)
    one.share = 0.5
    for epoch, end in enumerate((2.0, 4.0)):
        assert not one.over
        clock[0] = end
        one.on_epoch_end(epoch)
    assert (one.spent, one.over, one.pace(2)) == (7.0, True, 2.0), "a third epoch would end after 9 of 8 s"
    two = budget(13.0)
    two.resume(one.state())
    assert two.pace(2) == 2.0
    two.over = False
    clock[0] += 2.0
    two.on_epoch_end(2)
    assert (two.spent, two.over, two.summary()["spent"]) == (9.0, False, 9.0), "the second one has all of it"
