"""The faster way wins, whichever it is; trials cost little; a pause forgets."""

import pytest

from components.serving import pace
from components.serving.pace import Pace


def ways(chosen: Pace, requests: int, seconds: dict[bool, float], now: float = 100.0) -> tuple[list[bool], float]:
    """How requests went that came one after the other, each taking as long as its way takes; and the time then."""
    found = []
    for _ in range(requests):
        found.append(chosen.alone(now))
        now += seconds[found[-1]]
    return found, now


@pytest.mark.parametrize("alone_faster", [True, False])
def test_the_faster_way_is_kept(alone_faster: bool) -> None:
    seconds = {alone_faster: 0.0010, not alone_faster: 0.0011}
    found, _ = ways(Pace(), 20_000, seconds)
    assert not any(found[: pace.TOGETHER_AT_FIRST])
    kept = round(pace.KEPT_SECONDS / 0.0011)
    assert found[1000:kept] == [alone_faster] * (kept - 1000)
    assert 0.93 < found.count(alone_faster) / len(found) < 0.98, "the other way is tried now and then"


def test_a_change_of_traffic_is_noticed() -> None:
    chosen = Pace()
    first, now = ways(chosen, 3000, {True: 0.001, False: 0.002})
    later, _ = ways(chosen, 12_000, {True: 0.002, False: 0.001}, now)
    assert first[-1]
    assert not later[-1]


def test_a_way_that_stands_still_is_not_tried_for_long() -> None:
    """A batch that waits 0.09 s for clients that do not come: ten requests a second instead of a thousand."""
    _, end = ways(Pace(), 5000, {True: 0.001, False: 0.09})
    at_first, trials, rest = pace.TOGETHER_AT_FIRST * 0.09, 2 * 4 * 3 * 0.09, 5000 * 0.001
    assert end - 100 < at_first + trials + rest


def test_a_pause_forgets() -> None:
    chosen = Pace()
    found, now = ways(chosen, 2000, {True: 0.001, False: 0.002})
    assert found[-1]
    again, _ = ways(chosen, 10, {True: 0.001, False: 0.002}, now + 1.1)
    assert not any(again)
