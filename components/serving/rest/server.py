"""The HTTP server: several threads, one of which waits for sockets.

::

    the worker that leads, for ever:
        wait for a socket that is ready
        the listening socket: accept what waits
        a connection:         read; answer every complete request; write; arm it again

A request is read, answered and written by one thread without being handed on: that is the shortest way, and an idle
connection costs no thread. Sockets never block, so a slow client keeps nobody but itself waiting. Where requests are
put together, an answer waits until its batch has run, and the worker takes the next socket that is at hand; the one
that finds none runs the batch.
"""

import functools
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from email.utils import formatdate
from enum import Enum
from http import HTTPStatus

from kilnworks.components.serving.batching.leader_followers import LeaderFollowers
from kilnworks.components.serving.batching.scheduler import BatchScheduler
from kilnworks.components.serving.batching.turns import Later
from kilnworks.components.serving.rest.acceptor import Acceptor
from kilnworks.components.serving.rest.connection import Connection
from kilnworks.components.serving.rest.limits import Limits
from kilnworks.components.serving.rest.messages import STATUS_LINES, Request, Response, page
from kilnworks.components.serving.rest.poller import ALWAYS, READ, WRITE, Poller
from kilnworks.components.serving.wire.memory import LARGE_BYTES, release_free_memory

Application = Callable[[Request], Response | Later[Response]]

log = logging.getLogger(__name__)

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CORS = (
    b"Access-Control-Allow-Origin: *\r\n"
    b"Access-Control-Allow-Methods: POST, GET\r\n"
    b"Access-Control-Allow-Headers: Content-Type\r\n"
)
_CHALLENGE = b'WWW-Authenticate: Bearer realm="models"\r\n'
_CONNECTION = {
    (True, False): b"",
    (True, True): b"Connection: keep-alive\r\n",
    (False, False): b"Connection: close\r\n",
    (False, True): b"Connection: close\r\n",
}
"""By whether the connection goes on, and whether the client speaks HTTP/1.0."""


class _Next(Enum):
    """What a connection waits for."""

    READ = "the socket can be read"
    WRITE = "the socket can be written"
    ANSWER = "the answer to a request"
    OVER = "nothing"


class HttpServer:
    """Serves an application over HTTP/1.1 (or HTTPS) until ``stop``.

    Args:
        listening: a bound socket; the server listens on it and closes it.
        application: answers one request; called from several threads, never raises.
        threads: workers.
        limits: what one client may cost.
        tls: HTTPS with this context; None = plain.
        batches: batches that wait for the requests at hand.
        stopped: called once nothing is answered any more.
    """

    def __init__(
        self,
        listening: socket.socket,
        application: Application,
        threads: int,
        limits: Limits,
        tls: ssl.SSLContext | None = None,
        batches: BatchScheduler | None = None,
        stopped: Callable[[], None] = lambda: None,
    ) -> None:
        self._application, self._when_stopped = application, stopped
        self._batches = batches or BatchScheduler()
        self._poller = Poller()
        self._stopped = False
        self._wake_read, self._wake_write = os.pipe()
        self._poller.register(self._wake_read, ALWAYS)
        self._threads = LeaderFollowers("rest", threads, self._wait, self._handle, self._batches.run_elsewhere)
        self._acceptor = Acceptor(listening, self._poller, limits, tls, self._threads.step_back)
        self._connections, self.port = self._acceptor.connections, self._acceptor.port
        self._acceptor.open()

    def stop(self, grace_seconds: float) -> None:
        """Accept nothing new, let running requests finish within ``grace_seconds``, then close everything."""
        if self._stopped:
            return
        self._acceptor.draining = True
        end = time.monotonic() + grace_seconds
        while self._connections and time.monotonic() < end:
            self._acceptor.shut(lambda connection: connection.idle)
            time.sleep(0.01)
        self._stopped = True
        os.write(self._wake_write, b"x")
        self._threads.join(5.0)
        self._acceptor.close()
        self._when_stopped()
        self._poller.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _wait(self) -> int | None:
        """A socket that is ready; None when a batch waits only for the requests at hand, and there is none."""
        ready = self._poller.poll(0.0 if self._batches.collected else None, 1)
        return ready[0][0] if ready else None

    def _handle(self, fd: int | None) -> bool:
        """Do what a socket that is ready asks for; False when it tells to stop."""
        if fd == self._wake_read:
            return False
        if fd is not None and (connection := self._connections.get(fd)) is not None:
            self._attend(connection)
        elif fd is not None and fd == self._acceptor.fd:
            self._acceptor.accept()
        batches = self._batches
        if (batches.ready or batches.collected) and (fd is None or batches.due or not self._threads.leads):
            batches.run_here(self._threads.step_back)
        return True

    def _attend(self, connection: Connection) -> None:
        """Go as far with a connection as it goes without waiting."""
        me = threading.get_ident()
        connection.busy, connection.turn_of = True, me
        self._settle(connection, connection.flush)
        if connection.turn_of == me:
            connection.turn_of = None

    def _settle(self, connection: Connection, first: Callable[[], bool]) -> None:
        """Do ``first`` and go as far as possible; then wait for the socket again, or close it."""
        try:
            then = self._advance(connection) if first() else _Next.WRITE
        except OSError:
            then = _Next.OVER
        except Exception:
            log.exception("a REST connection failed")
            then = _Next.OVER
        if then is _Next.ANSWER:
            return
        if then is _Next.OVER or self._stopped:
            self._connections.pop(connection.fd, None)
            connection.close()
            return
        connection.set_deadline()
        connection.busy = False
        self._poller.modify(connection.fd, WRITE if then is _Next.WRITE else READ)  # another thread may know at once

    def _advance(self, connection: Connection) -> _Next:
        """Answer, write and read until the socket has no more.

        After a wait for a batch, whose other requests want their answers too, only one request is finished: another
        thread goes on, woken by the socket, which can be written.
        """
        while True:
            then = self._answer_all(connection)
            if then is not None:
                return then
            if connection.closing:
                if not connection.refused:
                    return _Next.OVER
                if not connection.lingering:
                    connection.linger()
            if connection.drained:
                connection.drained = False
                return _Next.READ
            if not connection.in_turn:
                return _Next.WRITE
            data = connection.receive()
            if data is None:
                return _Next.WRITE if connection.wants_write else _Next.READ
            if not data:
                return _Next.OVER
            if connection.lingering:
                continue
            connection.feed(data)
            if connection.expects_continue:
                connection.expects_continue = False
                connection.send(_CONTINUE)

    def _answer_all(self, connection: Connection) -> _Next | None:
        """Answer every complete request; what to wait for if that is not done."""
        while connection.requests and not connection.closing:
            request = connection.requests.popleft()
            response = self._begin(connection, request)
            if response is None:
                return _Next.ANSWER  # by now another thread may be at work on the connection
            data, large = self._encoded(connection, request, response), len(request.body) > LARGE_BYTES
            del request, response
            if not self._send(connection, data, large):
                return _Next.WRITE
        if connection.refused and not connection.closing:
            connection.closing = True
            if not connection.send(encode(page(connection.refused), None, keep_alive=False)):
                return _Next.WRITE
        return None

    def _begin(self, connection: Connection, request: Request) -> Response | None:
        """The answer to a request; None when it has to wait, and whoever ends the wait goes on."""
        if len(request.body) > LARGE_BYTES:
            self._threads.step_back()
        try:
            found = self._application(request)
        except Exception:
            return self._failed(request)
        if isinstance(found, Later):
            waits = not found.begin(functools.partial(self._go_on, connection, [(request, found)]))
            return None if waits else self._end(request, found)
        if request.share is not None:
            request.give_back()
        return found

    def _end(self, request: Request, later: Later[Response]) -> Response:
        """The answer to a request whose wait is over."""
        try:
            response = later.answer()
        except Exception:
            return self._failed(request)
        request.give_back()
        return response

    def _failed(self, request: Request) -> Response:
        log.exception("REST request failed: %s", request.method)
        request.give_back()
        return page(500)

    def _go_on(self, connection: Connection, waited: list[tuple[Request, Later[Response]]]) -> None:
        """In the thread that ended a wait; the request is let go before its answer is sent."""

        def send() -> bool:
            """Send the answer; whether the connection goes on."""
            request, later = waited.pop()
            data, large = self._encoded(connection, request, self._end(request, later)), len(request.body) > LARGE_BYTES
            del request, later
            return self._send(connection, data, large)

        self._settle(connection, send)

    def _encoded(self, connection: Connection, request: Request, response: Response) -> bytes:
        """An answer as bytes, after which the connection may have to end."""
        keep_alive = request.keep_alive and not response.close and not self._acceptor.draining
        connection.closing = not keep_alive
        return encode(response, request, keep_alive=keep_alive)

    def _send(self, connection: Connection, data: bytes, large: bool) -> bool:
        """Write an answer; False while it waits to be written, or further requests wait for another thread."""
        written = connection.send(data)
        if large:
            release_free_memory()
        return written and (connection.in_turn or not connection.requests)


def encode(response: Response, request: Request | None, *, keep_alive: bool) -> bytes:
    """The answer as bytes; without a body when the request was ``HEAD``. ``request`` None = it could not be read."""
    head, old = (request.method == "HEAD", request.http_1_0) if request is not None else (False, False)
    kind = b"" if response.content_type is None else b"Content-Type: %b\r\n" % response.content_type
    return b"HTTP/1.1 %b\r\n%bDate: %b\r\nContent-Length: %d\r\n%b%b\r\n%b" % (
        STATUS_LINES[response.status],
        kind,
        _date(int(time.time())),
        len(response.body),
        (_CORS if response.cors else b"") + (_CHALLENGE if response.status == HTTPStatus.UNAUTHORIZED else b""),
        _CONNECTION[keep_alive, old],
        b"" if head else response.body,
    )


@functools.lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    """The Date header, made once a second."""
    return formatdate(second, usegmt=True).encode()
