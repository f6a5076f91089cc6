"""The HTTP server on real sockets: keep-alive, pipelines, chunks, and what is not a request."""

import http.client
import json
import re
import socket
from collections.abc import Iterator

import pytest

from kilnworks.components.serving.rest.server import HttpServer
from tests.e2e.serving.echo_server import LIMITS, answers_well, connect, echo, exchange, listening, read_all

pytestmark = pytest.mark.e2e


@pytest.fixture
def server() -> Iterator[HttpServer]:
    running = HttpServer(listening(), echo, threads=4, limits=LIMITS)
    yield running
    running.stop(1.0)


def test_many_requests_on_one_connection(server: HttpServer) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    for size in (0, 1, 70_000, 3_000_000, 5):
        client.request("POST", f"/{size}", b"a" * size)
        found = client.getresponse()
        assert found.getheader("Content-Type") == "application/json"
        assert found.getheader("Date", "").endswith("GMT")
        assert json.loads(found.read()) == {"method": "POST", "target": f"/{size}", "size": size}
    client.close()


def test_pipelined_requests_are_answered_in_order(server: HttpServer) -> None:
    requests = [b"POST /%d HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc" % i for i in range(50)]
    answer = exchange(server, b"".join(requests) + b"GET /last HTTP/1.1\r\nConnection: close\r\n\r\n")
    targets = [json.loads(part.split(b"\r\n\r\n")[1])["target"] for part in answer.split(b"HTTP/1.1 200 OK")[1:]]
    assert targets == [f"/{i}" for i in range(50)] + ["/last"]


def test_thousands_of_pipelined_requests_are_not_taken_for_a_long_header(server: HttpServer) -> None:
    """A piece of 256 kB that ends within a request holds the headers of many."""
    requests = [b"POST /%d HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc" % i for i in range(20_000)]
    answer = exchange(server, b"".join(requests) + b"GET /last HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert answer.count(b"HTTP/1.1 200 OK") == 20_001


def test_a_request_in_single_bytes(server: HttpServer) -> None:
    with connect(server) as sock:
        for byte in b"POST /x HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nab":
            sock.sendall(bytes([byte]))
        assert b'"size": 2' in read_all(sock)


def test_chunked_bodies(server: HttpServer) -> None:
    head = b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    assert b'"size": 8' in exchange(server, head + b"3\r\nabc\r\n5\r\n12345\r\n0\r\n\r\n")
    assert b" 400 " in exchange(server, head + b"zz\r\nabc")
    huge = b"".join(b"100000\r\n" + b"a" * 0x100000 + b"\r\n" for _ in range(6))
    assert b" 413 " in exchange(server, head + huge)
    answers_well(server)


def test_expect_continue(server: HttpServer) -> None:
    with connect(server) as sock:
        sock.sendall(b"POST /x HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abc")
        assert b'"size": 3' in read_all(sock)


def test_an_offer_of_another_protocol_is_ignored(server: HttpServer) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
    with connect(server) as sock:
        sock.sendall(b"POST /x HTTP/1.1\r\nContent-Length: 3\r\n" + offer + b"\r\nabc")
        assert b'"size": 3' in sock.recv(4096)
        sock.sendall(b"GET /y HTTP/1.1\r\n" + offer + b"\r\n")
        assert b'"target": "/y"' in sock.recv(4096)
    assert b" 501 " in exchange(server, b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b" 400 " in exchange(server, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")


def test_head_and_http_1_0(server: HttpServer) -> None:
    head = exchange(server, b"HEAD /x HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert b"Content-Length: 45" in head and head.endswith(b"\r\n\r\n")
    assert b"Connection: close" in exchange(server, b"GET /x HTTP/1.0\r\n\r\n")
    with connect(server) as old:
        for _ in range(2):
            old.sendall(b"GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert b"Connection: keep-alive" in old.recv(4096)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400"),
        (b"GET\r\n\r\n", b"400"),
        (b"GET /x HTTP/9.9\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\nA: " + b"b" * 20_000 + b"\r\n\r\n", b"431"),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 3000, b"431"),
        (b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nA b: c\r\n\r\n", b"400"),
    ],
)
def test_what_is_not_a_request_is_refused_and_hung_up(server: HttpServer, data: bytes, status: bytes) -> None:
    answer = exchange(server, data)
    assert answer.startswith(b"HTTP/1.1 " + status), answer[:100]
    assert b"Connection: close" in answer
    answers_well(server)


def test_random_bytes(server: HttpServer) -> None:
    import random

    chance = random.Random(0)
    for _ in range(200):
        data = chance.randbytes(chance.randrange(1, 300))
        if chance.random() < 0.5:
            data = b"POST /x HTTP/1.1\r\n" + data
        with connect(server) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            answer = read_all(sock)
        assert answer == b"" or re.match(rb"HTTP/1\.1 [45]\d\d ", answer), (data, answer[:100])
    answers_well(server)


def test_an_application_that_fails_answers_500(server: HttpServer, caplog: pytest.LogCaptureFixture) -> None:
    assert b" 500 " in exchange(server, b"GET /raise HTTP/1.1\r\n\r\n")
    assert "boom" in caplog.text
    answers_well(server)
