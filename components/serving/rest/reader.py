"""Bytes of a connection -> requests, within the limits; HTTP itself is read by httptools (llhttp)."""

import contextlib
import threading
from collections import deque

import httptools

from components.serving.rest.limits import Limits
from components.serving.rest.messages import Request

_LARGE = 1024 * 1024
"""Bodies above this many bytes are counted against the common budget."""


class BodyBudget:
    """Bytes of large bodies that wait in all connections together."""

    def __init__(self, limit: int) -> None:
        self.limit, self.used = limit, 0
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Reserve ``size`` bytes; False when that would be too many."""
        with self._lock:
            if self.used + size > self.limit:
                return False
            self.used += size
            return True

    def give(self, size: int) -> None:
        """Return what was taken."""
        with self._lock:
            self.used -= size


class RequestReader:
    """Reads the requests of one connection. Used by one thread at a time.

    Attributes:
        requests: complete requests that wait to be answered.
        refused: HTTP status to answer with before closing, once something was wrong; 0 while all is well.
        expects_continue: the client waits for ``100 Continue`` before it sends the body.
        in_headers, in_body: a request has begun and its headers, or its body, are not complete.
    """

    def __init__(self, limits: Limits, budget: BodyBudget) -> None:
        self.requests: deque[Request] = deque()
        self.refused = 0
        self.expects_continue = False
        self.in_headers = self.in_body = False
        self._limits, self._budget = limits, budget
        self._parser = httptools.HttpRequestParser(self)
        self._taken = 0
        self._header_bytes = 0
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._chunks: list[bytes] = []
        self._size = self._size_of_headers = 0

    def feed(self, data: bytes) -> None:
        """Take bytes from the socket; afterwards look at ``requests`` and ``refused``."""
        if self.refused:
            return
        if not self.in_body:
            self.in_headers = True
        before = len(self.requests)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.refused = self.refused or 400
        if self.in_headers:
            if len(self.requests) == before:  # else most are bytes of whole requests; a header's first piece is free
                self._header_bytes += len(data)
            if self._header_bytes > self._limits.header_bytes:
                self.refused = self.refused or 431
        if self.refused:
            self.release()

    def release(self) -> None:
        """Let go of a body that will not be answered."""
        self._chunks.clear()
        self._give_back()

    def close(self) -> None:
        """Let go of everything; nothing is read afterwards. A second call does nothing."""
        self.release()
        self.requests.clear()
        with contextlib.suppress(AttributeError):
            del self._parser

    def on_message_begin(self) -> None:
        """httptools: a request line begins."""
        self._begin()
        self.in_headers = True

    def on_url(self, url: bytes) -> None:
        """httptools: the target, in one or more pieces."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: one header."""
        self._headers[name.lower()] = value or b""
        self._size_of_headers += len(name) + len(value) + 4

    def on_headers_complete(self) -> None:
        """httptools: the body begins."""
        self.in_headers, self.in_body = False, True
        self._header_bytes = 0
        if self._size_of_headers + len(self._target) > self._limits.header_bytes:
            self.refused = 431
        length = self._headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self._limits.body_bytes:
            self.refused = self.refused or 413
        self.expects_continue = self._headers.get(b"expect", b"").lower() == b"100-continue" and not self.refused

    def on_body(self, data: bytes) -> None:
        """httptools: a piece of the body."""
        if self.refused:
            return
        self._chunks.append(data)
        self._size += len(data)
        self.expects_continue = False
        if self._size > self._limits.body_bytes:
            self.refused = 413
        elif self._size > _LARGE and not self._charge():
            self.refused = 503

    def on_message_complete(self) -> None:
        """httptools: a request is complete."""
        self.in_body = False
        self.expects_continue = False
        if self.refused:
            return
        method = self._parser.get_method().decode("ascii")
        target = self._target.decode("utf-8", "surrogateescape")
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        keep_alive, old = self._parser.should_keep_alive(), self._parser.get_http_version() == "1.0"
        self._chunks = []
        self.requests.append(Request(method, target, self._headers, body, keep_alive, old))
        self._give_back()

    def _ignore_upgrade(self, rest: bytes) -> None:
        """Read the request again as if it did not offer another protocol; ``rest`` are the bytes behind its headers."""
        method = self._parser.get_method()
        if method == b"CONNECT" or not self.requests:
            self.refused = self.refused or 501
            return
        self.requests.pop()
        kept = (b"%b: %b\r\n" % h for h in self._headers.items() if h[0] not in (b"upgrade", b"connection"))
        head = b"%b %b HTTP/1.1\r\n%b\r\n" % (method, self._target, b"".join(kept))
        self._parser = httptools.HttpRequestParser(self)
        self.feed(head + rest)

    def _begin(self) -> None:
        self._target = b""
        self._headers = {}
        self._chunks = []
        self._size = self._size_of_headers = 0

    def _charge(self) -> bool:
        """Reserve what the body has grown by."""
        grown = self._size - self._taken
        if not self._budget.take(grown):
            return False
        self._taken += grown
        return True

    def _give_back(self) -> None:
        if self._taken:
            self._budget.give(self._taken)
            self._taken = 0
