"""Decides when the batches of all models run, and in which thread.

::

    collected  open until no further request is at hand: the transport's thread that finds none runs it  (``run_here``)
    timed      open until it is full or its time to wait is over: a batch thread sees to that
    ready      runs as soon as fewer than ``threads`` batches of its model run; takes up requests until then, unless it
               is full

A model whose graph never ends holds its own ``threads`` threads and no other model's. A thread that ends a batch, its
answers included, takes the next ready one. Batch threads exist only while there is something for them: timed batches,
batches of callers that block, and ready ones beside a thread that is busy.
"""

import heapq
import itertools
import logging
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from typing import Protocol

from kilnworks.components.serving.batching.turns import stay

_LOG = logging.getLogger(__name__)
_COLLECT_SECONDS = 0.002
"""How long a batch may be open where there is always another request at hand."""
_IDLE_SECONDS = 2.0
"""A batch thread that has had nothing to do for so long ends."""


class BatchWork(Protocol):
    """What the scheduler runs."""

    def taken(self, timed_out: bool) -> None:
        """It will run now: nothing may be added. Called with the scheduler's lock."""

    def run(self, step_back: Callable[[], None]) -> None:
        """Run, and tell whoever waits; never raises. ``step_back`` is called before a run that may be long."""


class Entry:
    """A batch in the scheduler, ``open`` until it need not wait; the heap of times may keep an entry longer."""

    __slots__ = ("model", "open", "timed_out", "work")

    def __init__(self, work: BatchWork, model: str) -> None:
        self.work: BatchWork | None = work
        self.model = model
        self.open, self.timed_out = True, False


class BatchScheduler:
    """Runs at most ``threads`` batches of a model at a time. Methods that need ``lock`` say so.

    Attributes:
        collected: batches that run once no further request is at hand.
        ready: those that run as soon as a thread takes them; of a model, with those that run, ``threads`` at most.
    """

    def __init__(self, threads: int = 1) -> None:
        self.lock = threading.Lock()
        self._wake = threading.Condition(self.lock)
        self._most, self._running = threads, 0
        self._threads = self._idle = 0
        self.collected: list[Entry] = []
        self._collected_since = 0.0
        self._timed: list[tuple[float, int, Entry]] = []
        self.ready: deque[Entry] = deque()
        self._placed: Counter[str] = Counter()  # of each model, ready or running
        self._held: defaultdict[str, deque[Entry]] = defaultdict(deque)  # ready but for the limit, in order
        self._number = itertools.count()

    @property
    def due(self) -> bool:
        """Whether to ``run_here`` although there may be more at hand: a batch is ready, or collects for too long."""
        return bool(self.ready) or (
            bool(self.collected) and time.monotonic() - self._collected_since > _COLLECT_SECONDS
        )

    def add(self, work: BatchWork, wait_seconds: float, model: str = "") -> Entry:
        """Add a model's batch that runs after ``wait_seconds`` at the latest; 0 = as soon as nothing more is at hand.

        With the lock.
        """
        entry = Entry(work, model)
        if wait_seconds > 0:
            heapq.heappush(self._timed, (time.monotonic() + wait_seconds, next(self._number), entry))
            self._call_thread()
        else:
            if not self.collected:
                self._collected_since = time.monotonic()
            self.collected.append(entry)
        return entry

    def make_ready(self, entry: Entry) -> None:
        """A batch is full: it need not wait any longer. With the lock."""
        if entry.open:
            entry.open = False
            if self._placed[entry.model] < self._most:
                self._placed[entry.model] += 1
                self.ready.append(entry)
            else:
                self._held[entry.model].append(entry)

    def run_here(self, step_back: Callable[[], None] = stay) -> None:
        """Run what is ready in this thread, collected batches too; blocks for as long as batches come up."""
        with self.lock:
            self._close_collected()
            taken = self._take()
        while taken is not None:
            work, model = taken
            work.run(step_back)
            with self.lock:
                self._ended(model)
                taken = self._take()

    def run_elsewhere(self) -> None:
        """Have batch threads run what is ready, collected batches too."""
        with self.lock:
            self._close_collected()
            if self.ready:
                self._call_thread()

    def _ended(self, model: str) -> None:
        """A batch has run. Requests that came up with its answers are waited for by nobody. With the lock."""
        self._running -= 1
        held = self._held.get(model)
        if held:
            self.ready.append(held.popleft())
        else:
            self._held.pop(model, None)
            self._placed[model] -= 1
            if not self._placed[model]:
                del self._placed[model]
        self._close_collected()

    def _close_collected(self) -> None:
        """Collected batches are ready. With the lock."""
        collected, self.collected = self.collected, []
        for entry in collected:
            self.make_ready(entry)

    def _take(self) -> tuple[BatchWork, str] | None:
        """The next batch to run, and its model, counted as running. With the lock.

        A batch thread is called when there are more.
        """
        now = time.monotonic() if self._timed else 0.0
        while self._timed and (self._timed[0][0] <= now or not self._timed[0][2].open):
            entry = heapq.heappop(self._timed)[2]
            entry.timed_out = entry.open
            self.make_ready(entry)
        if not self.ready:
            return None
        entry = self.ready.popleft()
        work, entry.work = entry.work, None
        assert work is not None
        self._running += 1
        work.taken(entry.timed_out)
        if self.ready:
            self._call_thread()
        return work, entry.model

    def _call_thread(self) -> None:
        """See to it that a batch thread looks at what there is. With the lock."""
        if self._idle:
            self._wake.notify()
        elif self._threads < self._most + self._running:
            self._threads += 1
            try:
                threading.Thread(target=self._work, name=f"batch-{next(self._number)}", daemon=True).start()
            except RuntimeError as error:
                self._threads -= 1
                _LOG.error("no batch thread: %s", error)

    def _work(self) -> None:
        """A batch thread's life."""
        while (taken := self._next()) is not None:
            work, model = taken
            work.run(stay)
            del taken, work  # with its tensors, before the wait for the next
            with self.lock:
                self._ended(model)

    def _next(self) -> tuple[BatchWork, str] | None:
        """Wait for a batch to run; None when there has been none for a while."""
        with self.lock:
            while True:
                taken = self._take()
                if taken is not None:
                    if self._timed and not self._idle:
                        self._call_thread()  # somebody has to look at the times while this thread is busy
                    return taken
                seconds = _IDLE_SECONDS
                if self._timed:
                    seconds = min(max(0.0, self._timed[0][0] - time.monotonic()), _IDLE_SECONDS)
                self._idle += 1
                called = self._wake.wait(seconds)
                self._idle -= 1
                if not (called or self._timed or self.ready):
                    self._threads -= 1
                    return None
