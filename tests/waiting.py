"""Waiting for facts: generous bounds that only a thing that never comes about meets, whatever the machine's speed."""

import threading
import time
from collections.abc import Callable

LONG_SECONDS = 120.0


def until(fact: Callable[[], object], seconds: float = LONG_SECONDS, every: float = 0.02) -> bool:
    """Whether a fact comes about."""
    end = time.monotonic() + seconds
    while not fact():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


def ends(call: Callable[[], object], seconds: float = LONG_SECONDS) -> bool:
    """Whether a call ends by itself, where what it must not wait for takes far longer."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()
