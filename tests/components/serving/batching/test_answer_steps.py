"""Answers that pause, gone through by one thread that waits and by whoever has the result."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from kilnworks.components.serving.batching.resumable import Steps, begin, wait_for


@dataclass
class Later:
    """A result that comes when ``arrive`` is called, at once, or in another thread."""

    value: int = 0
    started: list[Callable[[], None]] = field(default_factory=list)

    def start(self, then: Callable[[], None]) -> None:
        self.started.append(then)

    def wait(self) -> None:
        self.value += 1

    def arrive(self, value: int) -> None:
        self.value = value
        self.started.pop()()


class Now(Later):
    """Is there before ``start`` returns."""

    def start(self, then: Callable[[], None]) -> None:
        self.value = 7
        then()


def total(*parts: Later) -> Steps[int]:
    found = 0
    for part in parts:
        yield part
        if part.value < 0:
            raise ValueError("below zero")
        found += part.value
    return found


def test_a_thread_may_wait_for_all_steps() -> None:
    assert wait_for(total(Later(), Later(10))) == 12
    with pytest.raises(ValueError, match="below zero"):
        wait_for(total(Later(-5)))


def test_the_answer_comes_when_the_last_result_has_come() -> None:
    answers: list[object] = []
    first, second = Later(), Later()
    begin(lambda: total(first, second), lambda *end: answers.append(end))
    assert not second.started, "one step after the other"
    first.arrive(1)
    assert not answers
    second.arrive(2)
    assert answers == [(3, None)]


def test_results_that_are_there_at_once() -> None:
    answers: list[object] = []
    begin(lambda: total(*[Now()] * 5000), lambda *end: answers.append(end))
    assert answers == [(35_000, None)], "one after the other, not one inside the other"


def test_another_thread_may_go_on() -> None:
    done, names = threading.Event(), []

    def steps(part: Later) -> Steps[str]:
        yield part
        names.append(threading.current_thread().name)
        return "x"

    part = Later()
    begin(lambda: steps(part), lambda answer, error: done.set())
    threading.Thread(target=part.arrive, args=(1,), name="other").start()
    assert done.wait(5)
    assert names == ["other"]


def test_a_result_that_another_thread_brings_before_start_returns() -> None:
    """The starting thread goes on, not the other one, which may have a batch to answer."""

    class Elsewhere(Later):
        def start(self, then: Callable[[], None]) -> None:
            self.value = 3
            thread = threading.Thread(target=then)
            thread.start()
            thread.join()

    names: list[str] = []
    answers: list[object] = []

    def steps() -> Steps[int]:
        found = yield from total(Elsewhere(), Elsewhere())
        names.append(threading.current_thread().name)
        return found

    begin(steps, lambda *end: answers.append(end))
    assert answers == [(6, None)]
    assert names == [threading.current_thread().name]


@pytest.mark.parametrize("late", [False, True])
def test_errors_end_the_steps(late: bool) -> None:
    answers: list[object] = []
    part = Later()

    def steps() -> Steps[int]:
        if late:
            yield part
        yield from ()
        raise KeyError("gone")

    begin(steps, lambda *end: answers.append(end))
    if late:
        assert not answers
        part.arrive(1)
    [(answer, error)] = answers
    assert answer is None
    assert isinstance(error, KeyError)


def test_what_has_no_steps_is_answered_at_once() -> None:
    answers: list[object] = []
    begin(lambda: b"x", lambda *end: answers.append(end))
    begin(lambda: 1 / 0, lambda *end: answers.append(end))
    assert answers[0] == (b"x", None)
    assert isinstance(answers[1][1], ZeroDivisionError)
