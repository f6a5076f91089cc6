"""What waits for a batch: a request's parts, and the batch that they run in together."""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from kilnworks.components.serving.batching.scheduler import BatchScheduler
from kilnworks.components.serving.errors import Code, ServingError, expected
from kilnworks.components.serving.wire.feeds import Array, Feeds

_LOG = logging.getLogger(__name__)


class Queue(Protocol):
    """Where requests wait. See ``runner.BatchQueue``."""

    scheduler: BatchScheduler

    def add(self, request: "BatchRequest") -> None:
        """Put a request's tasks into batches. Raises ``ServingError`` where too many wait."""

    def leave(self, timed_out: bool) -> None:
        """The oldest batch is about to run."""

    def run_together(self, tasks: Sequence["Task"], rows: int, step_back: Callable[[], None]) -> None:
        """Run tasks of so many rows in all. Raises ``ServingError``."""


class Task:
    """One request, or a part of one, in a queue."""

    __slots__ = ("deadline", "error", "feeds", "outputs", "rows")

    def __init__(self, feeds: Feeds, rows: int, deadline: float | None) -> None:
        self.feeds, self.rows, self.deadline = feeds, rows, deadline
        self.outputs: list[Array] = []
        self.error: tuple[Code, str] | None = None  # not the exception, whose traceback would hold the whole batch

    def failed(self, error: ServingError) -> None:
        """It will have no outputs."""
        self.error = error.code, error.text


class BatchRequest:
    """A request's way through a queue: started once, then ``outputs`` has its result. See ``turns.Waiting``.

    Attributes:
        tasks: its parts, at least one.
        rows: of all of them.
        pending: it has not run yet.
    """

    __slots__ = ("_left", "_queue", "_then", "pending", "rows", "tasks")

    def __init__(self, queue: Queue, parts: Sequence[tuple[Feeds, int]], deadline: float | None) -> None:
        self._queue = queue
        self.tasks = [Task(feeds, rows, deadline) for feeds, rows in parts]
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
            self.tasks[0].failed(expected(error, "putting a request into a batch"))
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

    def __init__(self, queue: Queue, wanted: int) -> None:
        self._queue, self.wanted = queue, wanted
        self.rows = 0
        self._tasks: list[Task] = []
        self._requests: list[BatchRequest] = []

    def add(self, task: Task, request: BatchRequest) -> None:
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
            self._fail(expected(error, "running a batch"))
        for request in self._requests:
            try:
                request.part_done()
            except Exception:
                _LOG.exception("answering a request of a batch")

    def _fail(self, error: ServingError) -> None:
        for task in self._tasks:
            task.failed(error)
