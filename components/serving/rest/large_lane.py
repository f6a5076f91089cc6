"""Where large requests are answered: in threads of their own, few at a time, while others wait without a thread."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from kilnworks.components.serving.batching.turns import Later
from kilnworks.components.serving.errors import unavailable

T = TypeVar("T")
_MOST_WAITING = 64


class LargeLane:
    """Lets ``most`` requests go on at a time, each in a thread of its own; the threads of the server stay free."""

    def __init__(self, most: int) -> None:
        self._most, self._running = most, 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()

    def run(self, work: Callable[[], T]) -> Later[T]:
        """What ``work`` returns, once it was its turn. Raises ``ServingError`` UNAVAILABLE when too many wait."""
        if len(self._waiting) >= _MOST_WAITING:
            raise unavailable("Too many large requests wait: try again later")
        turn = _Turn(self, work)
        return Later(turn, turn.result)

    def leave(self) -> None:
        """A request is over: the next one has its turn."""
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


class _Turn(Generic[T]):
    """A request's turn in a thread of the lane."""

    def __init__(self, lane: LargeLane, work: Callable[[], T]) -> None:
        self._lane, self._work = lane, work
        self._found: list[T] = []
        self._error: Exception | None = None

    def start(self, then: Callable[[], None]) -> None:
        """Have the work done."""

        def go() -> None:
            try:
                self._found.append(self._work())
            except Exception as error:
                self._error = error
            self._lane.leave()
            then()

        self._lane.ask(go)

    def wait(self) -> None:
        """Have the work done and block until it is."""
        over = threading.Event()
        self.start(over.set)
        over.wait()

    def result(self) -> T:
        """What came of it. Raises what went wrong."""
        if self._error is not None:
            raise self._error
        return self._found.pop()


def _start(then: Callable[[], None]) -> None:
    threading.Thread(target=then, name="large-rest", daemon=True).start()
