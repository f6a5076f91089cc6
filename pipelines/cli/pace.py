"""How long a step still takes, by the pace of its last parts (epochs, shards, batches)."""

from collections import deque

PARTS = 5.0
"""Over how many parts the pace is taken, where there are so many."""


class Pace:
    """A moving average over the last ``PARTS`` parts.

    What comes before the first news (starting, reading, compiling) does not count, and a pace that changes, because a
    machine gets busy or a phase begins, is followed within as many parts.
    """

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def news(self, done: float, seconds: float) -> None:
        """Take in that ``done`` parts are done after ``seconds``; fewer than before begin anew."""
        if self._seen and done < self._seen[-1][0]:
            self._seen.clear()
        self._seen.append((done, seconds))
        while len(self._seen) > 2 and done - self._seen[1][0] >= PARTS:
            self._seen.popleft()

    def to_go(self, total: float | None) -> float | None:
        """Seconds to go until ``total`` parts are done; None while there is no pace yet."""
        if not total or len(self._seen) < 2:
            return None
        (before, then), (done, now) = self._seen[0], self._seen[-1]
        if done <= before or done >= total:
            return None
        return (now - then) / (done - before) * (total - done)
