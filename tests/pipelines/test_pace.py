"""Times to go: those of a loop by hand whose parts take known times."""

import pytest

from kilnworks.components.reporting.reading import StepRecord
from kilnworks.components.reporting.sections.overview import progress
from kilnworks.pipelines.cli.console import _progress_words
from kilnworks.pipelines.cli.pace import Pace
from kilnworks.schemas.context import Progress


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


def test_what_is_likely_to_come_counts_where_it_is_said_and_is_told_as_about():
    """Of 150 epochs 20 are likely, and two networks of 12 behind them: after 10 of 2 s each, 34 are left."""
    pace = Pace()
    for done in range(11):
        now = Progress(done / 150, 3, f"epoch {done}/150", worked=float(done), left=20.0 - done + 24)
        pace.news(now.so_far, 2.0 * done)
    assert pace.to_go(now.expected) == pytest.approx(68.0)
    assert _progress_words(now, pace) == "2% epoch 10/150, about 68 s to go"
    assert _progress_words(Progress(10, 20, "epoch 10/20"), pace) == "10/20 epoch 10/20, 20 s to go"


def test_the_page_of_a_run_that_goes_on_says_the_same():
    told = {"done": 0.07, "total": 3.0, "note": "epoch 10/150", "worked": 10.0, "left": 34.0}
    step = StepRecord("model", "running", record={"progress": told, "seconds": 20.0})
    assert progress(step)["note"].endswith("1 min 08 s left")
    del told["worked"], told["left"]
    assert progress(step)["note"].endswith("13 min 57 s left")
