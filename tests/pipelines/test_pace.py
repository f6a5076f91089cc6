"""Times to go: those of a loop by hand whose parts take known times."""

import pytest

from kilnworks.pipelines.cli.pace import Pace


def told(times, total, start=0.0):
    """Seconds to go after parts that took these times, after a start that no part is to blame for."""
    pace, at = Pace(), start
    pace.news(0, at)
    for done, seconds in enumerate(times, 1):
        at += seconds
        pace.news(done, at)
    return pace.to_go(total)


def test_the_start_does_not_count():
    """Sixty seconds of reading and compiling, then ten epochs of two seconds: forty are left of thirty."""
    assert told([2.0] * 10, 30, start=60.0) == pytest.approx(40.0)


def test_a_pace_that_changes_is_followed():
    assert told([1.0] * 20 + [4.0] * 5, 30) == pytest.approx(20.0)
    assert told([10.0] + [1.0] * 5, 16) == pytest.approx(10.0)


def test_parts_of_an_epoch_count():
    pace = Pace()
    for done, at in ((0.25, 11.0), (0.5, 12.0), (0.75, 13.0)):
        pace.news(done, at)
    assert pace.to_go(2) == pytest.approx(5.0)


def test_nothing_is_said_before_there_is_a_pace_or_without_an_end():
    pace = Pace()
    assert pace.to_go(10) is None
    pace.news(1, 50.0)
    assert pace.to_go(10) is None
    pace.news(2, 51.0)
    assert pace.to_go(None) is None
    assert pace.to_go(2) is None


def test_a_step_that_begins_anew_has_a_new_pace():
    pace = Pace()
    for done, at in ((1, 1.0), (2, 2.0), (0, 100.0), (1, 103.0)):
        pace.news(done, at)
    assert pace.to_go(2) == pytest.approx(3.0)
