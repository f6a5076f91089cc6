"""Whether requests go faster together or alone, found by trying both.

Putting requests together saves runs of the graph and costs two thread switches a request. Which weighs more depends on
the model, the machine and the number of clients, so the traffic itself decides: a short window each way, twice, then
the faster way for a while, and again.
"""

from collections.abc import Generator

TOGETHER_AT_FIRST = 64
"""Requests before the first trial; few clients never see anything but batches."""
KEPT = 4096
"""Requests between trials."""
_PASSED_OVER = 32
"""Requests at the start of a window that still feel the way before."""
_COUNTED = 128
_LONGEST_SECONDS = 0.1
"""A window ends after so long, so that a way that waits for nothing is not waited for."""
_QUIET_SECONDS = 1.0
"""Without requests for so long, what was learned is forgotten."""

_Course = Generator[bool, float, None]


class Pace:
    """The way of each request; not safe for threads by itself."""

    def __init__(self) -> None:
        self._last = 0.0
        self._course = _started()

    def quiet(self, now: float) -> bool:
        """Whether a request that arrives now, in seconds, is the first after a pause."""
        return now - self._last > _QUIET_SECONDS

    def alone(self, now: float) -> bool:
        """Note the arrival of a request; whether it should run alone."""
        if self.quiet(now):
            self._course = _started()
        self._last = now
        return self._course.send(now)


def _started() -> _Course:
    course = _ways()
    next(course)
    return course


def _ways() -> _Course:
    """For each arrival, whether it should run alone."""
    for _ in range(TOGETHER_AT_FIRST):
        yield False
    while True:
        together = alone = 0.0
        for _ in range(2):
            together = max(together, (yield from _rate(False)))
            alone = max(alone, (yield from _rate(True)))
        for _ in range(KEPT):
            yield alone > together


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
