"""Requests that no honest client sends: endless heads and tails, shapes for smuggling, names of other servers."""

import contextlib
import json

import pytest

from tests.e2e.security.attacked_server import BODY, CLOSE, PREDICT, STATUS, Attacked

pytestmark = pytest.mark.e2e

CHUNKED = PREDICT + b"Transfer-Encoding: chunked\r\n"
ONE_CHUNK = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
LENGTH = b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY


def endless(server: Attacked, start: bytes, piece: bytes, most: int = 20_000_000) -> int:
    """Send ``start`` and then ``piece`` for ever; bytes sent until the server had enough."""
    sent = 0
    with server.connect() as sock, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        sock.sendall(start)
        while sent < most:
            sock.sendall(piece)
            sent += len(piece)
        sock.settimeout(0.5)
        with contextlib.suppress(TimeoutError):
            assert sock.recv(100).startswith(b"HTTP/1.1 4"), "it was refused, and the rest read and dropped"
    return sent


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (CHUNKED + b"\r\n3\r\nabc\r\n0\r\n", b"".join(b"X-%d: %b\r\n" % (i, b"v" * 90) for i in range(500))),
        (CHUNKED + b"\r\n3\r\nabc\r\n0\r\nX: ", b"v" * 50_000),
        (CHUNKED + b"\r\n3\r\nabc\r\n0\r\n", b"v" * 50_000),
        (CHUNKED + b"\r\n3;", b"e" * 50_000),
        (CHUNKED + b"\r\n", b"1;" + b"e" * 5000 + b"\r\nx\r\n"),
        (PREDICT, b"".join(b"X-%d: %b\r\n" % (i, b"v" * 90) for i in range(500))),
        (PREDICT + b"X", b"x" * 50_000),
        (b"GET /", b"x" * 50_000),
        (b"", b"\r\n" * 25_000),
    ],
    ids=[
        "trailers", "a trailer", "a trailer's name", "an extension", "extensions", "headers", "a header's name",
        "a target", "empty lines",
    ],
)  # fmt: skip
def test_nothing_that_a_client_sends_is_without_limit(server: Attacked, start: bytes, piece: bytes) -> None:
    server.answers_well()
    before = server.memory_mb()
    assert endless(server, start, piece) > 0
    assert server.memory_mb() - before < 12, "20 MB were sent; what was kept is bounded"


@pytest.mark.parametrize("name", [b"Content-Encoding: gzip", b"Host: other.example", b"Expect: a-pony"])
def test_a_trailer_overrides_no_header(server: Attacked, name: bytes) -> None:
    [answer] = server.send(CHUNKED + CLOSE + b"\r\n" + ONE_CHUNK[:-2] + name + b"\r\n\r\n")
    assert (answer.status, json.loads(answer.body)) == (200, {"outputs": 3.0})


def test_a_body_in_pieces_of_two_bytes_costs_what_it_holds(server: Attacked) -> None:
    """Kept one by one, two million pieces would take 100 MB."""
    server.answers_well()
    before = server.memory_mb()
    with server.connect() as sock:
        sock.sendall(CHUNKED + b"\r\n" + b"2\r\n1,\r\n" * 2_000_000)
        sock.sendall(b"")
        assert server.memory_mb() - before < 40
    server.answers_well()


SHAPES = {
    "length and chunks": (PREDICT + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "two lengths": (PREDICT + b"Content-Length: 20\r\n" + LENGTH, 400),
    "a list of lengths": (PREDICT + b"Content-Length: 20, 20\r\n\r\n" + BODY, 400),
    "a signed length": (PREDICT + b"Content-Length: +20\r\n\r\n" + BODY, 400),
    "a length in hexadecimal": (PREDICT + b"Content-Length: 0x14\r\n\r\n" + BODY, 400),
    "gzip, chunked": (PREDICT + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + ONE_CHUNK, 501),
    "chunked, identity": (PREDICT + b"Transfer-Encoding: chunked, identity\r\n\r\n" + ONE_CHUNK, 400),
    "identity": (PREDICT + b"Transfer-Encoding: identity\r\n\r\n" + ONE_CHUNK, 501),
    "chunked twice": (CHUNKED + b"Transfer-Encoding: chunked\r\n\r\n" + ONE_CHUNK, 400),
    "a second coding": (CHUNKED + b"Transfer-Encoding: x\r\n\r\n" + ONE_CHUNK, 400),
    "a space before the colon": (PREDICT + b"Transfer-Encoding : chunked\r\n\r\n" + ONE_CHUNK, 400),
    "a vertical tab": (PREDICT + b"Transfer-Encoding: \x0bchunked\r\n\r\n" + ONE_CHUNK, 400),
    "chunks in HTTP/1.0": (CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\n" + ONE_CHUNK, 400),
    "a folded header": (STATUS + b"A: b\r\n c\r\n\r\n", 400),
    "line feeds alone": (STATUS.replace(b"\r\n", b"\n") + b"\n", 400),
    "a carriage return alone": (STATUS + b"A: b\rc\r\n\r\n", 400),
    "a zero byte": (STATUS + b"A: b\0c\r\n\r\n", 400),
    "a size of a chunk beyond 64 bits": (CHUNKED + b"\r\n" + b"f" * 17 + b"\r\n" + BODY, 400),
    "a chunk that goes on": (CHUNKED + b"\r\n14\r\n" + BODY + b"XX0\r\n\r\n", 400),
    "two hosts": (STATUS + b"Host: 127.0.0.1\r\n\r\n", 400),
    "no host": (b"GET /v1/models/m HTTP/1.1\r\n\r\n", 400),
    "HTTP/0.9": (STATUS.replace(b"HTTP/1.1", b"HTTP/0.9") + b"\r\n", 505),
    "a request line alone": (b"GET /v1/models/m\r\n\r\n", 505),
    "HTTP/2.0": (STATUS.replace(b"HTTP/1.1", b"HTTP/2.0") + b"\r\n", 505),
    "another expectation": (STATUS + b"Expect: a-pony\r\n\r\n", 417),
    "two expectations": (STATUS + b"Expect: 100-continue\r\nExpect: a-pony\r\n\r\n", 417),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_ambiguous_requests_are_refused_and_hung_up(server: Attacked, shape: str) -> None:
    """What stands behind such a request is never read as a request of its own."""
    data, status = SHAPES[shape]
    [answer] = server.send(data + STATUS + b"\r\n")
    assert (answer.status, answer.headers["connection"]) == (status, "close")


@pytest.mark.parametrize(
    "head", [b"TE: trailers, deflate;q=0.5\r\n", b"Expect: 100-Continue\r\n", b"Content-Length: 000\r\n"]
)
def test_odd_but_right_requests_are_answered(server: Attacked, head: bytes) -> None:
    assert server.status(STATUS + CLOSE + head + b"\r\n") == 200


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        (b"/v1/models/m", b"127.0.0.1:8501", 200),
        (b"/v1/models/m", b"localhost", 200),
        (b"/v1/models/m", b"LocalHost.:1", 200),
        (b"/v1/models/m", b"[::1]:8501", 200),
        (b"/v1/models/m", b"rebound.example", 421),
        (b"/v1/models/m:predict", b"rebound.example", 421),
        (b"/monitoring/prometheus/metrics", b"rebound.example", 421),
        (b"/v1/health/ready", b"rebound.example", 421),
        (b"/v1/models/m", b"127.0.0.1.rebound.example", 421),
        (b"/v1/models/m", b"localhost.rebound.example", 421),
        (b"/v1/models/m", b"127.0.0.1/@rebound.example", 400),
        (b"/v1/models/m", b"a b", 400),
        (b"http://rebound.example/v1/models/m", b"127.0.0.1", 421),
        (b"http://127.0.0.1/v1/models/m", b"rebound.example", 200),
        (b"HTTP://LOCALHOST:1/v1/models/m", b"rebound.example", 200),
        (b"http://127.0.0.1@rebound.example/v1/models/m", b"127.0.0.1", 400),
        (b"http://rebound.example?/v1/models/m", b"127.0.0.1", 421),
        (b"ftp://127.0.0.1/v1/models/m", b"127.0.0.1", 400),
        (b"*", b"127.0.0.1", 400),
    ],
)
def test_only_requests_for_this_server_are_answered(server: Attacked, target: bytes, host: bytes, status: int) -> None:
    """A page whose name was made to lead to 127.0.0.1 sends its own name as ``Host``."""
    assert server.status(b"GET %b HTTP/1.1\r\nHost: %b\r\n" % (target, host) + CLOSE + b"\r\n") == status


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (b"/v1/models/m/versions/" + b"0" * 50_000 + b"1", 200),
        (b"/v1/models/m/versions/" + b"0" * 50_000, 404),
        (b"/v1/models/m/versions/" + b"9" * 50_000, 400),
        (b"/v1/models/m/versions/9223372036854775808", 400),
        (b"/v1/models/m/versions/-1", 400),
        (b"/v1/models/" + b"n" * 50_000, 404),
        (b"/v1/models/" + b"%41" * 20_000, 404),
        (b"/v1/models/m/labels/" + b"l" * 50_000 + b"/metadata", 400),
        (b"/v1/other/" + b"n" * 50_000, 400),
        (b"/monitoring/prometheus/metrics?" + b"n" * 50_000, 400),
    ],
    ids=lambda value: value[:40].decode() if isinstance(value, bytes) else None,
)
def test_huge_names_and_numbers_are_not_echoed(server: Attacked, path: bytes, status: int) -> None:
    [answer] = server.send(b"GET %b HTTP/1.1\r\nHost: localhost\r\n" % path + CLOSE + b"\r\n")
    assert answer.status == status
    assert len(answer.body) < 8300
    assert max(map(len, server.metrics().splitlines())) < 1000, "nor kept as a label of a metric"


def test_offers_of_another_protocol_in_a_row(server: Attacked) -> None:
    """Each was read anew inside the last one; five hundred in one piece ended the connection."""
    offer = STATUS + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    answers = server.send(offer * 1500 + STATUS + CLOSE + b"\r\n")
    assert [answer.status for answer in answers] == [200] * 1501
