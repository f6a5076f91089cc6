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
KEPT_SECONDS = (5.0, 60.0)
"""Between trials at least; the longer, the more often in a row a trial has found the same."""
ROUNDS = 4
"""Windows each way in a trial; the ways alternate, since one window by itself says little."""
CLEAR = 1.5
"""So many times faster, and two rounds are enough."""
IN_DOUBT = 1.2
"""Together must be so many times faster: less is within the noise, and each request waits longer for it."""
_PASSED_OVER = 64
"""Requests at the start of a window that still feel the way before."""
_COUNTED = 256
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
        kept = KEPT_SECONDS[0]
        while True:
            before, self._way = self._way, (yield from _trial())
            kept = min(2 * kept, KEPT_SECONDS[1]) if self._way == before else KEPT_SECONDS[0]
            self._left, self._until = KEPT_REQUESTS, self._last + kept
            yield self._way


def _trial() -> Generator[bool, float, bool]:
    """Try both ways in turn; whether alone is as fast.

    Speed is arrivals a second, which are as many as answers where clients wait for these.
    """
    together, alone = _Way(), _Way()
    for done in range(1, ROUNDS + 1):
        yield from together.window(False)
        yield from alone.window(True)
        ratio = together.rate / alone.rate
        if done > 1 and not 1 / CLEAR < ratio < CLEAR:
            break
    return ratio < IN_DOUBT


class _Way:
    """Requests and seconds of the windows of one way."""

    def __init__(self) -> None:
        self._requests, self._seconds = 0, 1e-9

    @property
    def rate(self) -> float:
        """Arrivals a second."""
        return self._requests / self._seconds

    def window(self, alone: bool) -> Generator[bool, float, None]:
        """Send the next requests this way, and count those that no longer feel the way before."""
        yield from _requests(alone, _PASSED_OVER)
        requests, seconds = yield from _requests(alone, _COUNTED)
        self._requests += requests
        self._seconds += seconds


def _requests(alone: bool, most: int) -> Generator[bool, float, tuple[int, float]]:
    """Send requests one way; how many came, in how many seconds."""
    started = now = yield alone
    count = 1
    while count < most and now - started < _LONGEST_SECONDS:
        now = yield alone
        count += 1
    return count, now - started
