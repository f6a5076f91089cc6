"""A server ends by a signal, whenever it comes."""

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

import pytest

from kilnworks.components.serving.process.stopping import stopped_by_signals


def test_a_signal_that_does_not_interrupt_the_wait_ends_it_too() -> None:
    """One that comes to another thread, as one that comes a moment before the wait, leaves the main thread asleep."""
    with stopped_by_signals() as stop:
        sender = threading.Timer(0.1, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM))
        guard = threading.Timer(20, lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM))
        sender.start()
        guard.start()
        stop.wait()
        assert guard.is_alive(), "only a second signal, to the main thread, ended the wait"
        guard.cancel()
        sender.join()


@pytest.mark.parametrize("at", [1, 2])
def test_a_signal_may_come_at_any_line_of_the_wait(at: int) -> None:
    """Before it blocks. Within ``threading.Event.wait`` a handler that sets the event waits for its own lock."""
    lines = 0

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        if lines == at:
            sys.settrace(None)
            signal.raise_signal(signal.SIGTERM)
        return count

    before, guard = sys.gettrace(), threading.Timer(20, os._exit, [70])
    guard.start()
    with stopped_by_signals() as stop:
        sys.settrace(count)
        try:
            stop.wait()
        finally:
            sys.settrace(before)
    guard.cancel()
    assert lines == at and stop.event.is_set()


def test_handlers_come_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with stopped_by_signals():
        assert signal.getsignal(signal.SIGTERM) != before[0]
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before
    assert signal.set_wakeup_fd(-1) == -1
