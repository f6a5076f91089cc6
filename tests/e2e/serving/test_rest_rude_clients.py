"""The HTTP server and clients that are slow, rude or too many; limits, and stopping."""

import gc
import resource
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilnworks.components.serving.rest.limits import Limits
from kilnworks.components.serving.rest.messages import Request, Response
from kilnworks.components.serving.rest.server import HttpServer
from tests.e2e.serving.echo_server import HASTY, LIMITS, answers_well, connect, echo, exchange, listening, read_all
from tests.waiting import LONG_SECONDS, ends, until

pytestmark = pytest.mark.e2e


@pytest.fixture
def server() -> Iterator[HttpServer]:
    running = HttpServer(listening(), echo, threads=4, limits=LIMITS)
    yield running
    running.stop(1.0)


@pytest.fixture
def hasty() -> Iterator[HttpServer]:
    """A server that hangs up on slow clients after a second."""
    running = HttpServer(listening(), echo, threads=4, limits=HASTY)
    yield running
    running.stop(1.0)


STARTS = (b"", b"GET", b"POST /x HTTP/1.1\r\nHost: a\r\n", b"POST /x HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc")


@pytest.mark.parametrize("start", STARTS)
def test_slow_clients_keep_nobody_waiting(start: bytes) -> None:
    patient = Limits(header_seconds=3600, stall_seconds=3600)
    server = HttpServer(listening(), echo, threads=4, limits=patient)
    slow = [connect(server) for _ in range(100)]
    for sock in slow:
        sock.sendall(start)
    answers_well(server)
    for sock in slow:
        sock.close()
    server.stop(1.0)


@pytest.mark.parametrize("start", STARTS)
def test_slow_clients_are_hung_up(hasty: HttpServer, start: bytes) -> None:
    slow = [connect(hasty) for _ in range(100)]
    for sock in slow:
        sock.sendall(start)
    assert until(lambda: not hasty._connections), "all were hung up after header_seconds or stall_seconds"
    for sock in slow:
        assert read_all(sock) == b""
        sock.close()


def test_a_client_that_drips_is_hung_up(hasty: HttpServer) -> None:
    """One byte of a header every 100 ms: the time counts from the first byte of the request."""
    with connect(hasty) as sock:
        began = time.monotonic()
        with pytest.raises(OSError):
            for byte in b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 100:
                sock.sendall(bytes([byte]))
                time.sleep(0.1)
        assert time.monotonic() - began > 0.5


def test_a_client_that_does_not_read_is_hung_up(hasty: HttpServer) -> None:
    with connect(hasty) as sock:
        sock.sendall(b"GET /big HTTP/1.1\r\n\r\n" * 3)
        assert until(lambda: len(hasty._connections) == 1)
        answers_well(hasty)
        assert until(lambda: not hasty._connections)


def test_a_client_that_reads_slowly_gets_everything(server: HttpServer) -> None:
    with connect(server) as sock:
        sock.sendall(b"GET /big HTTP/1.1\r\nConnection: close\r\n\r\n")
        size = 0
        while part := sock.recv(1_000_000):
            size += len(part)
            time.sleep(0.01)
    assert size > 20_000_000


def test_large_bodies_share_a_budget(server: HttpServer) -> None:
    head = b"POST /x HTTP/1.1\r\nContent-Length: 3500000\r\n\r\n"
    with connect(server) as first:
        first.sendall(head + b"a" * 3_400_000)
        assert until(lambda: server._acceptor.budget.used)
        assert b" 503 " in exchange(server, head + b"a" * 3_400_000)
        first.sendall(b"a" * 100_000)
        assert b'"size": 3500000' in first.recv(4096)
    answers_well(server)
    assert until(lambda: not server._acceptor.budget.used)


def test_ten_thousand_connections_opened_and_closed(server: HttpServer) -> None:
    def open_and_close(count: int) -> None:
        for i in range(count):
            sock = connect(server)
            if i % 10 == 0:
                sock.sendall(b"GET /x HTTP/1.1\r\n\r\n")
                sock.recv(1000)
            if i % 3 == 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            sock.close()

    threads = [threading.Thread(target=open_and_close, args=(2500,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers_well(server)
    assert until(lambda: not server._connections)


def test_more_connections_than_allowed_end_the_idle_ones() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    server = HttpServer(listening(), echo, 2, Limits(connections=100))
    try:
        waiting = [connect(server) for _ in range(300)]
        answers_well(server)
        assert until(lambda: len(server._connections) <= 110)
        for sock in waiting:
            sock.close()
    finally:
        server.stop(1.0)


def test_out_of_descriptors_and_back() -> None:
    """When no descriptor is left the server waits, ends idle connections, and goes on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    server = HttpServer(listening(), echo, 2, LIMITS)
    gc.collect()
    waiting = []
    last = max(int(one.name) for one in Path("/proc/self/fd").iterdir())  # others of this process stay open
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (last + 150, hard))
        with pytest.raises(OSError):
            while True:
                waiting.append(connect(server))
        waiting.pop().close()
        waiting.pop().close()
        time.sleep(0.5)
        for sock in waiting[:50]:
            sock.close()
        answers_well(server)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for sock in waiting:
            sock.close()
        server.stop(1.0)


def test_stop_lets_running_requests_finish_and_takes_no_new_ones() -> None:
    begun, go = threading.Event(), threading.Event()

    def held(request: Request) -> Response:
        begun.set()
        assert go.wait(LONG_SECONDS)
        return echo(request)

    before = set(threading.enumerate())
    server = HttpServer(listening(), held, 4, LIMITS)
    idle, busy = connect(server), connect(server)
    busy.sendall(b"GET /x HTTP/1.1\r\n\r\n")
    assert begun.wait(LONG_SECONDS)
    stopping = threading.Thread(target=server.stop, args=(3600.0,), daemon=True)
    stopping.start()
    assert until(lambda: server._acceptor.draining)
    go.set()
    stopping.join(LONG_SECONDS)
    assert not stopping.is_alive(), "it ends when the last answer is out, not when its time is over"
    answer = read_all(busy)
    assert b"200 OK" in answer and b"Connection: close" in answer
    assert read_all(idle) == b""
    with pytest.raises(OSError):
        connect(server)
    assert not [t for t in set(threading.enumerate()) - before if t.name.startswith("rest-")]
    server.stop(1.0)
    idle.close()
    busy.close()


def test_stop_does_not_wait_longer_than_asked() -> None:
    server = HttpServer(listening(), echo, 2, Limits(stall_seconds=3600))
    stuck = connect(server)
    stuck.sendall(b"POST /x HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc")
    assert until(lambda: any(connection.in_body for connection in server._connections.copy().values()))
    began = time.monotonic()
    assert ends(lambda: server.stop(0.3))
    assert time.monotonic() - began > 0.2
    stuck.close()
