"""HTTP messages as values: what a request holds, what an answer says, and the answers to errors."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from kilnworks.components.serving.batching.turns import stay
from kilnworks.components.serving.errors import Busy, Code, ServingError, TooLarge
from kilnworks.components.serving.rest.budget import Share

JSON = b"application/json"
TEXT = b"text/plain"
HTML = b"text/html"

STATUS_LINES = {status.value: f"{status.value} {status.phrase}".encode() for status in HTTPStatus} | {
    499: b"499 Client Closed Request"
}
HTTP_STATUS: dict[Code, int] = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}


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


def page(status: int) -> Response:
    """The HTML page of an error that never reached the API; the connection is closed behind it."""
    line = STATUS_LINES[status].decode()
    reason = line.partition(" ")[2]
    text = f"<HTML><HEAD>\n<TITLE>{line}</TITLE>\n</HEAD><BODY>\n<H1>{reason}</H1>\n</BODY></HTML>\n"
    return Response(status, text.encode(), HTML, close=True)


def status_of(error: ServingError) -> int:
    """The HTTP status of an error of the API."""
    if isinstance(error, Busy):
        return 503
    return 413 if isinstance(error, TooLarge) else HTTP_STATUS[error.code]
