"""Puts requests that arrive together into one run of the graph.

After a pause a batch waits as in TensorFlow Serving: until it is full or its time is over. Under steady traffic nobody
waits: the thread that finds no further request at hand runs what has come together, and what arrives meanwhile is the
next batch; and no batch grows larger than pays (``batch_size``). When a batch runs, and in which thread, is decided in
``scheduler``.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from kilnworks.components.serving.batching import batch_tensors
from kilnworks.components.serving.batching.batch import Batch, BatchRequest, Task
from kilnworks.components.serving.batching.batch_size import BatchSize
from kilnworks.components.serving.batching.parameters import BatchSettings
from kilnworks.components.serving.batching.places import ModelLimit
from kilnworks.components.serving.batching.scheduler import BatchScheduler, Entry
from kilnworks.components.serving.batching.turns import Later, RunTimes, stay, waited
from kilnworks.components.serving.errors import Code, ServingError, invalid_argument, unavailable
from kilnworks.components.serving.wire.feeds import Array, Feeds, Runner, check_dtypes

_WAITING_REQUESTS = 64
"""So many requests after a pause, traffic is steady; whoever tries a few requests sees stock's waiting."""
_TIMED_OUT_BATCHES = 16
"""Or so many batches whose time was over before they were full."""
_PAUSE_SECONDS = 1.0
_PROCESSORS = os.cpu_count() or 1


class BatchQueue:
    """Requests of one model version with the same inputs and outputs."""

    def __init__(
        self,
        runner: Runner,
        fetches: Sequence[str],
        settings: BatchSettings,
        scheduler: BatchScheduler,
        alone: ModelLimit,
    ) -> None:
        self._runner, self._fetches, self._settings, self.scheduler = runner, list(fetches), settings, scheduler
        self._alone = alone
        self._waiting: deque[tuple[Batch, Entry]] = deque()
        self._size, self._times, self._names = BatchSize(), RunTimes(), tuple(fetches)
        self._count = threading.Lock()
        self._in_flight = 0
        self._last = 0.0
        self._seen = self._timed_out = 0
        self._steady = False

    def request(
        self, feeds: Feeds, timeout_seconds: float | None, step_back: Callable[[], None] = stay
    ) -> BatchRequest:
        """A checked request: yet to be started, or run already where it is better alone. Raises ``ServingError``."""
        rows = batch_tensors.row_count([value for _, value in feeds])
        check_dtypes(feeds)
        now = time.monotonic()
        deadline = None if timeout_seconds is None else now + timeout_seconds
        request = BatchRequest(self, self._parts(feeds, rows), deadline)
        if self._better_alone(request, now) and self._alone.enter_now():
            try:
                self._last = now
                self.run_together(request.tasks, rows, step_back)
            finally:
                self._alone.leave()
            request.pending = False
        return request

    def _better_alone(self, request: BatchRequest, now: float) -> bool:
        """Whether a request has as many rows as a batch should have, under steady traffic, and no batch waits for it.

        Then it runs as if there were no batching, within the limit of its model.
        """
        if not self._steady or now - self._last > _PAUSE_SECONDS:
            return False
        return not (self._waiting or len(request.tasks) > 1 or request.rows < self._size.learned(now))

    def _parts(self, feeds: Feeds, rows: int) -> list[tuple[Feeds, int]]:
        """A request that is too large for one run is cut into several; the sizes of the parts are the run's limit."""
        settings = self._settings
        if rows > settings.max_batch_size:
            raise invalid_argument(
                f"Task size {rows} is larger than maximum input batch size {settings.max_batch_size}"
            )
        limit = settings.max_execution_size
        if not settings.split or rows <= limit:
            return [(feeds, rows)]
        starts = range(0, rows, limit)
        return [([(i, v[at : at + limit]) for i, v in feeds], min(limit, rows - at)) for at in starts]

    def add(self, request: BatchRequest) -> None:
        """Put a request's tasks into batches; none of them when too many wait. Raises ``ServingError`` UNAVAILABLE."""
        limit, scheduler, waiting = self._settings.max_execution_size, self.scheduler, self._waiting
        with scheduler.lock:
            self._check_capacity(request.rows)
            wait_seconds = self._wait_seconds()
            for task in request.tasks:
                if not waiting or not self._takes(waiting[-1][0], task):
                    if waiting:
                        scheduler.make_ready(waiting[-1][1])
                    batch = Batch(self, min(limit, self._size.wanted(self._last)) if self._steady else limit)
                    waiting.append((batch, scheduler.add(batch, wait_seconds, self._alone.model)))
                waiting[-1][0].add(task, request)
            if waiting[-1][0].rows >= waiting[-1][0].wanted:
                scheduler.make_ready(waiting[-1][1])

    def _takes(self, batch: Batch, task: Task) -> bool:
        """Whether a task joins a batch: one that is large enough grows only where too many wait already."""
        if batch.rows + task.rows > self._settings.max_execution_size:
            return False
        return batch.rows < batch.wanted or 2 * len(self._waiting) >= self._settings.max_enqueued_batches

    def _wait_seconds(self) -> float:
        """Note a request; how long a new batch should wait for others."""
        now = time.monotonic()
        if now - self._last > _PAUSE_SECONDS:
            self._seen = self._timed_out = 0
        self._last = now
        self._seen += 1
        self._steady = self._seen > _WAITING_REQUESTS or self._timed_out >= _TIMED_OUT_BATCHES
        return 0.0 if self._steady else self._settings.timeout_seconds

    def leave(self, timed_out: bool) -> None:
        """The oldest batch is about to run. With the scheduler's lock."""
        self._timed_out += timed_out
        self._waiting.popleft()  # batches become ready in the order in which they were opened

    def _check_capacity(self, rows: int) -> None:
        settings, waiting = self._settings, len(self._waiting)
        limit, most = settings.max_execution_size, settings.max_enqueued_batches
        open_rows = self._waiting[-1][0].rows if self._waiting else 0
        batches = max(1, waiting)
        full = "The batch scheduling queue to which this task was submitted is full; "
        if settings.split:
            capacity = (most - batches) * limit + limit - open_rows
            if rows > capacity:
                raise unavailable(
                    f"{full}task size is {rows} but scheduling capacity is only {capacity} (num_enqueued_batches="
                    f"{batches}, max_enqueued_batches={most}, open_batch_size={open_rows}, "
                    f"max_execution_batch_size={limit})"
                )
        elif open_rows + rows > limit and batches >= most:
            raise unavailable(f"{full}currently {batches} batches enqueued and max_enqueued_batches is {most}")

    def run_together(self, tasks: Sequence[Task], rows: int, step_back: Callable[[], None]) -> None:
        """Run tasks of so many rows in all; each gets its rows of the outputs. Raises ``ServingError``."""
        settings = self._settings
        timeout = _remaining(tasks)
        total = settings.padded_size(rows)
        feeds = [
            (
                info,
                batch_tensors.merge(
                    [task.feeds[i][1] for task in tasks], info.name, settings.pad_variable_length, total - rows
                ),
            )
            for i, (info, _) in enumerate(tasks[0].feeds)
        ]
        sizes = [task.rows for task in tasks]
        if self._times.is_long(self._names):
            step_back()
        for output in self._timed(feeds, timeout, rows):
            for task, part in zip(tasks, batch_tensors.split(output, sizes, total), strict=True):
                task.outputs.append(part)

    def _timed(self, feeds: Feeds, timeout: float | None, rows: int) -> list[Array]:
        """Run, and note how long a processor was busy with it: runs beside each other share the processors."""
        with self._count:
            self._in_flight += 1
            beside = self._in_flight
        started = time.perf_counter()
        try:
            outputs = self._runner.run(feeds, self._fetches, timeout)
            seconds = time.perf_counter() - started
        finally:
            with self._count:
                beside = max(beside, self._in_flight)
                self._in_flight -= 1
        self._times.learn(self._names, seconds)
        self._size.learn(max(1, rows), seconds * min(1.0, _PROCESSORS / beside))
        return outputs


def _remaining(tasks: Sequence[Task]) -> float | None:
    """The latest deadline decides; None when a task has none. Raises ``ServingError`` when all are over."""
    deadlines = [task.deadline for task in tasks]
    if any(deadline is None for deadline in deadlines):
        return None
    left = max(deadline for deadline in deadlines if deadline is not None) - time.monotonic()
    if left <= 0:
        raise ServingError(Code.RESOURCE_EXHAUSTED, "Run() timeout exceeded while waiting in batching queue")
    return left


class BatchingRunner:
    """A runner that batches: one queue for each set of inputs and outputs that is asked for.

    Args:
        runner: of one version.
        settings: of its queues.
        scheduler: runs the batches of all models.
        alone: of the model; bounds the requests that are better run alone.
    """

    _MOST_QUEUES = 64

    def __init__(self, runner: Runner, settings: BatchSettings, scheduler: BatchScheduler, alone: ModelLimit) -> None:
        self._runner, self._settings, self._scheduler, self._alone = runner, settings, scheduler, alone
        self._lock = threading.Lock()
        self._queues: dict[tuple[Any, ...], BatchQueue] = {}

    def begin(
        self,
        feeds: Feeds,
        fetches: Sequence[str],
        timeout_seconds: float | None,
        step_back: Callable[[], None] = stay,
    ) -> list[Array] | Later[list[Array]]:
        """The fetched tensors, at once or once their batch has run. Raises ``ServingError``."""
        key = (*[info.name for info, _ in feeds], None, *fetches)
        queue = self._queues.get(key) or self._add_queue(key, fetches)
        request = queue.request(feeds, timeout_seconds, step_back)
        return Later(request, request.outputs) if request.pending else request.outputs()

    def run(self, feeds: Feeds, fetches: Sequence[str], timeout_seconds: float | None) -> list[Array]:
        """The same, blocking."""
        return waited(self.begin(feeds, fetches, timeout_seconds))

    def close(self) -> None:
        """Forget the queues; nobody waits in them when a version is unloaded."""
        with self._lock:
            self._queues.clear()
        self._runner.close()

    def _add_queue(self, key: tuple[Any, ...], fetches: Sequence[str]) -> BatchQueue:
        with self._lock:
            if key not in self._queues:
                if len(self._queues) >= self._MOST_QUEUES:
                    self._queues.pop(next(iter(self._queues)))
                self._queues[key] = BatchQueue(self._runner, fetches, self._settings, self._scheduler, self._alone)
            return self._queues[key]
