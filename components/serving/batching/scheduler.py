"""Decides when the batches of all models run, and in which thread.

::

    collected  open until no further request is at hand: the transport's thread that finds none runs it  (``run_here``)
    timed      open until it is full or its time to wait is over: a batch thread sees to that
    ready      runs as soon as fewer than ``threads`` batches run; takes up requests until then, unless it is full

A thread that ends a batch, its answers included, takes the next ready one. Batch threads exist only while there is
something for them: timed batches, batches of callers that block, and ready ones beside a thread that is busy.
"""

import heapq
import itertools
import logging
import threading
import time
from collections import deque
from enum import Enum
from typing import Protocol

_LOG = logging.getLogger(__name__)
_COLLECT_SECONDS = 0.002
"""How long a batch may be open where there is always another request at hand."""
_IDLE_SECONDS = 2.0
"""A batch thread that has had nothing to do for so long ends."""


class _State(Enum):
    OPEN = "open"
    READY = "ready"
    TAKEN = "taken"


class BatchWork(Protocol):
    """What the scheduler runs."""

    def taken(self, timed_out: bool) -> None:
        """It will run now: nothing may be added. Called with the scheduler's lock."""

    def run(self) -> None:
        """Run, and tell whoever waits; never raises."""


class Entry:
    """A batch in the scheduler; the heap of times may keep an entry longer than its batch."""

    __slots__ = ("state", "timed_out", "work")

    def __init__(self, work: BatchWork) -> None:
        self.work: BatchWork | None = work
        self.state = _State.OPEN
        self.timed_out = False


class BatchScheduler:
    """Runs at most ``threads`` batches at a time. Methods that need ``lock`` say so."""

    def __init__(self, threads: int = 1) -> None:
        self.lock = threading.Lock()
        self._wake = threading.Condition(self.lock)
        self._most, self._running = threads, 0
        self._threads = self._idle = 0
        self._collected: list[Entry] = []
        self._collected_since = 0.0
        self._timed: list[tuple[float, int, Entry]] = []
        self._ready: deque[Entry] = deque()
        self._number = itertools.count()

    @property
    def collecting(self) -> bool:
        """Whether a batch is open that runs once no further request is at hand."""
        return bool(self._collected)

    @property
    def due(self) -> bool:
        """Whether to ``run_here`` although there may be more at hand: a batch is ready, or collects for too long."""
        return bool(self._ready) or (
            bool(self._collected) and time.monotonic() - self._collected_since > _COLLECT_SECONDS
        )

    def add(self, work: BatchWork, wait_seconds: float) -> Entry:
        """Add a batch that runs after ``wait_seconds`` at the latest; 0 = as soon as nothing more is at hand.

        With the lock.
        """
        entry = Entry(work)
        if wait_seconds > 0:
            heapq.heappush(self._timed, (time.monotonic() + wait_seconds, next(self._number), entry))
            self._call_thread()
        else:
            if not self._collected:
                self._collected_since = time.monotonic()
            self._collected.append(entry)
        return entry

    def make_ready(self, entry: Entry) -> None:
        """A batch is full: it need not wait any longer. With the lock."""
        if entry.state is _State.OPEN:
            entry.state = _State.READY
            self._ready.append(entry)

    def run_here(self) -> None:
        """Run what is ready in this thread, collected batches too; blocks for as long as batches come up."""
        with self.lock:
            self._close_collected()
            work = self._take()
        while work is not None:
            work.run()
            with self.lock:
                self._ended()
                work = self._take()

    def run_elsewhere(self) -> None:
        """Have batch threads run what is ready, collected batches too."""
        with self.lock:
            self._close_collected()
            if self._ready:
                self._call_thread()

    def _ended(self) -> None:
        """A batch has run. Requests that came up with its answers are waited for by nobody. With the lock."""
        self._running -= 1
        self._close_collected()

    def _close_collected(self) -> None:
        """Collected batches are ready. With the lock."""
        collected, self._collected = self._collected, []
        for entry in collected:
            self.make_ready(entry)

    def _take(self) -> BatchWork | None:
        """The next batch to run, counted as running; a batch thread is called when there are more. With the lock."""
        now = time.monotonic() if self._timed else 0.0
        while self._timed and (self._timed[0][0] <= now or self._timed[0][2].state is not _State.OPEN):
            entry = heapq.heappop(self._timed)[2]
            entry.timed_out = entry.state is _State.OPEN
            self.make_ready(entry)
        if not self._ready or self._running >= self._most:
            return None
        entry = self._ready.popleft()
        work, entry.work, entry.state = entry.work, None, _State.TAKEN
        self._running += 1
        if work is not None:
            work.taken(entry.timed_out)
        if self._ready and self._running < self._most:
            self._call_thread()
        return work

    def _call_thread(self) -> None:
        """See to it that a batch thread looks at what there is. With the lock."""
        if self._idle:
            self._wake.notify()
        elif self._threads < self._most:
            self._threads += 1
            try:
                threading.Thread(target=self._work, name=f"batch-{next(self._number)}", daemon=True).start()
            except RuntimeError as error:
                self._threads -= 1
                _LOG.error("no batch thread: %s", error)

    def _work(self) -> None:
        """A batch thread's life."""
        while (work := self._next()) is not None:
            work.run()
            del work  # with its tensors, before the wait for the next
            with self.lock:
                self._ended()

    def _next(self) -> BatchWork | None:
        """Wait for a batch to run; None when there has been none for a while."""
        with self.lock:
            while True:
                work = self._take()
                if work is not None:
                    if self._timed and not self._idle:
                        self._call_thread()  # somebody has to look at the times while this thread is busy
                    return work
                seconds = _IDLE_SECONDS
                if self._timed:
                    seconds = min(max(0.0, self._timed[0][0] - time.monotonic()), _IDLE_SECONDS)
                self._idle += 1
                called = self._wake.wait(seconds)
                self._idle -= 1
                if not (called or self._timed or self._ready):
                    self._threads -= 1
                    return None
