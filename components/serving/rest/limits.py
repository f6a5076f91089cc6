"""What one client may cost: sizes, counts and times."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of the REST server.

    Attributes:
        header_bytes: request line and headers together; more is answered with 431.
        body_bytes: body of a request, also after uncompressing; more is answered with 413.
        waiting_body_bytes: large bodies of all connections together; beyond it new ones are answered with 503.
        unpack_ratio: bytes that one byte of gzip may stand for; more is answered with 413.
        unpack_free_bytes: that any gzip body may unpack to.
        connections: open at once; beyond it the longest idle ones are closed.
        header_seconds: from the first byte of a request to the end of its headers.
        stall_seconds: without a byte while a body is read or an answer is written.
        idle_seconds: between two requests on one connection.
    """

    header_bytes: int = 64 * 1024
    body_bytes: int = 512 * 1024 * 1024
    waiting_body_bytes: int = 2 * 1024 * 1024 * 1024
    unpack_ratio: int = 100
    unpack_free_bytes: int = 8 * 1024 * 1024
    connections: int = 16_384
    header_seconds: float = 20.0
    stall_seconds: float = 30.0
    idle_seconds: float = 120.0
