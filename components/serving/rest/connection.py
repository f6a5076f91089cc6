"""One client's socket, never blocking: what was read, what waits to be written, and until when it may take."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable

from kilnworks.components.serving.rest.budget import BodyBudget
from kilnworks.components.serving.rest.limits import Limits
from kilnworks.components.serving.rest.reader import RequestReader

CHUNK = 256 * 1024
"""Bytes read at once."""
_NOTHING = memoryview(b"")
LINGER_SECONDS = 2.0
"""How long bytes are read and dropped after a refusal, so that the client gets to see the answer."""


class Connection:
    """State of one connection. One thread at a time works on it (``busy``); the caretaker only looks at it.

    Attributes:
        reader: parses what comes in.
        busy: a worker has it.
        turn_of: the worker's thread while it handles the event that brought it; another goes on after a batch.
        deadline: monotonic seconds after which the caretaker ends it.
        ended: somebody ended it; the next worker that gets it closes it.
        closing: close once everything is written.
        lingering: the answer is written and our side closed; what still comes in is dropped.
        wants_write: TLS must write before it can go on reading.
    """

    __slots__ = (
        "_limits",
        "_pending",
        "_tls",
        "busy",
        "closing",
        "deadline",
        "drained",
        "ended",
        "fd",
        "lingering",
        "reader",
        "socket",
        "turn_of",
        "wants_write",
    )

    def __init__(
        self, connected: socket.socket, limits: Limits, budget: BodyBudget, step_back: Callable[[], None]
    ) -> None:
        self.socket = connected
        self.fd = connected.fileno()
        self.reader = RequestReader(limits, budget, step_back)
        self.busy = self.closing = self.lingering = self.wants_write = self.drained = self.ended = False
        self.turn_of: int | None = None
        self._limits = limits
        self._tls = isinstance(connected, ssl.SSLSocket)
        self._pending = _NOTHING
        self.deadline = time.monotonic() + limits.header_seconds

    @property
    def idle(self) -> bool:
        """Whether nothing has begun: no request half read, no answer half written."""
        return not (self.ended or self.busy or self._pending or self.reader.in_headers or self.reader.in_body)

    @property
    def in_turn(self) -> bool:
        """Whether this thread got the connection by an event; else it has other requests of a batch to answer."""
        return self.turn_of == threading.get_ident()

    def receive(self) -> bytes | None:
        """Bytes that have arrived, ``b""`` at the end of the stream, None when there are none yet."""
        self.wants_write = False
        try:
            data = self.socket.recv(CHUNK)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError):
            return None
        except ssl.SSLWantWriteError:
            self.wants_write = True
            return None
        self.drained = not self._tls and len(data) < CHUNK
        return data

    def send(self, data: bytes) -> bool:
        """Write ``data`` behind what waits already; False while a part of it waits."""
        self._pending = memoryview(bytes(self._pending) + data) if self._pending else memoryview(data)
        return self.flush()

    def flush(self) -> bool:
        """Write as much as the socket takes; False while something waits."""
        while self._pending:
            try:
                sent = self.socket.send(self._pending)
            except (BlockingIOError, InterruptedError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return False
            self._pending = self._pending[sent:]
        self._pending = _NOTHING
        return True

    def set_deadline(self) -> None:
        """Choose the time that the next step may take, from what the connection waits for."""
        now, limits = time.monotonic(), self._limits
        if self.lingering:
            self.deadline = min(self.deadline, now + LINGER_SECONDS)
        elif self._pending or self.reader.in_body:
            self.deadline = now + limits.stall_seconds
        elif self.reader.in_headers:
            self.deadline = min(self.deadline, now + limits.header_seconds)
        else:
            self.deadline = now + limits.idle_seconds

    def linger(self) -> None:
        """Say that nothing more will be written, and drop what the client still sends."""
        self.lingering = True
        self.deadline = time.monotonic() + LINGER_SECONDS
        if not self._tls:
            self.socket.shutdown(socket.SHUT_WR)

    def shut(self) -> None:
        """End the connection from another thread: whoever waits for it is woken and closes it."""
        self.ended = True
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Free everything."""
        self._pending = _NOTHING
        self.reader.close()
        self.socket.close()
