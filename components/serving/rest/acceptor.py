"""Takes new connections, and ends those whose time is over or whose place others need."""

import errno
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable

from kilnworks.components.serving.rest.budget import BodyBudget
from kilnworks.components.serving.rest.connection import Connection
from kilnworks.components.serving.rest.limits import Limits
from kilnworks.components.serving.rest.poller import READ, Poller

log = logging.getLogger(__name__)

_BACKLOG = 4096
_ACCEPT_AT_ONCE = 64
_CARE_SECONDS = 0.25
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Acceptor:
    """A listening socket and the connections that came of it.

    Args:
        listening: a bound socket; it is listened on at once, and accepted from after ``open``.
        poller: which is told about every new connection.
        limits: what one client may cost.
        tls: HTTPS with this context; None = plain.
        step_back: of the thread that reads a request.

    Attributes:
        connections: by the number of their socket; who closes one takes it out.
        budget: bytes that the bodies of all of them may hold.
        draining: nothing new is accepted.
    """

    def __init__(
        self,
        listening: socket.socket,
        poller: Poller,
        limits: Limits,
        tls: ssl.SSLContext | None,
        step_back: Callable[[], None],
    ) -> None:
        listening.setblocking(False)
        listening.listen(_BACKLOG)
        self._listening, self._poller, self._limits, self._tls = listening, poller, limits, tls
        self._step_back = step_back
        self.port, self.fd = int(listening.getsockname()[1]), listening.fileno()
        self.connections: dict[int, Connection] = {}
        self.budget = BodyBudget(limits.waiting_body_bytes)
        self.draining = self._stopped = self._paused = False
        self._caretaker = threading.Thread(target=self._care, name="rest-care", daemon=True)

    def open(self) -> None:
        """Begin to accept."""
        self._poller.register(self.fd, READ)
        self._caretaker.start()

    def accept(self) -> None:
        """Take the connections that wait; the listening socket is armed again unless nothing new is accepted."""
        try:
            for _ in range(_ACCEPT_AT_ONCE):
                connected, _address = self._listening.accept()
                self._welcome(connected)
        except BlockingIOError:
            log.debug("no further connection waits")
        except OSError as error:
            if error.errno in _NO_DESCRIPTORS:
                self._evict()
                self._paused = True
                return
        if not self.draining:
            self._poller.modify(self.fd, READ)

    def shut(self, over: Callable[[Connection], bool]) -> None:
        """End those connections for which ``over`` is true."""
        for connection in list(self.connections.values()):
            if over(connection):
                connection.shut()

    def close(self) -> None:
        """End everything; nobody works on a connection any more."""
        self._stopped = True
        self._caretaker.join(5.0)
        for connection in list(self.connections.values()):
            connection.close()
        self.connections.clear()
        self._listening.close()

    def _welcome(self, connected: socket.socket) -> None:
        full = len(self.connections) >= self._limits.connections
        if self.draining or (full and not self._evict()):
            connected.close()
            return
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            connected = self._tls.wrap_socket(connected, server_side=True, do_handshake_on_connect=False)
        connection = Connection(connected, self._limits, self.budget, self._step_back)
        self.connections[connection.fd] = connection
        self._poller.register(connection.fd, READ)

    def _care(self) -> None:
        """The caretaker: end what took too long, resume accepting after a shortage of descriptors."""
        while not self._stopped:
            time.sleep(_CARE_SECONDS)
            self.shut(lambda c: not (c.busy or c.ended) and c.deadline < time.monotonic())
            if self._paused and not self.draining:
                self._paused = False
                self._poller.modify(self.fd, READ)

    def _evict(self) -> bool:
        """End the idle connections that have waited longest, a sixteenth of all; False when none is idle."""
        idle = sorted((c for c in list(self.connections.values()) if c.idle), key=lambda c: c.deadline)
        for connection in idle[: max(1, len(self.connections) // 16)]:
            connection.shut()
        return bool(idle)
