"""Keeps a log readable when the same thing is found wrong at every poll."""

import logging
import time

_MOST_KEPT = 256


class RepeatFilter(logging.Filter):
    """Passes a message once, and again only when ``seconds`` have gone by since it was last passed."""

    def __init__(self, seconds: float = 60.0) -> None:
        super().__init__()
        self._seconds = seconds
        self._passed: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        message, now = record.getMessage(), time.monotonic()
        if now - self._passed.get(message, -self._seconds) < self._seconds:
            return False
        if len(self._passed) >= _MOST_KEPT:
            self._passed.clear()
        self._passed[message] = now
        return True
