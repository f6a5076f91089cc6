"""Bytes of one client -> requests, and what their bodies hold of the memory for all bodies."""

import gzip
import socket
from collections.abc import Iterator

import pytest

from kilnworks.components.serving.errors import ServingError
from kilnworks.components.serving.rest.budget import BodyBudget
from kilnworks.components.serving.rest.connection import Connection
from kilnworks.components.serving.rest.limits import Limits
from kilnworks.components.serving.rest.unpack import Unpacking

LIMITS = Limits(body_bytes=200_000, waiting_body_bytes=300_000)


@pytest.fixture
def budget() -> BodyBudget:
    return BodyBudget(LIMITS.waiting_body_bytes)


@pytest.fixture
def connection(budget: BodyBudget) -> Iterator[Connection]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        made = Connection(ours, LIMITS, budget, lambda: None)
        yield made
        made.close()


def post(body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST /x HTTP/1.1", b"Host: a", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@pytest.mark.parametrize("size", [1, 7, 1000, 200_000])
def test_pieces_of_any_size_are_one_body(connection: Connection, budget: BodyBudget, size: int) -> None:
    body = bytes(range(256)) * (4 if size == 1 else 400)
    data = post(body)
    for at in range(0, len(data), size):
        connection.feed(data[at : at + size])
    assert connection.refused == 0
    (request,) = connection.requests
    assert (request.body, request.headers[b"host"], request.keep_alive) == (body, b"a", True)
    assert budget.used == (len(body) if len(body) > 64 * 1024 else 0)
    request.give_back()
    assert budget.used == 0


def test_requests_behind_one_another_have_bodies_of_their_own(connection: Connection) -> None:
    connection.feed(post(b"one") + post(b"") + post(b"three"))
    assert [request.body for request in connection.requests] == [b"one", b"", b"three"]


def test_a_connection_with_requests_to_answer_is_not_idle(connection: Connection) -> None:
    assert connection.idle
    connection.feed(post(b"one") + post(b"two"))
    connection.requests.popleft()
    assert not connection.idle, "it would be ended when others need its place, or the server stops"
    connection.requests.popleft()
    assert connection.idle


def test_large_bodies_of_all_connections_are_counted_together(connection: Connection, budget: BodyBudget) -> None:
    connection.feed(post(bytes(180_000)))
    assert (connection.refused, budget.used) == (0, 180_000)
    connection.feed(post(bytes(180_000)))
    assert connection.refused == 503
    connection.close()
    assert budget.used == 0


def test_a_small_gzip_body_is_counted_as_it_unpacks(connection: Connection, budget: BodyBudget) -> None:
    packed = gzip.compress(bytes(150_000))
    for _ in range(3):
        connection.feed(post(packed, b"Content-Encoding: gzip"))
    first, second, third = connection.requests
    assert budget.used == 0
    assert len(Unpacking(first, LIMITS).body() or b"") == 150_000
    assert len(Unpacking(second, LIMITS).body() or b"") == 150_000
    with pytest.raises(ServingError, match="take all memory"):
        Unpacking(third, LIMITS).body()
    for request in (first, second, third):
        request.give_back()
    assert budget.used == 0


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", 0),
        (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 300000\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nContent-Length: 3\r\n\r\n", 417),
        (b"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\nContent-Length: 3\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
    ],
)
def test_heads_that_rules_speak_of(connection: Connection, head: bytes, status: int) -> None:
    connection.feed(head)
    assert connection.refused == status
    assert connection.expects_continue == (status == 0)
