"""Waiting for SIGTERM and SIGINT, whenever they come.

``threading.Event.wait`` is no way to wait for what a handler sets: Python runs handlers in the main thread between two
instructions. A signal that comes a moment before the wait blocks does not interrupt it, and a handler that runs within
``wait``, which holds the lock of the event, never gets that lock. The pipe of ``signal.set_wakeup_fd`` is written when
the signal comes, so that it is there for whoever looks later.
"""

import contextlib
import select
import signal
import socket
import threading
from collections.abc import Iterator

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stop:
    """Whether the process is to end.

    Attributes:
        event: set by the first signal; other threads may wait for it, the main thread may not.
    """

    def __init__(self, woken: socket.socket) -> None:
        self.event, self._woken = threading.Event(), woken

    def wait(self) -> None:
        """Block the main thread until a signal has come."""
        while not self.event.is_set():
            select.select([self._woken], [], [])
            self._woken.recv(4096)


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[Stop]:
    """Let SIGTERM and SIGINT set what is given, and put their handlers back; to be called by the main thread."""
    woken, written = socket.socketpair()
    with woken, written:
        written.setblocking(False)
        stop, wakes = Stop(woken), signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
        before = {number: signal.signal(number, lambda *_: stop.event.set()) for number in SIGNALS}
        try:
            yield stop
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(wakes)
