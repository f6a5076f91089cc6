"""Where large requests are answered: in threads of their own, few at a time, while others wait without a thread."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kilnworks.components.serving.batching.resumable import Elsewhere, Steps
from kilnworks.components.serving.errors import unavailable

_MOST_WAITING = 64


class LargeLane:
    """Lets ``most`` requests go on at a time, each in a thread of its own; the threads of the server stay free."""

    def __init__(self, most: int) -> None:
        self._most, self._running = most, 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()

    def enter(self) -> Steps[None]:
        """Go on once it is this request's turn; then ``leaving`` must follow. Raises UNAVAILABLE when too many wait."""
        if len(self._waiting) >= _MOST_WAITING:
            raise unavailable("Too many large requests wait: try again later")
        yield _Turn(self)

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Let the next one go on afterwards."""
        try:
            yield
        finally:
            with self._lock:
                then = self._waiting.popleft() if self._waiting else None
                self._running -= then is None
            if then is not None:
                _start(then)

    def ask(self, then: Callable[[], None]) -> None:
        """Call ``then`` in a thread of its own, now or when another request leaves."""
        with self._lock:
            now = self._running < self._most
            if now:
                self._running += 1
            else:
                self._waiting.append(then)
        if now:
            _start(then)


class _Turn(Elsewhere):
    """The pause until it is a request's turn."""

    def __init__(self, lane: LargeLane) -> None:
        self._lane = lane

    def start(self, then: Callable[[], None]) -> None:
        """Go on in a thread of the lane."""
        self._lane.ask(then)

    def wait(self) -> None:
        """Block until it is this request's turn."""
        turn = threading.Event()
        self._lane.ask(turn.set)
        turn.wait()


def _start(then: Callable[[], None]) -> None:
    threading.Thread(target=then, name="large-rest", daemon=True).start()
