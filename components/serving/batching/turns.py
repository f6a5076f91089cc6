"""A request's run: at once, or when it is its turn.

A request is answered by plain functions in three parts: it is read, run, and its answer written. The only place where
it may wait is in front of its run: for a batch (``runner``), for a place of its model (here), or, over REST, for the
lane of large bodies (``large_lane``). What waits gives back a ``Later`` in place of its answer; no thread is held.

There are so many runs of one model at a time: a graph that never ends leaves the threads of the others alone. A request
beyond that waits until a run of its model is over, its deadline is, or the server stops; where too many wait already it
is refused at once.
"""

import functools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar, cast

from kilnworks.components.serving.errors import Busy, ServingError, deadline_exceeded, unavailable
from kilnworks.components.serving.wire.feeds import Array, Feeds, Runner

T = TypeVar("T")
U = TypeVar("U")

_LOG = logging.getLogger(__name__)

_BLOCKED_FOR_EACH_RUN = 2
"""Callers that can only wait with a thread of theirs are so many for each run at most."""
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


def waited(found: T | Later[T]) -> T:
    """The answer, for which this thread waits."""
    if not isinstance(found, Later):
        return found
    found.waiting.wait()
    answer: T = found.answer()
    return answer


def answered(
    begin: Callable[[], T | Later[T]], write: Callable[[T], U], over: Callable[[BaseException | None], None]
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


class RunLimit:
    """The limits of all models of a server, by name: all versions of a model share one.

    Args:
        runs: of a model at a time, at least 1.
        waiting: requests of a model that wait for one; 0 = none.
        refused: told ``"runs"`` when a request is refused.
    """

    def __init__(self, runs: int, waiting: int, refused: Callable[[str], None] = lambda reason: None) -> None:
        self._make = functools.partial(ModelLimit, runs=runs, waiting=waiting, refused=refused)
        self._models: dict[str, ModelLimit] = {}
        self._lock = threading.Lock()

    def of(self, model: str) -> "ModelLimit":
        """The limit of all versions of that model."""
        with self._lock:
            return self._models.get(model) or self._models.setdefault(model, self._make(model))

    def runner(self, runner: Runner, model: str) -> "LimitedRunner":
        """A runner of a version of that model, bounded."""
        return LimitedRunner(runner, self.of(model))

    def running(self) -> Mapping[str, int]:
        """Runs at the moment, by model."""
        return {name: limit.running for name, limit in sorted(self._models.copy().items())}

    def waiting(self) -> Mapping[str, int]:
        """Requests that wait at the moment, by model."""
        return {name: limit.queued for name, limit in sorted(self._models.copy().items())}


class ModelLimit:
    """Counts the runs of a model; who has to wait is in ``_queue``, in order."""

    def __init__(self, model: str, runs: int, waiting: int, refused: Callable[[str], None]) -> None:
        self.model, self._runs, self._waiting, self._refused = model, runs, waiting, refused
        self.running = self._blocked = 0
        self._lock = threading.Lock()
        self._queue: deque[Place] = deque()
        self._pool = ThreadPoolExecutor(runs, thread_name_prefix=f"runs-{model}")
        self._clock: threading.Timer | None = None
        self._clock_at = 0.0

    @property
    def queued(self) -> int:
        """Requests that wait."""
        return len(self._queue)

    def enter_now(self) -> bool:
        """Count a run if there is room for one, which ``leave`` gives back."""
        with self._lock:
            free = self.running < self._runs
            self.running += free
            return free

    def check_room(self) -> None:
        """Raise ``ServingError`` RESOURCE_EXHAUSTED when too many wait already."""
        if len(self._queue) >= self._waiting:
            raise self.refusal()

    def refusal(self) -> ServingError:
        """The answer to a request for which there is no place."""
        self._refused("runs")
        return Busy(
            f"{self._runs} requests of model {self.model} run and {len(self._queue)} wait (--max_runs_per_model="
            f"{self._runs}, --max_waiting_per_model={self._waiting}): try again later",
        )

    def join(self, place: "Place") -> None:
        """Wait for a run; one that is free by now is taken."""
        with self._lock:
            free = self.running < self._runs
            self.running += free
            if not free:
                self._queue.append(place)
                self._watch(place.deadline)
        if free and not self._started(place):
            self.leave()

    def block(self, by: int) -> bool:
        """Count a caller that waits with its thread (1), or one that no longer does (-1); False when too many do."""
        with self._lock:
            if by > 0 and self._blocked >= _BLOCKED_FOR_EACH_RUN * self._runs:
                return False
            self._blocked += by
            return True

    def leave(self) -> None:
        """A run is over: the oldest request that waits has its place."""
        while True:
            with self._lock:
                following = self._queue.popleft() if self._queue else None
                if following is None:
                    self.running -= 1
            if following is None or self._started(following):
                return

    def _started(self, place: "Place") -> bool:
        """Have a thread run it; False when the system gives none, and it has been refused."""
        try:
            self._pool.submit(place.go)
        except RuntimeError as error:  # the pool keeps it, and may find a thread at any time
            _LOG.error("no thread for a run of model %s: %s", self.model, error)
            return not place.fail(unavailable(f"There is no thread for a run of model {self.model}: try again later"))
        return True

    def _watch(self, deadline: float | None) -> None:
        """See to it that somebody looks when this deadline is over. With the lock."""
        if deadline is None or (self._clock is not None and self._clock_at <= deadline):
            return
        if self._clock is not None:
            self._clock.cancel()
        self._clock_at = deadline
        self._clock = threading.Timer(max(0.0, deadline - time.monotonic()), self._expire)
        self._clock.daemon = True
        try:
            self._clock.start()
        except RuntimeError as error:  # it is told when it would run
            self._clock = None
            _LOG.error("no thread that looks at deadlines of model %s: %s", self.model, error)

    def _expire(self) -> None:
        """Answer those whose time is over: they have waited long enough."""
        now = time.monotonic()
        with self._lock:
            over = {place for place in self._queue if place.deadline is not None and place.deadline <= now}
            kept = [place for place in self._queue if place not in over]
            self._queue = deque(kept)
            self._clock = None
            self._watch(min((place.deadline for place in kept if place.deadline is not None), default=None))
        for place in over:
            place.fail(deadline_exceeded())


class Place:
    """A run's place in the queue of its model.

    Args:
        limit: of the model.
        run: computes within a time (seconds; None = no limit) and gives the place back.
        deadline: of the request, by the monotonic clock; None = none.
    """

    def __init__(self, limit: ModelLimit, run: Callable[[float | None], list[Array]], deadline: float | None) -> None:
        self._limit, self.deadline = limit, deadline
        self._run = [run]  # taken once: by who runs it, or by who refuses it
        self._then: Callable[[], None] | None = None
        self._outputs: list[Array] = []
        self._error: Exception | None = None

    def start(self, then: Callable[[], None]) -> None:
        """Join the queue."""
        self._then = then
        self._limit.join(self)

    def wait(self) -> None:
        """Join the queue and block; at most a few may, for all others lack the thread."""
        if not self._limit.block(1):
            self._error = self._limit.refusal()
            return
        done = threading.Event()
        self.start(done.set)
        done.wait()
        self._limit.block(-1)

    def go(self) -> None:
        """Run, in this thread, unless it was refused."""
        try:
            run = self._run.pop()
        except IndexError:
            return
        left = None if self.deadline is None else self.deadline - time.monotonic()
        try:
            self._outputs = run(left)
        except Exception as error:
            self._error = error
        self._over()

    def fail(self, error: ServingError) -> bool:
        """Refuse it; False when it runs already."""
        try:
            self._run.pop()
        except IndexError:
            return False
        self._error = error
        self._over()
        return True

    def _over(self) -> None:
        then, self._then = self._then, None
        if then is not None:
            then()

    def outputs(self) -> list[Array]:
        """The result. Raises what went wrong."""
        if self._error is not None:
            raise self._error
        return self._outputs


class LimitedRunner:
    """A runner of one version, bounded together with those of the other versions of its model."""

    def __init__(self, runner: Runner, limit: ModelLimit) -> None:
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
        self._limit.check_room()
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        place = Place(self._limit, functools.partial(self._run, feeds, fetches, stay), deadline)
        return Later(place, place.outputs)

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
