"""Where large requests are answered: in threads of their own, few at a time, while others wait without a thread."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from kilnworks.components.serving.batching.turns import Later, Turn
from kilnworks.components.serving.errors import unavailable

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_MOST_WAITING = 64


class LargeLane:
    """Lets ``most`` requests go on at a time, each in a thread of its own; the threads of the server stay free."""

    def __init__(self, most: int) -> None:
        self._most, self._running = most, 0
        self._waiting: deque[Turn[Any]] = deque()
        self._lock = threading.Lock()

    def run(self, work: Callable[[], T]) -> Later[T]:
        """What ``work`` returns, once it was its turn. Raises ``ServingError`` UNAVAILABLE when too many wait."""
        if len(self._waiting) >= _MOST_WAITING:
            raise unavailable("Too many large requests wait: try again later")
        turn = Turn(work, self._ask, self._leave)
        return Later(turn, turn.result)

    def _leave(self) -> None:
        """A request is over: the next one has its turn."""
        with self._lock:
            turn = self._waiting.popleft() if self._waiting else None
            self._running -= turn is None
        if turn is not None:
            self._start(turn)

    def _ask(self, turn: Turn[Any]) -> None:
        """Have a request go on in a thread of its own, now or when another one leaves."""
        with self._lock:
            now = self._running < self._most
            if now:
                self._running += 1
            else:
                self._waiting.append(turn)
        if now:
            self._start(turn)

    def _start(self, turn: Turn[Any]) -> None:
        try:
            threading.Thread(target=turn.go, name="large-rest", daemon=True).start()
        except RuntimeError as error:
            _LOG.error("no thread for a large request: %s", error)
            turn.fail(unavailable("There is no thread for a large request: try again later"))
