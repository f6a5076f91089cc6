"""How many runs of one model there are at a time: a graph that never ends leaves the threads of the others alone.

A request beyond that waits without a thread until a run of its model is over, its deadline is, or the server stops;
where too many wait already it is refused at once.
"""

import functools
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from kilnworks.components.serving.batching.resumable import Elsewhere, Steps, wait_for
from kilnworks.components.serving.errors import Busy, ServingError, deadline_exceeded
from kilnworks.components.serving.wire.feeds import Array, Feeds, Runner

_BLOCKED_FOR_EACH_RUN = 2
"""Callers that can only wait with a thread of theirs are so many for each run at most."""


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

    def enter(self, deadline: float | None) -> "Place | None":
        """Count a run: None, or a place in the queue. Raises ``ServingError`` RESOURCE_EXHAUSTED."""
        if self.enter_now():
            return None
        if len(self._queue) >= self._waiting:
            raise self.refusal()
        return Place(self, deadline)

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
        if free:
            self._pool.submit(place.go)

    def block(self, by: int) -> bool:
        """Count a caller that waits with its thread (1), or one that no longer does (-1); False when too many do."""
        with self._lock:
            if by > 0 and self._blocked >= _BLOCKED_FOR_EACH_RUN * self._runs:
                return False
            self._blocked += by
            return True

    def leave(self) -> None:
        """A run is over: the oldest request that waits has its place."""
        with self._lock:
            following = self._queue.popleft() if self._queue else None
            if following is None:
                self.running -= 1
        if following is not None:
            self._pool.submit(following.go)

    def _watch(self, deadline: float | None) -> None:
        """See to it that somebody looks when this deadline is over. With the lock."""
        if deadline is None or (self._clock is not None and self._clock_at <= deadline):
            return
        if self._clock is not None:
            self._clock.cancel()
        self._clock_at = deadline
        self._clock = threading.Timer(max(0.0, deadline - time.monotonic()), self._expire)
        self._clock.daemon = True
        self._clock.start()

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


class Place(Elsewhere):
    """A request's place in the queue. ``then`` comes from a thread of the limit."""

    def __init__(self, limit: ModelLimit, deadline: float | None) -> None:
        self._limit, self.deadline = limit, deadline
        self._then: Callable[[], None] = lambda: None
        self._error: ServingError | None = None

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
        """It may run."""
        self._then()

    def fail(self, error: ServingError) -> None:
        """It may not."""
        self._error = error
        self._then()

    def check(self) -> None:
        """Raises ``ServingError`` when it may not run."""
        if self._error is not None:
            raise self._error


class LimitedRunner:
    """A runner of one version, bounded together with those of the other versions of its model."""

    def __init__(self, runner: Runner, limit: ModelLimit) -> None:
        self._runner, self._limit = runner, limit

    def steps(self, feeds: Feeds, fetches: Sequence[str], timeout_seconds: float | None) -> Steps[list[Array]]:
        """Compute the fetched tensors once there is a place. Raises ``ServingError``."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        place = self._limit.enter(deadline)
        if place is not None:
            yield place
            place.check()
        try:
            if place is not None and deadline is not None:
                timeout_seconds = deadline - time.monotonic()
            return self._runner.run(feeds, fetches, timeout_seconds)
        finally:
            self._limit.leave()

    def run(self, feeds: Feeds, fetches: Sequence[str], timeout_seconds: float | None) -> list[Array]:
        """The same, blocking."""
        return wait_for(self.steps(feeds, fetches, timeout_seconds))

    def close(self) -> None:
        """Close the runner."""
        self._runner.close()
