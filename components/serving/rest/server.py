"""The HTTP server: a fixed number of threads that share one poller.

::

    each worker, for ever:
        wait for a socket that is ready          (one event wakes one worker)
        the listening socket: accept what waits
        a connection:         read; answer every complete request; write; arm it again

A request is read, answered and written by one thread without being handed on: that is the shortest way, and an idle
connection costs no thread. Sockets never block, so a slow client keeps nobody but itself waiting. A caretaker thread
ends connections whose time is over.
"""

import errno
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable

from components.serving.memory import LARGE_BYTES, release_free_memory
from components.serving.rest.connection import Connection
from components.serving.rest.limits import Limits
from components.serving.rest.messages import Request, Response, encode, page
from components.serving.rest.poller import Poller
from components.serving.rest.reader import BodyBudget

Application = Callable[[Request], Response]

log = logging.getLogger(__name__)

_BACKLOG = 4096
_ACCEPT_AT_ONCE = 64
_CARE_SECONDS = 0.25
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class HttpServer:
    """Serves an application over HTTP/1.1 (or HTTPS) until ``stop``.

    Args:
        listening: a bound socket; the server listens on it and closes it.
        application: answers one request; called from several threads, never raises.
        threads: workers.
        limits: what one client may cost.
        tls: HTTPS with this context; None = plain.
    """

    def __init__(
        self,
        listening: socket.socket,
        application: Application,
        threads: int,
        limits: Limits,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        listening.setblocking(False)
        listening.listen(_BACKLOG)
        self.port = int(listening.getsockname()[1])
        self._listening, self._application, self._limits, self._tls = listening, application, limits, tls
        self._budget = BodyBudget(limits.waiting_body_bytes)
        self._connections: dict[int, Connection] = {}
        self._poller = Poller()
        self._draining = self._stopped = self._accept_paused = False
        self._wake_read, self._wake_write = os.pipe()
        self._poller.add_for_all(self._wake_read)
        self._poller.add(listening.fileno())
        names = [("worker", self._work)] * threads + [("caretaker", self._care)]
        self._threads = [
            threading.Thread(target=target, name=f"rest-{name}-{i}", daemon=True)
            for i, (name, target) in enumerate(names)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, grace_seconds: float) -> None:
        """Accept nothing new, let running requests finish within ``grace_seconds``, then close everything."""
        if self._stopped:
            return
        self._draining = True
        end = time.monotonic() + grace_seconds
        while self._connections and time.monotonic() < end:
            self._shut(lambda connection: connection.idle)
            time.sleep(0.01)
        self._stopped = True
        os.write(self._wake_write, b"x")
        for thread in self._threads:
            thread.join(timeout=5.0)
        for connection in list(self._connections.values()):
            connection.close()
        self._connections.clear()
        self._listening.close()
        self._poller.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _work(self) -> None:
        """One worker's life."""
        listening = self._listening.fileno()
        while True:
            fd = self._poller.wait()
            if fd == self._wake_read:
                return
            if fd == listening:
                self._accept()
                continue
            connection = self._connections.get(fd)
            if connection is not None:
                self._attend(connection)

    def _attend(self, connection: Connection) -> None:
        """Go one step further with a connection that is ready."""
        connection.busy = True
        try:
            waits_to_write = self._advance(connection)
        except OSError:
            waits_to_write = None
        if waits_to_write is None:
            self._connections.pop(connection.fd, None)
            connection.close()
            return
        connection.set_deadline()
        connection.busy = False
        self._poller.arm(connection.fd, write=waits_to_write)

    def _advance(self, connection: Connection) -> bool | None:
        """Write, answer and read until the socket has no more: True = waits to write, False = to read, None = over."""
        if not connection.flush():
            return True
        while True:
            if not self._answer_all(connection):
                return True
            if connection.closing:
                if not connection.reader.refused:
                    return None
                if not connection.lingering:
                    connection.linger()
            if connection.drained:
                connection.drained = False
                return False
            data = connection.receive()
            if data is None:
                return connection.wants_write
            if not data:
                return None
            if not connection.lingering:
                self._feed(connection, data)

    def _feed(self, connection: Connection, data: bytes) -> None:
        reader = connection.reader
        reader.feed(data)
        if reader.expects_continue:
            reader.expects_continue = False
            connection.send(_CONTINUE)

    def _answer_all(self, connection: Connection) -> bool:
        """Answer every complete request; False while an answer waits to be written."""
        reader = connection.reader
        while reader.requests and not connection.closing:
            request = reader.requests.popleft()
            response = self._answer(request)
            keep_alive = request.keep_alive and not response.close and not self._draining
            connection.closing = not keep_alive
            large = len(request.body) > LARGE_BYTES
            data = encode(response, request, keep_alive=keep_alive)
            del request, response
            written = connection.send(data)
            if large:
                del data
                release_free_memory()
            if not written:
                return False
        if reader.refused and not connection.closing:
            connection.closing = True
            return connection.send(encode(page(reader.refused), None, keep_alive=False))
        return True

    def _answer(self, request: Request) -> Response:
        try:
            return self._application(request)
        except Exception:
            log.exception("REST request failed: %s", request.method)
            return page(500)

    def _accept(self) -> None:
        """Take the connections that wait; the listening socket is armed again unless the server is draining."""
        try:
            for _ in range(_ACCEPT_AT_ONCE):
                connected, _address = self._listening.accept()
                self._welcome(connected)
        except BlockingIOError:
            log.debug("no further connection waits")
        except OSError as error:
            if error.errno in _NO_DESCRIPTORS:
                self._evict()
                self._accept_paused = True
                return
        if not self._draining:
            self._poller.arm(self._listening.fileno())

    def _welcome(self, connected: socket.socket) -> None:
        if self._draining:
            connected.close()
            return
        if len(self._connections) >= self._limits.connections and not self._evict():
            connected.close()
            return
        connected.setblocking(False)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls is not None:
            connected = self._tls.wrap_socket(connected, server_side=True, do_handshake_on_connect=False)
        connection = Connection(connected, self._limits, self._budget)
        self._connections[connection.fd] = connection
        self._poller.add(connection.fd)

    def _care(self) -> None:
        """The caretaker: end what took too long, resume accepting after a shortage of descriptors."""
        while not self._stopped:
            time.sleep(_CARE_SECONDS)
            self._shut(lambda c: not (c.busy or c.ended) and c.deadline < time.monotonic())
            if self._accept_paused and not self._draining:
                self._accept_paused = False
                self._poller.arm(self._listening.fileno())

    def _evict(self) -> bool:
        """End the idle connections that have waited longest, a sixteenth of all; False when none is idle."""
        idle = sorted((c for c in list(self._connections.values()) if c.idle), key=lambda c: c.deadline)
        for connection in idle[: max(1, len(self._connections) // 16)]:
            connection.shut()
        return bool(idle)

    def _shut(self, over: Callable[[Connection], bool]) -> None:
        for connection in list(self._connections.values()):
            if over(connection):
                connection.shut()
