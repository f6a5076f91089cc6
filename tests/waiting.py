"""Waiting for facts: generous bounds that only a thing that never comes about meets, whatever the machine's speed."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

LONG_SECONDS = 120.0
Found = TypeVar("Found")


def first(look: Callable[[], Found], seconds: float = LONG_SECONDS, every: float = 0.02) -> Found | None:
    """The first true value that a look gives, None where it gives none in time."""
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            return None
        time.sleep(every)
    return found


def until(fact: Callable[[], object], seconds: float = LONG_SECONDS, every: float = 0.02) -> bool:
    """Whether a fact comes about."""
    return first(fact, seconds, every) is not None


def ends(call: Callable[[], object], seconds: float = LONG_SECONDS) -> bool:
    """Whether a call ends by itself, where what it must not wait for takes far longer."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()
