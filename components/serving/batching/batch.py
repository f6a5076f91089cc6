"""Where requests wait for a batch: their parts, the batch that they run in together, and the queue."""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from kilnworks.components.serving.batching import batch_tensors
from kilnworks.components.serving.batching.batch_size import BatchSize
from kilnworks.components.serving.batching.parameters import BatchSettings
from kilnworks.components.serving.batching.places import ModelLimit
from kilnworks.components.serving.batching.scheduler import BatchScheduler, Entry
from kilnworks.components.serving.batching.turns import RunTimes, stay
from kilnworks.components.serving.errors import Code, ServingError, expected, invalid_argument, unavailable
from kilnworks.components.serving.wire.feeds import Array, Feeds, Runner, check_dtypes

_LOG = logging.getLogger(__name__)

_WAITING_REQUESTS = 64
"""So many requests after a pause, traffic is steady; whoever tries a few requests sees stock's waiting."""
_TIMED_OUT_BATCHES = 16
"""Or so many batches whose time was over before they were full."""
_PAUSE_SECONDS = 1.0
_PROCESSORS = os.cpu_count() or 1


class BatchTask:
    """One request, or a part of one, in a queue."""

    __slots__ = ("deadline", "error", "feeds", "outputs", "rows")

    def __init__(self, feeds: Feeds, rows: int, deadline: float | None) -> None:
        self.feeds, self.rows, self.deadline = feeds, rows, deadline
        self.outputs: list[Array] = []
        self.error: tuple[Code, str] | None = None  # not the exception, whose traceback would hold the whole batch


class BatchRequest:
    """A request's way through a queue: started once, then ``outputs`` has its result. See ``turns.Waiting``.

    Attributes:
        tasks: its parts, at least one.
        rows: of all of them.
        pending: it has not run yet.
    """

    __slots__ = ("_left", "_queue", "_then", "pending", "rows", "tasks")

    def __init__(self, queue: "BatchQueue", parts: Sequence[tuple[Feeds, int]], deadline: float | None) -> None:
        self._queue = queue
        self.tasks = [BatchTask(feeds, rows, deadline) for feeds, rows in parts]
        self._left = len(self.tasks)
        self.pending = True
        self._then: Callable[[], None] | None = None
        self.rows = sum(rows for _, rows in parts)

    def start(self, then: Callable[[], None]) -> None:
        """Join the queue; to be refused by it is a result, too."""
        self._then = then
        try:
            self._queue.add(self)
        except Exception as error:
            _fail(self.tasks, expected(error, "putting a request into a batch"))
            self._over()

    def wait(self) -> None:
        """Join the queue and block until the result is there."""
        done = threading.Lock()
        done.acquire()
        self.start(done.release)
        self._queue.scheduler.run_elsewhere()
        done.acquire()

    def part_done(self) -> None:
        """One of the tasks is over; the last one ends the wait."""
        if len(self.tasks) > 1:
            with self._queue.scheduler.lock:
                self._left -= 1
                if self._left:
                    return
        self._over()

    def _over(self) -> None:
        then, self._then = self._then, None
        if then is not None:
            then()

    def outputs(self) -> list[Array]:
        """The result. Raises ``ServingError``."""
        for task in self.tasks:
            if task.error is not None:
                raise ServingError(*task.error)
        if len(self.tasks) == 1:
            return self.tasks[0].outputs
        return [np.concatenate(parts) for parts in zip(*(task.outputs for task in self.tasks), strict=True)]


class Batch:
    """Tasks that run together; what the scheduler runs."""

    __slots__ = ("_queue", "_requests", "_tasks", "rows", "wanted")

    def __init__(self, queue: "BatchQueue", wanted: int) -> None:
        self._queue, self.wanted = queue, wanted
        self.rows = 0
        self._tasks: list[BatchTask] = []
        self._requests: list[BatchRequest] = []

    def add(self, task: BatchTask, request: BatchRequest) -> None:
        """Put a task of a request into the batch. With the scheduler's lock."""
        self._tasks.append(task)
        self._requests.append(request)
        self.rows += task.rows

    def taken(self, timed_out: bool) -> None:
        """No longer in the queue."""
        self._queue.leave(timed_out)

    def run(self, step_back: Callable[[], None]) -> None:
        """Run all tasks; each gets its rows of the outputs, or the error."""
        try:
            self._queue.run_together(self._tasks, self.rows, step_back)
        except Exception as error:
            _fail(self._tasks, expected(error, "running a batch"))
        for request in self._requests:
            try:
                request.part_done()
            except Exception:
                _LOG.exception("answering a request of a batch")


def _fail(tasks: Sequence[BatchTask], error: ServingError) -> None:
    for task in tasks:
        task.error = error.code, error.text


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

    def _takes(self, batch: Batch, task: BatchTask) -> bool:
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

    def run_together(self, tasks: Sequence[BatchTask], rows: int, step_back: Callable[[], None]) -> None:
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


def _remaining(tasks: Sequence[BatchTask]) -> float | None:
    """The latest deadline decides; None when a task has none. Raises ``ServingError`` when all are over."""
    deadlines = [task.deadline for task in tasks]
    if any(deadline is None for deadline in deadlines):
        return None
    left = max(deadline for deadline in deadlines if deadline is not None) - time.monotonic()
    if left <= 0:
        raise ServingError(Code.RESOURCE_EXHAUSTED, "Run() timeout exceeded while waiting in batching queue")
    return left
