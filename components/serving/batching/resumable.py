"""Answers that are computed in steps: a generator that pauses where it needs a result that others prepare as well.

``yield pending`` gives the thread back; whoever prepares the result goes on with the generator, in his own thread.
So a thread of a transport can take the next requests while the first one's batch comes together, and no request costs a
switch of threads. The value that the generator returns is the answer.
"""

import functools
import threading
from collections.abc import Callable, Generator
from types import GeneratorType
from typing import Protocol, TypeVar, cast

T = TypeVar("T")


class Pending(Protocol):
    """A result that is prepared elsewhere. Its owner reads it from the object once it is there, or gets its error."""

    def start(self, then: Callable[[], None]) -> None:
        """Ask for the result; ``then`` is called once it is there, from any thread, perhaps before this returns."""

    def wait(self) -> None:
        """Ask for the result and block until it is there."""


class Elsewhere:
    """A ``Pending`` whose ``then`` is called by a thread of its own: the one that asks never goes on itself."""

    def start(self, then: Callable[[], None]) -> None:
        """Have ``then`` called by another thread."""
        raise NotImplementedError

    def wait(self) -> None:
        """Block until the other thread would have been there."""
        raise NotImplementedError


Steps = Generator[Pending, None, T]


def wait_for(steps: Steps[T]) -> T:
    """Go through all steps in this thread, waiting at every pause. Raises what the steps raise."""
    try:
        while True:
            next(steps).wait()
    except StopIteration as end:
        answer: T = end.value
        return answer


def begin(make: Callable[[], T | Steps[T]], done: Callable[[T | None, Exception | None], None]) -> None:
    """Compute an answer as far as it goes without waiting.

    Args:
        make: the answer, or its steps.
        done: called once with the answer or with the error, from any thread.
    """
    try:
        found = make()
    except Exception as error:
        done(None, error)
        return
    if isinstance(found, GeneratorType):
        _go_on(found, done)
    else:
        done(cast(T, found), None)


def _go_on(steps: Steps[T], done: Callable[[T | None, Exception | None], None]) -> None:
    """Go through the steps until one has to wait; who ends that wait goes on. Results that are there do not nest."""
    while True:
        try:
            pending = next(steps)
        except StopIteration as end:
            answer = end.value
            break
        except Exception as error:
            done(None, error)
            return
        if isinstance(pending, Elsewhere):
            pending.start(functools.partial(_go_on, steps, done))
            return
        first = threading.Lock()  # taken by the first of two: the return of start, and the call of then
        pending.start(functools.partial(_go_on_if_second, first, steps, done))
        del pending
        if first.acquire(blocking=False):
            return
    done(answer, None)


def _go_on_if_second(
    first: threading.Lock, steps: Steps[T], done: Callable[[T | None, Exception | None], None]
) -> None:
    if not first.acquire(blocking=False):
        _go_on(steps, done)
