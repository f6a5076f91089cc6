"""Places of a model: so many of its runs at a time, and who waits for one.

A graph that never ends leaves the threads of the other models alone. A request beyond the limit waits until a run of
its model is over, its deadline is, or the server stops; where too many wait already it is refused at once.
"""

import functools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from kilnworks.components.serving.batching.turns import Later, LimitedRunner, Runs, Turn
from kilnworks.components.serving.errors import Busy, ServingError, deadline_exceeded, unavailable
from kilnworks.components.serving.wire.feeds import Array, Runner

_LOG = logging.getLogger(__name__)

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
        return {name: len(limit.queue) for name, limit in sorted(self._models.copy().items())}


class ModelLimit(Runs):
    """Counts the runs of a model; who has to wait is in ``queue``, in order."""

    def __init__(self, model: str, runs: int, waiting: int, refused: Callable[[str], None]) -> None:
        super().__init__(runs)
        self.model, self._waiting, self._refused = model, waiting, refused
        self._blocked = 0
        self._pool = ThreadPoolExecutor(runs, thread_name_prefix=f"runs-{model}")
        self._clock: threading.Timer | None = None
        self._clock_at = 0.0

    def later(self, run: Callable[[float | None], list[Array]], timeout_seconds: float | None) -> Later[list[Array]]:
        """What ``run`` computes once there is a place. Raises ``ServingError`` when too many wait already."""
        if len(self.queue) >= self._waiting:
            raise self.refusal()
        place = Place(self, run, None if timeout_seconds is None else time.monotonic() + timeout_seconds)
        return Later(place, place.result)

    def refusal(self) -> ServingError:
        """The answer to a request for which there is no place."""
        self._refused("runs")
        return Busy(
            f"{self.most} requests of model {self.model} run and {len(self.queue)} wait (--max_runs_per_model="
            f"{self.most}, --max_waiting_per_model={self._waiting}): try again later",
        )

    def join(self, place: "Place") -> None:
        """Wait for a run; one that is free by now is taken."""
        with self.lock:
            free = self.running < self.most
            self.running += free
            if not free:
                self.queue.append(place)
                self._watch(place.deadline)
        if free and not self._started(place):
            self.leave()

    def block(self, by: int) -> bool:
        """Count a caller that waits with its thread (1), or one that no longer does (-1); False when too many do."""
        with self.lock:
            if by > 0 and self._blocked >= _BLOCKED_FOR_EACH_RUN * self.most:
                return False
            self._blocked += by
            return True

    def hand_on(self) -> None:
        """The oldest request that waits has the place of a run that is over."""
        while True:
            with self.lock:
                following = self.queue.popleft() if self.queue else None
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
        with self.lock:
            over = {place for place in self.queue if place.deadline is not None and place.deadline <= now}
            kept = [place for place in self.queue if place not in over]
            self.queue = deque(kept)
            self._clock = None
            self._watch(min((place.deadline for place in kept if place.deadline is not None), default=None))
        for place in over:
            place.fail(deadline_exceeded())


class Place(Turn[list[Array]]):
    """A run's place in the queue of its model.

    Args:
        limit: of the model.
        run: computes within a time (seconds; None = no limit) and gives the place back.
        deadline: of the request, by the monotonic clock; None = none.
    """

    def __init__(self, limit: ModelLimit, run: Callable[[float | None], list[Array]], deadline: float | None) -> None:
        super().__init__(lambda: run(None if deadline is None else deadline - time.monotonic()), limit.join)
        self._limit, self.deadline = limit, deadline

    def wait(self) -> None:
        """Join the queue and block; at most a few may, for all others lack the thread."""
        if not self._limit.block(1):
            self._error = self._limit.refusal()
            return
        super().wait()
        self._limit.block(-1)
