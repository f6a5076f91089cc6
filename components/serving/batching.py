"""Puts requests that arrive together into one run of the graph.

There are no batch threads: the first request of a batch waits for companions, runs the batch in its own thread and
wakes the others. A batch runs when it is full, or when its time to wait is over and fewer than ``threads`` batches
run. Under steady traffic the queue learns two things. Once many batches in a row have waited in vain it knows how
many clients there are, and runs a batch as soon as all of them are in it. And where requests get done faster alone, it
stops putting them together (``pace``). A second without requests makes it forget both.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from components.serving import batch_tensors
from components.serving.batching_config import BatchSettings
from components.serving.errors import Code, ServingError, invalid_argument, unavailable
from components.serving.feeds import Array, Feeds, Runner, check_dtypes
from components.serving.pace import Pace

_WAITS_IN_VAIN = 16


class Slots:
    """How many batches of all models may run at a time."""

    def __init__(self, count: int) -> None:
        self._free = threading.BoundedSemaphore(count)

    def __enter__(self) -> None:
        self._free.acquire()

    def __exit__(self, *_: object) -> None:
        self._free.release()


class _Task:
    """One request, or a part of one, in a queue."""

    __slots__ = ("_done", "deadline", "error", "feeds", "outputs", "rows")

    def __init__(self, feeds: Feeds, rows: int, deadline: float | None) -> None:
        self.feeds, self.rows, self.deadline = feeds, rows, deadline
        self.outputs: list[Array] = []
        self.error: ServingError | None = None
        self._done = threading.Lock()
        self._done.acquire()

    def finish(self) -> None:
        """Wake whoever waits for the result."""
        self._done.release()

    def result(self) -> list[Array]:
        """Wait; the outputs, or the error raised."""
        self._done.acquire()
        if self.error is not None:
            raise ServingError(self.error.code, self.error.text)
        return self.outputs


class _Batch:
    """Tasks that will run together."""

    __slots__ = ("ready", "rows", "tasks")

    def __init__(self) -> None:
        self.tasks: list[_Task] = []
        self.rows = 0
        self.ready = threading.Event()


class BatchQueue:
    """Requests of one model version with the same inputs and outputs."""

    def __init__(self, runner: Runner, fetches: Sequence[str], settings: BatchSettings, slots: Slots) -> None:
        self._runner, self._fetches, self._settings, self._slots = runner, list(fetches), settings, slots
        self._lock = threading.Lock()
        self._waiting: deque[_Batch] = deque()
        self._in_flight = 0
        self._clients: int | None = None
        self._vain = 0
        self._pace = Pace()

    def run(self, feeds: Feeds, timeout_seconds: float | None) -> list[Array]:
        """Run a request with whatever else is there. Raises ``ServingError``."""
        rows = batch_tensors.row_count([value for _, value in feeds])
        now = time.monotonic()
        if self._better_alone(now) and rows <= self._settings.max_execution_size:
            return self._run_alone(feeds, rows, timeout_seconds)
        check_dtypes(feeds)
        deadline = None if timeout_seconds is None else now + timeout_seconds
        tasks = [_Task(part, size, deadline) for part, size in self._parts(feeds, rows)]
        for batch in self._enqueue(tasks, rows):
            self._lead(batch)
        results = [task.result() for task in tasks]
        if len(results) == 1:
            return results[0]
        return [np.concatenate(parts) for parts in zip(*results, strict=True)]

    def _better_alone(self, now: float) -> bool:
        """Note an arrival; whether it should run at once and alone."""
        if self._pace.quiet(now):
            with self._lock:
                self._clients, self._vain = None, 0
        return self._pace.alone(now)

    def _run_alone(self, feeds: Feeds, rows: int, timeout_seconds: float | None) -> list[Array]:
        """What ``_run_batch`` does, for one request that waits for nobody."""
        total = self._settings.padded_size(rows)
        if total > rows:
            feeds = [(info, batch_tensors.merge([value], info.name, False, total - rows)) for info, value in feeds]
        outputs = self._runner.run(feeds, self._fetches, timeout_seconds)
        for output in outputs:
            batch_tensors.check_rows(output, total)
        return outputs if total == rows else [output[:rows] for output in outputs]

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

    def _enqueue(self, tasks: Sequence[_Task], rows: int) -> list[_Batch]:
        """Put tasks into batches; those of which the caller is the leader."""
        led = []
        limit = self._settings.max_execution_size
        with self._lock:
            self._check_capacity(rows)
            self._in_flight += len(tasks)
            if self._clients is not None:
                self._clients = max(self._clients, self._in_flight)
            for task in tasks:
                batch = self._waiting[-1] if self._waiting else None
                if batch is None or batch.rows + task.rows > limit:
                    if batch is not None:
                        batch.ready.set()
                    batch = _Batch()
                    self._waiting.append(batch)
                    led.append(batch)
                batch.tasks.append(task)
                batch.rows += task.rows
            if self._waiting[-1].rows >= limit or self._all_here():
                self._waiting[-1].ready.set()
        return led

    def _check_capacity(self, rows: int) -> None:
        settings, waiting = self._settings, len(self._waiting)
        limit, most = settings.max_execution_size, settings.max_enqueued_batches
        open_rows = self._waiting[-1].rows if self._waiting else 0
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

    def _all_here(self) -> bool:
        return self._clients is not None and self._in_flight >= self._clients

    def _lead(self, batch: _Batch) -> None:
        """Wait for companions, then run the batch."""
        wait = self._settings.timeout_seconds
        in_vain = wait > 0 and not batch.ready.wait(wait)
        with self._slots:
            with self._lock:
                self._waiting.remove(batch)
                if in_vain:
                    self._vain += 1
                    if self._vain >= _WAITS_IN_VAIN:
                        self._clients = self._in_flight
            try:
                self._run_batch(batch)
            except ServingError as error:
                for task in batch.tasks:
                    task.error = error
            except Exception as error:
                for task in batch.tasks:
                    task.error = ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}")
        with self._lock:
            self._in_flight -= len(batch.tasks)
        for task in batch.tasks:
            task.finish()

    def _run_batch(self, batch: _Batch) -> None:
        tasks, settings = batch.tasks, self._settings
        timeout = _remaining(tasks)
        total = settings.padded_size(batch.rows)
        feeds = [
            (
                info,
                batch_tensors.merge(
                    [task.feeds[i][1] for task in tasks],
                    info.name,
                    settings.pad_variable_length,
                    total - batch.rows,
                ),
            )
            for i, (info, _) in enumerate(tasks[0].feeds)
        ]
        sizes = [task.rows for task in tasks]
        for output in self._runner.run(feeds, self._fetches, timeout):
            for task, part in zip(tasks, batch_tensors.split(output, sizes, total), strict=True):
                task.outputs.append(part)


def _remaining(tasks: Sequence[_Task]) -> float | None:
    """The latest deadline decides; None when a task has none. Raises ``ServingError`` when all are over."""
    deadlines = [task.deadline for task in tasks]
    if any(deadline is None for deadline in deadlines):
        return None
    left = max(deadline for deadline in deadlines if deadline is not None) - time.monotonic()
    if left <= 0:
        raise ServingError(Code.RESOURCE_EXHAUSTED, "Run() timeout exceeded while waiting in batching queue")
    return left


class BatchingRunner:
    """A runner that batches: one queue for each set of inputs and outputs that is asked for."""

    _MOST_QUEUES = 64

    def __init__(self, runner: Runner, settings: BatchSettings, slots: Slots) -> None:
        self._runner, self._settings, self._slots = runner, settings, slots
        self._lock = threading.Lock()
        self._queues: dict[tuple[Any, ...], BatchQueue] = {}

    def run(self, feeds: Feeds, fetches: Sequence[str], timeout_seconds: float | None) -> list[Array]:
        """Compute the fetched tensors in a batch. Raises ``ServingError``."""
        key = (*[info.name for info, _ in feeds], None, *fetches)
        queue = self._queues.get(key) or self._add_queue(key, fetches)
        return queue.run(feeds, timeout_seconds)

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
                self._queues[key] = BatchQueue(self._runner, fetches, self._settings, self._slots)
            return self._queues[key]
