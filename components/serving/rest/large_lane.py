"""Where large requests are answered: in threads of their own, few at a time, while others wait without a thread."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from kilnworks.components.serving.batching.turns import Later
from kilnworks.components.serving.errors import ServingError, unavailable

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_MOST_WAITING = 64


class LargeLane:
    """Lets ``most`` requests go on at a time, each in a thread of its own; the threads of the server stay free."""

    def __init__(self, most: int) -> None:
        self._most, self._running = most, 0
        self._waiting: deque[_Turn[Any]] = deque()
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
            turn = self._waiting.popleft() if self._waiting else None
            self._running -= turn is None
        if turn is not None:
            self._start(turn)

    def ask(self, turn: "_Turn[Any]") -> None:
        """Have a request go on in a thread of its own, now or when another one leaves."""
        with self._lock:
            now = self._running < self._most
            if now:
                self._running += 1
            else:
                self._waiting.append(turn)
        if now:
            self._start(turn)

    def _start(self, turn: "_Turn[Any]") -> None:
        try:
            threading.Thread(target=turn.go, name="large-rest", daemon=True).start()
        except RuntimeError as error:
            _LOG.error("no thread for a large request: %s", error)
            turn.fail(unavailable("There is no thread for a large request: try again later"))
            self.leave()


class _Turn(Generic[T]):
    """A request's turn in a thread of the lane."""

    def __init__(self, lane: LargeLane, work: Callable[[], T]) -> None:
        self._lane = lane
        self._work: list[Callable[[], T]] = [work]  # let go with the body, before the answer is sent
        self._found: list[T] = []
        self._error: Exception | None = None
        self._then: Callable[[], None] = lambda: None

    def start(self, then: Callable[[], None]) -> None:
        """Have the work done."""
        self._then = then
        self._lane.ask(self)

    def wait(self) -> None:
        """Have the work done and block until it is."""
        over = threading.Event()
        self.start(over.set)
        over.wait()

    def go(self) -> None:
        """Do the work, in this thread."""
        try:
            self._found.append(self._work.pop()())
        except Exception as error:
            self._error = error
        self._lane.leave()
        self._then()

    def fail(self, error: ServingError) -> None:
        """The work cannot be done."""
        self._work.clear()
        self._error = error
        self._then()

    def result(self) -> T:
        """What came of it. Raises what went wrong."""
        if self._error is not None:
            raise self._error
        return self._found.pop()
