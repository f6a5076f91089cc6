"""A request's run: at once, or when it is its turn.

A request is answered by plain functions in three parts: it is read, run, and its answer written. The only place where
it may wait is in front of its run: for a batch (``runner``), for a place of its model (``places``), or, over REST, for
the lane of large bodies (``large_lane``). What waits gives back a ``Later`` in place of its answer; no thread is held.
"""

import functools
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar, cast

from kilnworks.components.serving.errors import ServingError
from kilnworks.components.serving.wire.feeds import Array, Feeds, Runner

T = TypeVar("T")
U = TypeVar("U")

LONG_SECONDS = 0.0003
"""A run that is expected to take longer is done by a thread that no longer waits for requests.

To have another thread do that costs a switch of threads; to do both in one leaves the other processors idle.
"""
_FIRST_SECONDS = 0.01
"""How long the first run is expected to take."""
_LEARN_LONGER, _LEARN_SHORTER = 0.1, 0.5
"""How much of an error of the expected time one run corrects: a run may take longer because of others beside it."""
_MOST_TIMES = 64


def stay() -> None:
    """The ``step_back`` of a thread that waits for no requests."""


class Waiting(Protocol):
    """What a request waits for. Its result is read from the object once it is there."""

    def start(self, then: Callable[[], None]) -> None:
        """Ask for the result; ``then`` is called once it is there, from any thread, perhaps before this returns."""

    def wait(self) -> None:
        """Ask for the result and block until it is there."""


class Later(Generic[T]):
    """An answer that has to wait.

    Args:
        waiting: what for.
        answer: the answer, once that is there; raises what went wrong. Called once.
    """

    __slots__ = ("answer", "waiting")

    def __init__(self, waiting: Waiting, answer: Callable[[], T]) -> None:
        self.waiting, self.answer = waiting, answer

    def begin(self, then: Callable[[], None]) -> bool:
        """Start to wait. True = the wait is over already, and ``then`` is not called: the caller goes on itself."""
        first = threading.Lock()  # taken by the first of two: the return of start, and the end of the wait

        def ended() -> None:
            if not first.acquire(blocking=False):
                then()

        self.waiting.start(ended)
        return not first.acquire(blocking=False)


class Turn(Generic[T]):
    """Work that is done once, when it is its turn, or refused: what a ``Later`` may wait for.

    Args:
        work: what is done.
        ask: given the turn, sees to it that ``go`` is called when it has come, or ``fail``.
        leave: called when it is over, before whoever waits goes on.
    """

    def __init__(
        self, work: Callable[[], T], ask: Callable[[Any], None], leave: Callable[[], None] = lambda: None
    ) -> None:
        self._work = [work]  # taken once: by who does it, or by who refuses it
        self._ask, self._leave = ask, leave
        self._then: Callable[[], None] | None = None
        self._found: list[T] = []
        self._error: Exception | None = None

    def start(self, then: Callable[[], None]) -> None:
        """Have the work done."""
        self._then = then
        self._ask(self)

    def wait(self) -> None:
        """Have the work done and block until it is."""
        done = threading.Event()
        self.start(done.set)
        done.wait()

    def go(self) -> None:
        """Do the work, in this thread, unless it was refused."""
        try:
            work = self._work.pop()
        except IndexError:
            return
        try:
            self._found.append(work())
        except Exception as error:
            self._error = error
        del work  # and the request that it holds, before the answer is sent
        self._over()

    def fail(self, error: ServingError) -> bool:
        """Refuse it; False when it is done already, or about to be."""
        try:
            self._work.pop()
        except IndexError:
            return False
        self._error = error
        self._over()
        return True

    def _over(self) -> None:
        """The result is there, or what went wrong."""
        self._leave()
        then, self._then = self._then, None
        if then is not None:
            then()

    def result(self) -> T:
        """What came of it. Raises what went wrong."""
        if self._error is not None:
            raise self._error
        return self._found.pop()


def waited(found: T | Later[T]) -> T:
    """The answer, for which this thread waits."""
    if not isinstance(found, Later):
        return found
    found.waiting.wait()
    answer: T = found.answer()
    return answer


def answered(
    begin: Callable[[], T | Later[T]],
    write: Callable[[T], U],
    over: Callable[[BaseException | None], None] = lambda error: None,
) -> U | Later[U]:
    """What ``write`` makes of a result, now or when it is there.

    Args:
        begin: reads and runs.
        write: the last part.
        over: called once at the end, with the error if there was one: gives back what the request holds.
    """
    try:
        found = begin()
        if isinstance(found, Later):
            return Later(found.waiting, lambda: cast(U, answered(found.answer, write, over)))
        answer = write(found)
    except BaseException as error:
        over(error)
        raise
    over(None)
    return answer


class RunTimes:
    """How long the runs of a version take, by what is fetched. Safe for threads: a note that gets lost does no harm."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, ...], float] = {}

    def is_long(self, fetches: tuple[str, ...]) -> bool:
        """Whether the next run is expected to be long."""
        return self._seconds.get(fetches, _FIRST_SECONDS) > LONG_SECONDS

    def learn(self, fetches: tuple[str, ...], seconds: float) -> None:
        """Note a run."""
        expected = self._seconds.get(fetches)
        if expected is None:
            expected = _FIRST_SECONDS
            if len(self._seconds) >= _MOST_TIMES:
                self._seconds.clear()
        rate = _LEARN_LONGER if seconds > expected else _LEARN_SHORTER
        self._seconds[fetches] = expected + rate * (seconds - expected)


class Runs(ABC):
    """The runs of one model, of which there are so many at a time.

    Attributes:
        running: how many there are.
        queue: who waits for one, in order.
        lock: of both.
    """

    def __init__(self, most: int) -> None:
        self.most, self.running = most, 0
        self.queue: deque[Any] = deque()
        self.lock = threading.Lock()

    def enter_now(self) -> bool:
        """Count a run if there is room for one, which ``leave`` gives back."""
        with self.lock:
            free = self.running < self.most
            self.running += free
            return free

    def leave(self) -> None:
        """A run is over: the oldest request that waits has its place."""
        with self.lock:
            if not self.queue:
                self.running -= 1
                return
        self.hand_on()

    @abstractmethod
    def hand_on(self) -> None:
        """Give the place of a run that is over to one that waits, if any still does."""

    @abstractmethod
    def later(self, run: Callable[[float | None], list[Array]], timeout_seconds: float | None) -> Later[list[Array]]:
        """What ``run`` computes within its time once there is a place, which it gives back.

        Raises ``ServingError`` RESOURCE_EXHAUSTED when too many wait already.
        """


class LimitedRunner:
    """A runner of one version, bounded together with those of the other versions of its model."""

    def __init__(self, runner: Runner, limit: Runs) -> None:
        self._runner, self._limit = runner, limit
        self._times = RunTimes()

    def begin(
        self,
        feeds: Feeds,
        fetches: Sequence[str],
        timeout_seconds: float | None,
        step_back: Callable[[], None] = stay,
    ) -> list[Array] | Later[list[Array]]:
        """The fetched tensors, at once or when there is a place. Raises ``ServingError``."""
        if self._limit.enter_now():
            return self._run(feeds, fetches, step_back, timeout_seconds)
        return self._limit.later(functools.partial(self._run, feeds, fetches, stay), timeout_seconds)

    def _run(
        self, feeds: Feeds, fetches: Sequence[str], step_back: Callable[[], None], timeout_seconds: float | None
    ) -> list[Array]:
        """Run in a place that has been taken, and give it back."""
        try:
            names = tuple(fetches)
            if self._times.is_long(names):
                step_back()
            started = time.perf_counter()
            outputs = self._runner.run(feeds, fetches, timeout_seconds)
            self._times.learn(names, time.perf_counter() - started)
            return outputs
        finally:
            self._limit.leave()

    def run(self, feeds: Feeds, fetches: Sequence[str], timeout_seconds: float | None) -> list[Array]:
        """The same, blocking."""
        return waited(self.begin(feeds, fetches, timeout_seconds))

    def close(self) -> None:
        """Close the runner."""
        self._runner.close()
