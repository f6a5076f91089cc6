"""One client's connection: its socket, which never blocks, and the requests that its bytes hold, within the limits.

HTTP itself is read by httptools (llhttp), which calls the methods ``on_...``. Whatever a client sends is counted: the
body, and as headers all that is not the body (request line, headers, extensions of chunks, trailers, empty lines
between requests). Trailers are counted and dropped.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable

import httptools

from kilnworks.components.serving.rest import head_rules
from kilnworks.components.serving.rest.budget import BodyBudget, Share
from kilnworks.components.serving.rest.limits import Limits
from kilnworks.components.serving.rest.messages import Request

CHUNK = 256 * 1024
"""Bytes read at once."""
LINGER_SECONDS = 2.0
"""How long bytes are read and dropped after a refusal, so that the client gets to see the answer."""
_NOTHING = memoryview(b"")
_LARGE = 64 * 1024
"""Bodies above this many bytes are counted against the common budget."""
_CHUNK_FRAME = 24
"""Bytes that a chunk needs for its size and line ends; what is written beyond them counts like headers."""


class Connection:
    """State of one connection. One thread at a time works on it (``busy``); the caretaker only looks at it.

    Attributes:
        requests: complete requests that wait to be answered; who answers one gives back its share of the budget.
        refused: HTTP status to answer with before closing, once something was wrong; 0 while all is well.
        expects_continue: the client waits for ``100 Continue`` before it sends the body.
        in_headers, in_body: a request has begun and its headers, or its body, are not complete.
        busy: a worker has it.
        turn_of: the worker's thread while it handles the event that brought it; another goes on after a batch.
        deadline: monotonic seconds after which the caretaker ends it.
        ended: somebody ended it; the next worker that gets it closes it.
        closing: close once everything is written.
        lingering: the answer is written and our side closed; what still comes in is dropped.
        wants_write: TLS must write before it can go on reading.
        drained: the last read took all that there was.
    """

    def __init__(
        self, connected: socket.socket, limits: Limits, budget: BodyBudget, step_back: Callable[[], None]
    ) -> None:
        self.socket, self.fd = connected, connected.fileno()
        self._limits, self._budget, self._step_back = limits, budget, step_back
        self._tls = isinstance(connected, ssl.SSLSocket)
        self._pending = _NOTHING
        self.busy = self.closing = self.lingering = self.wants_write = self.drained = self.ended = False
        self.turn_of: int | None = None
        self.deadline = time.monotonic() + limits.header_seconds
        self.requests: deque[Request] = deque()
        self.refused = 0
        self.expects_continue = self.in_headers = self.in_body = False
        self._parser = httptools.HttpRequestParser(self)
        self._share: Share | None = None
        self._body = bytearray()
        self._begun = self._of_bodies = 0
        self._begin()

    @property
    def idle(self) -> bool:
        """Whether nothing has begun: no request half read or not answered, no answer half written."""
        begun = self._pending or self.in_headers or self.in_body or self.requests
        return not (self.ended or self.busy or begun)

    @property
    def in_turn(self) -> bool:
        """Whether this thread got the connection by an event; else it has other requests of a batch to answer."""
        return self.turn_of == threading.get_ident()

    def receive(self) -> bytes | None:
        """What has come in: nothing at the end, None while there is nothing yet."""
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
        elif self._pending or self.in_body:
            self.deadline = now + limits.stall_seconds
        elif self.in_headers:
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
        """Free everything. A second call does nothing."""
        self._pending = _NOTHING
        self._let_go()
        for request in self.requests:
            request.give_back()
        self.requests.clear()
        with contextlib.suppress(AttributeError):
            del self._parser
        self.socket.close()

    def feed(self, data: bytes) -> None:
        """Read what came in; afterwards look at ``requests`` and ``refused``."""
        if self.refused:
            return
        idle = not (self.in_headers or self.in_body)
        if idle:
            self._beside_body = self._frames = 0
        if not self.in_body:
            self.in_headers = True
        before = len(self.requests)
        self._begun = self._of_bodies = 0
        try:
            self._parse(data)
        except httptools.HttpParserError:
            self.refused = self.refused or 400
        if self._begun == 0 or (self._begun == 1 and idle):  # else these are bytes of several requests
            self._count_beside_body(len(data) - self._of_bodies, len(self.requests) > before)
        if self.refused:
            self._let_go()

    def on_message_begin(self) -> None:
        """httptools: a request line begins."""
        self._begin()
        self._begun += 1
        self.in_headers = True

    def on_url(self, url: bytes) -> None:
        """httptools: the target, in one or more pieces."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: one header, or behind the body one trailer. Of a repeated one that is no list the last counts."""
        self._size_of_headers += len(name) + len(value) + 4
        if self._size_of_headers > self._limits.header_bytes:
            self.refused = self.refused or 431
        if self.refused or self.in_body:
            return
        name = name.lower()
        if name in self._headers:
            if name in head_rules.ONCE:
                self.refused = 400
            elif name in head_rules.LISTS:
                value = self._headers[name] + b", " + value
        self._headers[name] = value

    def on_headers_complete(self) -> None:
        """httptools: the body begins."""
        self.in_headers, self.in_body = False, True
        if self._size_of_headers + len(self._target) > self._limits.header_bytes:
            self.refused = self.refused or 431
        version, headers = self._parser.get_http_version(), self._headers
        if version != "1.1" or not head_rules.RULED.isdisjoint(headers):
            self.refused = self.refused or head_rules.refusal(version, headers)
            self.expects_continue = not self.refused and head_rules.expects_continue(version, headers)
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length.lstrip(b"0")[:20] or b"0") > self._limits.body_bytes:
            self.refused, self.expects_continue = self.refused or 413, False

    def on_chunk_header(self) -> None:
        """httptools: a chunk of the body begins."""
        self._frames += 1

    def on_body(self, data: bytes) -> None:
        """httptools: a piece of the body."""
        self._of_bodies += len(data)
        if self.refused:
            return
        self._body += data
        size = len(self._body)
        self.expects_continue = False
        if size > self._limits.body_bytes:
            self.refused = 413
        elif size > _LARGE:
            self._share = self._share or Share(self._budget)
            if not self._share.take(size - self._share.taken):
                self.refused = 503

    def on_message_complete(self) -> None:
        """httptools: a request is complete."""
        self.in_body = self.expects_continue = False
        if self.refused:
            return
        method, target = self._parser.get_method().decode("ascii"), self._target.decode("utf-8", "surrogateescape")
        body, self._body = bytes(self._body), bytearray()
        keep_alive, old = self._parser.should_keep_alive(), self._parser.get_http_version() == "1.0"
        share, self._share = self._share, None
        if share is None and b"content-encoding" in self._headers:
            share = Share(self._budget)  # for what it unpacks to
        self.requests.append(Request(method, target, self._headers, body, keep_alive, old, share, self._step_back))

    def _begin(self) -> None:
        self._target, self._body = b"", bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._size_of_headers = self._beside_body = self._frames = 0

    def _let_go(self) -> None:
        """Let go of a body that will not be answered."""
        self._body = bytearray()
        if self._share is not None:
            self._share.give_back()

    def _count_beside_body(self, size: int, complete: bool) -> None:
        """Count bytes that are no body of the request at hand; too many refuse it, even if it is ``complete``."""
        self._beside_body += size
        if self._beside_body > self._limits.header_bytes + self._frames * _CHUNK_FRAME:
            self.refused = self.refused or 431
            if complete:
                self.requests.pop().give_back()

    def _parse(self, data: bytes) -> None:
        """Have httptools read ``data``; an offer of another protocol is ignored (RFC 9110, 7.8)."""
        rest = memoryview(data)
        while rest:
            try:
                self._parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as upgrade:
                rest = rest[upgrade.args[0] :]
                if not self._ignore_upgrade():
                    return

    def _ignore_upgrade(self) -> bool:
        """Read the head of the request again as if it did not offer another protocol; False when it insists."""
        method = self._parser.get_method()
        if self.requests:
            self.requests.pop().give_back()
        elif not self.refused:
            self.refused = 501
        if method == b"CONNECT":
            self.refused = self.refused or 501
        if self.refused:
            return False
        head = head_rules.without_upgrade(method, self._target, self._headers)
        self._parser = httptools.HttpRequestParser(self)
        self._begun -= 1
        self._parser.feed_data(head)
        return True
