"""What RFC 9110 and RFC 9112 ask of the head of a request, beyond what llhttp refuses by itself."""

from collections.abc import Mapping

LISTS = frozenset({b"content-encoding", b"expect", b"transfer-encoding"})
"""Headers that may come in several lines, which then count as one list."""
ONCE = frozenset({b"host", b"content-length", b"authorization"})
"""Headers of which a second line makes the request ambiguous."""
RULED = frozenset({b"expect", b"transfer-encoding"})
"""A request of HTTP/1.1 without any of these headers breaks no rule of these."""

_VERSIONS = ("1.0", "1.1")
_CONTINUE = b"100-continue"


def refusal(version: str, headers: Mapping[bytes, bytes]) -> int:
    """HTTP status with which a head is refused; 0 when it is well formed.

    Args:
        version: e.g. ``1.1``.
        headers: by lower-case name.
    """
    if version not in _VERSIONS:
        return 505
    coding = headers.get(b"transfer-encoding")
    if coding is not None:
        if version == "1.0":
            return 400
        if coding.strip().lower() != b"chunked":
            return 501
    if version == "1.1" and _expectations(headers) - {_CONTINUE}:
        return 417
    return 0


def expects_continue(version: str, headers: Mapping[bytes, bytes]) -> bool:
    """Whether the client waits for ``100 Continue`` before it sends the body; one of HTTP/1.0 never does."""
    return version == "1.1" and _CONTINUE in _expectations(headers)


def _expectations(headers: Mapping[bytes, bytes]) -> set[bytes]:
    return {part.strip() for part in headers.get(b"expect", b"").lower().split(b",")} - {b""}


def without_upgrade(method: bytes, target: bytes, headers: Mapping[bytes, bytes]) -> bytes:
    """The head of a request as if it did not offer another protocol (RFC 9110, 7.8)."""
    kept = (b"%b: %b\r\n" % header for header in headers.items() if header[0] not in (b"upgrade", b"connection"))
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, b"".join(kept))
