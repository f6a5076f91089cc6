"""The faster way wins, whichever it is; trials cost little; a pause forgets."""

import random
from collections.abc import Callable

import pytest

from components.serving import pace
from components.serving.pace import Pace


def ways(chosen: Pace, requests: int, seconds: Callable[[bool], float], now: float = 100.0) -> tuple[list[bool], float]:
    """How requests went that came one after the other, each ``seconds(alone)`` after the last; and the time then."""
    found = []
    for _ in range(requests):
        found.append(chosen.alone(now))
        now += seconds(found[-1])
    return found, now


def noisy(seconds: dict[bool, float], seed: int) -> Callable[[bool], float]:
    """Times between arrivals as many clients have them: bursts, and now and then a long wait."""
    chance = random.Random(seed)
    return lambda alone: seconds[alone] * chance.choice((0.1, 0.1, 0.3, 0.5, 4.0))


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("alone_faster", [True, False])
def test_the_faster_way_is_kept(alone_faster: bool, seed: int) -> None:
    """Twice as long is told from such noise at once."""
    found, _ = ways(Pace(), 20_000, noisy({alone_faster: 0.0010, not alone_faster: 0.0020}, seed))
    assert not any(found[: pace.TOGETHER_AT_FIRST])
    assert found.count(alone_faster) / len(found) > 0.9, "the other way is tried now and then"


def test_equal_ways_are_not_worth_waiting_for_others() -> None:
    found, _ = ways(Pace(), 60_000, lambda _: 0.001)
    assert found.count(True) / len(found) > 0.85


def test_a_change_of_traffic_is_noticed() -> None:
    chosen = Pace()
    first, now = ways(chosen, 5000, lambda alone: 0.001 if alone else 0.002)
    later, _ = ways(chosen, 20_000, lambda alone: 0.002 if alone else 0.001, now)
    assert first[-1]
    assert not later[-1]


def test_a_way_that_stands_still_is_not_tried_for_long() -> None:
    """A batch that waits 0.09 s for clients that do not come: ten requests a second instead of a thousand."""
    found, end = ways(Pace(), 20_000, lambda alone: 0.001 if alone else 0.09)
    at_first, trials, rest = pace.TOGETHER_AT_FIRST * 0.09, 3 * 2 * 2 * 3 * 0.09, 20_000 * 0.001
    assert found[-1]
    assert end - 100 < at_first + trials + rest


def test_a_pause_forgets() -> None:
    chosen = Pace()
    found, now = ways(chosen, 2000, lambda alone: 0.001 if alone else 0.002)
    assert found[-1]
    again, _ = ways(chosen, 10, lambda _: 0.001, now + 1.1)
    assert not any(again)
