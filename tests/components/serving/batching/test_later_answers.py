"""Answers that have to wait: begun by one thread, ended by whoever has the result, given back in any case."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from kilnworks.components.serving.batching.turns import Later, answered, waited


@dataclass
class Part:
    """A result that comes when ``arrive`` is called, or at once."""

    value: int = 0
    at_once: bool = False
    started: list[Callable[[], None]] = field(default_factory=list)

    def start(self, then: Callable[[], None]) -> None:
        if self.at_once:
            then()
        else:
            self.started.append(then)

    def wait(self) -> None:
        self.value += 1

    def arrive(self, value: int) -> None:
        self.value = value
        self.started.pop()()

    def result(self) -> int:
        if self.value < 0:
            raise ValueError("below zero")
        return self.value


def later(part: Part, told: list[object]) -> Later[int]:
    found = answered(lambda: Later(part, part.result), lambda value: 10 * value, told.append)
    assert isinstance(found, Later)
    return found


def test_a_thread_may_wait() -> None:
    told: list[object] = []
    assert waited(later(Part(2), told)) == 30
    assert told == [None], "what was held is given back once"
    with pytest.raises(ValueError, match="below zero"):
        waited(later(Part(-5), told))
    assert isinstance(told[1], ValueError)
    assert waited(7) == 7


def test_whoever_has_the_result_goes_on() -> None:
    told: list[object] = []
    answers: list[int] = []
    part = Part()
    found = later(part, told)
    assert not found.begin(lambda: answers.append(found.answer()))
    assert not answers and not told
    thread = threading.Thread(target=part.arrive, args=(4,))
    thread.start()
    thread.join()
    assert (answers, told) == ([40], [None])


def test_a_result_that_is_there_before_start_returns_is_the_callers() -> None:
    """So that refusals in a row do not nest, and a thread with a batch to answer is not kept."""
    told: list[object] = []
    called: list[int] = []
    found = later(Part(3, at_once=True), told)
    assert found.begin(lambda: called.append(1))
    assert not called
    assert found.answer() == 30


def test_errors_of_every_part_give_back_what_is_held() -> None:
    told: list[object] = []
    with pytest.raises(ZeroDivisionError):
        answered(lambda: 1 / 0, lambda value: value, told.append)
    with pytest.raises(ZeroDivisionError):
        answered(lambda: 1, lambda value: value / 0, told.append)
    assert [type(error) for error in told] == [ZeroDivisionError] * 2
    assert answered(lambda: 1, lambda value: value + 1, told.append) == 2
    assert told[2] is None
