"""HTTP messages: what a request holds, and an answer as bytes."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

from kilnworks.components.serving.batching.turns import stay
from kilnworks.components.serving.rest.budget import Share

JSON = b"application/json"
TEXT = b"text/plain"
HTML = b"text/html"

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
_REASONS = {status.value: status.phrase for status in HTTPStatus} | {499: "Client Closed Request"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        method: e.g. ``GET``.
        target: path with query, as sent (still %-encoded).
        headers: by lower-case name, without trailers.
        body: as sent (maybe compressed).
        keep_alive: whether the client goes on using the connection.
        http_1_0: the client speaks HTTP/1.0, where keeping a connection is said aloud.
        share: what the body holds of the memory for all bodies; None = it is not counted.
        step_back: called before work that may take long: another thread takes the next requests.
    """

    method: str
    target: str
    headers: dict[bytes, bytes]
    body: bytes
    keep_alive: bool
    http_1_0: bool = False
    share: Share | None = None
    step_back: Callable[[], None] = stay

    def give_back(self) -> None:
        """Return what the body holds of the memory for all bodies."""
        if self.share is not None:
            self.share.give_back()


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. ``cors`` adds the headers that let a browser page of another origin read it; an answer 401 always
    says that a bearer token is wanted (RFC 9110, 11.6.1).
    """

    status: int
    body: bytes
    content_type: bytes | None = JSON
    cors: bool = False
    close: bool = False


def encode(response: Response, request: Request | None, *, keep_alive: bool) -> bytes:
    """The answer as bytes; without a body when the request was ``HEAD``. ``request`` None = it could not be read."""
    head, old = (request.method == "HEAD", request.http_1_0) if request is not None else (False, False)
    kind = b"" if response.content_type is None else b"Content-Type: %b\r\n" % response.content_type
    return b"HTTP/1.1 %b\r\n%bDate: %b\r\nContent-Length: %d\r\n%b%b\r\n%b" % (
        _status_line(response.status),
        kind,
        _date(),
        len(response.body),
        (_CORS if response.cors else b"") + (_CHALLENGE if response.status == HTTPStatus.UNAUTHORIZED else b""),
        _CONNECTION[keep_alive, old],
        b"" if head else response.body,
    )


def page(status: int) -> Response:
    """The HTML page of an error that never reached the API; the connection is closed behind it."""
    line = _status_line(status).decode()
    reason = line.partition(" ")[2]
    text = f"<HTML><HEAD>\n<TITLE>{line}</TITLE>\n</HEAD><BODY>\n<H1>{reason}</H1>\n</BODY></HTML>\n"
    return Response(status, text.encode(), HTML, close=True)


def _status_line(status: int) -> bytes:
    return b"%d %b" % (status, _REASONS.get(status, "Unknown").encode())


class _DateCache:
    """The Date header, made once a second."""

    second = 0
    text = b""


def _date() -> bytes:
    now = int(time.time())
    if now != _DateCache.second:
        _DateCache.text = formatdate(now, usegmt=True).encode()
        _DateCache.second = now
    return _DateCache.text
