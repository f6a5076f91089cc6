"""Bytes of a connection -> requests, within the limits; HTTP itself is read by httptools (llhttp)."""

import contextlib
from collections import deque
from collections.abc import Callable

import httptools

from kilnworks.components.serving.rest import head_rules
from kilnworks.components.serving.rest.budget import BodyBudget, Share
from kilnworks.components.serving.rest.limits import Limits
from kilnworks.components.serving.rest.messages import Request

_LARGE = 64 * 1024
"""Bodies above this many bytes are counted against the common budget."""
_SMALL_PIECE = 4096
"""Pieces of a body below this many bytes are put together at once: each would cost more than it holds."""
_CHUNK_FRAME = 24
"""Bytes that a chunk needs for its size and line ends; what is written beyond them counts like headers."""


class RequestReader:
    """Reads the requests of one connection. Used by one thread at a time.

    Whatever a client sends is counted: the body, and as headers all that is not the body (request line, headers,
    extensions of chunks, trailers, empty lines between requests). Trailers are counted and dropped.

    Attributes:
        requests: complete requests that wait to be answered; who answers one gives its ``share`` back.
        refused: HTTP status to answer with before closing, once something was wrong; 0 while all is well.
        expects_continue: the client waits for ``100 Continue`` before it sends the body.
        in_headers, in_body: a request has begun and its headers, or its body, are not complete.
    """

    def __init__(self, limits: Limits, budget: BodyBudget, step_back: Callable[[], None]) -> None:
        self._step_back = step_back
        self.requests: deque[Request] = deque()
        self.refused = 0
        self.expects_continue = False
        self.in_headers = self.in_body = False
        self._limits, self._budget = limits, budget
        self._parser = httptools.HttpRequestParser(self)
        self._share = Share(budget)
        self._headers: dict[bytes, bytes] = {}
        self._chunks: list[bytes | bytearray] = []
        self._begun = self._of_bodies = 0
        self._begin()

    def feed(self, data: bytes) -> None:
        """Take bytes from the socket; afterwards look at ``requests`` and ``refused``."""
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
            self.release()

    def release(self) -> None:
        """Let go of a body that will not be answered."""
        self._chunks.clear()
        self._share.give_back()

    def close(self) -> None:
        """Let go of everything; nothing is read afterwards. A second call does nothing."""
        self.release()
        for request in self.requests:
            request.give_back()
        self.requests.clear()
        with contextlib.suppress(AttributeError):
            del self._parser

    def on_message_begin(self) -> None:
        """httptools: a request line begins."""
        self._begin()
        self._begun += 1
        self.in_headers = True

    def on_url(self, url: bytes) -> None:
        """httptools: the target, in one or more pieces."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: one header, or behind the body one trailer."""
        self._size_of_headers += len(name) + len(value) + 4
        if self._size_of_headers > self._limits.header_bytes:
            self.refused = self.refused or 431
        elif not self.in_body:
            self._keep(name.lower(), value or b"")

    def on_headers_complete(self) -> None:
        """httptools: the body begins."""
        self.in_headers, self.in_body = False, True
        if self._size_of_headers + len(self._target) > self._limits.header_bytes:
            self.refused = self.refused or 431
        version = self._parser.get_http_version()
        self.refused = self.refused or head_rules.refusal(version, self._headers)
        length = self._headers.get(b"content-length", b"")
        if length.isdigit() and int(length.lstrip(b"0")[:20] or b"0") > self._limits.body_bytes:
            self.refused = self.refused or 413
        self.expects_continue = not self.refused and head_rules.expects_continue(version, self._headers)

    def on_chunk_header(self) -> None:
        """httptools: a chunk of the body begins."""
        self._frames += 1

    def on_body(self, data: bytes) -> None:
        """httptools: a piece of the body."""
        self._of_bodies += len(data)
        if self.refused:
            return
        self._append(data)
        self._size += len(data)
        self.expects_continue = False
        if self._size > self._limits.body_bytes:
            self.refused = 413
        elif self._size > _LARGE and not self._share.take(self._size - self._share.taken):
            self.refused = 503

    def on_message_complete(self) -> None:
        """httptools: a request is complete."""
        self.in_body = False
        self.expects_continue = False
        if self.refused:
            return
        method = self._parser.get_method().decode("ascii")
        target = self._target.decode("utf-8", "surrogateescape")
        chunks = self._chunks
        body = chunks[0] if len(chunks) == 1 and isinstance(chunks[0], bytes) else b"".join(chunks)
        keep_alive, old = self._parser.should_keep_alive(), self._parser.get_http_version() == "1.0"
        share, self._share = self._share, Share(self._budget)
        self._chunks = []
        told = self._headers
        self.requests.append(Request(method, target, told, body, keep_alive, old, share, self._step_back))

    def _keep(self, name: bytes, value: bytes) -> None:
        """Note a header; of a repeated one that holds no list the last line counts."""
        if name in self._headers:
            if name in head_rules.ONCE:
                self.refused = self.refused or 400
            elif name in head_rules.LISTS:
                value = self._headers[name] + b", " + value
        self._headers[name] = value

    def _append(self, data: bytes) -> None:
        chunks = self._chunks
        if not chunks or len(data) >= _SMALL_PIECE:
            chunks.append(data)
        elif isinstance(chunks[-1], bytearray):
            chunks[-1] += data
        else:
            chunks.append(bytearray(data))

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
        kept = (b"%b: %b\r\n" % h for h in self._headers.items() if h[0] not in (b"upgrade", b"connection"))
        head = b"%b %b HTTP/1.1\r\n%b\r\n" % (method, self._target, b"".join(kept))
        self._parser = httptools.HttpRequestParser(self)
        self._begun -= 1
        self._parser.feed_data(head)
        return True

    def _begin(self) -> None:
        self._target = b""
        self._headers = {}
        self._chunks = []
        self._size = self._size_of_headers = 0
        self._beside_body = self._frames = 0
