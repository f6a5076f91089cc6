"""Whether requests go faster together or alone, found by trying both.

Putting requests together saves runs of the graph and costs two thread switches a request. Which weighs more depends on
the model, the machine and the number of clients, so the traffic itself decides: a short window each way, twice, then
the faster way for a while, and again.
"""

import threading
from collections.abc import Generator

TOGETHER_AT_FIRST = 64
"""Requests before the first trial; few clients never see anything but batches."""
KEPT_REQUESTS = 2048
KEPT_SECONDS = 5.0
"""Between trials at least; so a trial costs a fast model next to nothing, and a slow one soon has another."""
_PASSED_OVER = 32
"""Requests at the start of a window that still feel the way before."""
_COUNTED = 128
_LONGEST_SECONDS = 0.1
"""A window ends after so long, so that a way that waits for nothing is not waited for."""
_QUIET_SECONDS = 1.0
"""Without requests for so long, what was learned is forgotten."""


class Pace:
    """The way of each request; safe for threads.

    Between trials nothing is locked: a few requests that are not counted do no harm, and a lock that every request
    takes costs more than the rest.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0.0
        self._way, self._left, self._until = False, 0, 0.0  # what is kept, for how many more requests, how long
        self._course = self._start()

    def quiet(self, now: float) -> bool:
        """Whether a request that arrives now, in seconds, is the first after a pause."""
        return now - self._last > _QUIET_SECONDS

    def alone(self, now: float) -> bool:
        """Note the arrival of a request; whether it should run alone."""
        if (self._left > 0 or now < self._until) and not self.quiet(now):
            self._left -= 1
            self._last = now
            return self._way
        with self._lock:
            if self.quiet(now):
                self._course, self._left, self._until = self._start(), 0, 0.0
            self._last = now
            return self._course.send(now)

    def _start(self) -> Generator[bool, float, None]:
        course = self._trials()
        next(course)
        return course

    def _trials(self) -> Generator[bool, float, None]:
        """For each arrival, whether the request should run alone; what was found to be faster is kept."""
        for _ in range(TOGETHER_AT_FIRST):
            yield False
        while True:
            together = alone = 0.0
            for _ in range(2):
                together = max(together, (yield from _rate(False)))
                alone = max(alone, (yield from _rate(True)))
            self._way, self._left, self._until = alone > together, KEPT_REQUESTS, self._last + KEPT_SECONDS
            yield self._way


def _rate(alone: bool) -> Generator[bool, float, float]:
    """Send a window of requests this way; arrivals a second, which are as many as answers where clients wait."""
    yield from _window(alone, _PASSED_OVER)
    return (yield from _window(alone, _COUNTED))


def _window(alone: bool, requests: int) -> Generator[bool, float, float]:
    started = now = yield alone
    count = 1
    while count < requests and now - started < _LONGEST_SECONDS:
        now = yield alone
        count += 1
    return count / max(now - started, 1e-9)
