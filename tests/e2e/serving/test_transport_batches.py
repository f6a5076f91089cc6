"""Batches between real sockets and a runner that only counts: none is left lying, none keeps a stranger waiting."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import grpc
import numpy as np
import pytest

from kilnworks.components.serving.batching.parameters import BatchSettings
from kilnworks.components.serving.batching.places import RunLimit
from kilnworks.components.serving.batching.runner import BatchingRunner
from kilnworks.components.serving.batching.scheduler import BatchScheduler
from kilnworks.components.serving.batching.turns import Later, answered
from kilnworks.components.serving.errors import ServingError
from kilnworks.components.serving.grpc.direct import DirectServer
from kilnworks.components.serving.grpc.options import GrpcOptions
from kilnworks.components.serving.rest.messages import Request, Response
from kilnworks.components.serving.rest.server import HttpServer
from kilnworks.components.serving.settings.options import TlsConfig
from kilnworks.components.serving.settings.tls import server_context
from kilnworks.components.serving.wire.feeds import Array, Feeds
from kilnworks.components.serving.wire.values import TensorInfo
from tests.e2e.serving.certificates import self_signed
from tests.e2e.serving.echo_server import LIMITS, connect, listening
from tests.waiting import LONG_SECONDS, until

pytestmark = pytest.mark.e2e

X = TensorInfo("x:0", 1, "float", np.dtype(np.float32), (-1,))
STEADY = 80
"""Requests after which no batch waits for its time."""


@dataclass
class Doubling:
    """Answers 2 x."""

    runs: list[int] = field(default_factory=list)

    def run(self, feeds: Feeds, fetches: Sequence[str], timeout_seconds: float | None) -> list[Array]:
        self.runs.append(len(feeds[0][1]))
        return [feeds[0][1] * 2]

    def close(self) -> None:
        """Nothing to close."""


@dataclass
class Doubler:
    """``POST /`` doubles the number in the first bytes of a body; ``/slow`` waits for ``gates[0]``, in no batch."""

    scheduler: BatchScheduler
    settings: BatchSettings
    gates: list[threading.Event] = field(default_factory=lambda: [threading.Event(), threading.Event()])
    slow: threading.Event = field(default_factory=threading.Event)
    inner: Doubling = field(default_factory=Doubling)

    def __post_init__(self) -> None:
        self.runner = BatchingRunner(self.inner, self.settings, self.scheduler, RunLimit(32, 0).of("m"))

    @property
    def waits(self) -> int:
        """Rows that wait for a batch."""
        return sum(batch.rows for queue in self.runner._queues.values() for batch, _ in queue._waiting)

    def time_is_over(self) -> None:
        """The batch has waited for others as long as it may."""
        with self.scheduler.lock:
            [(_, number, entry)] = self.scheduler._timed
            self.scheduler._timed[:] = [(0.0, number, entry)]
            self.scheduler._wake.notify_all()

    def __call__(self, request: Request) -> Response | Later[Response]:
        if request.target.startswith("/slow"):
            request.step_back()  # as the runner of a graph does
            self.slow.set()
            assert self.gates[request.target == "/slow-2"].wait(3 * LONG_SECONDS)
            return Response(200, b"slow")
        found = self.doubled(request.body)
        if isinstance(found, Later):
            return Later(found.waiting, lambda: self.response(found.answer))
        return Response(200, found)

    def response(self, answer: Callable[[], bytes]) -> Response:
        try:
            return Response(200, answer())
        except ServingError as error:
            return Response(503, error.text.encode())

    def doubled(self, body: bytes) -> bytes | Later[bytes]:
        feeds = [(X, np.array([float(body[:8])], np.float32))]
        begin = lambda: self.runner.begin(feeds, ["y:0"], None)  # noqa: E731
        return answered(begin, lambda outputs: b"%d" % outputs[0][0], lambda error: None)


SETTINGS = BatchSettings(max_batch_size=64, max_execution_size=64, timeout_seconds=0.001, max_enqueued_batches=100)


@contextmanager
def rest(
    threads: int = 4, settings: BatchSettings = SETTINGS, slots: int = 2, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[HttpServer, Doubler]]:
    scheduler = BatchScheduler(slots)
    doubler = Doubler(scheduler, settings)
    limits = replace(LIMITS, body_bytes=20_000_000, waiting_body_bytes=200_000_000)
    server = HttpServer(listening(), doubler, threads, limits, tls, scheduler)
    try:
        yield server, doubler
    finally:
        for gate in doubler.gates:
            gate.set()
        server.stop(1.0)


def post(number: int, path: bytes = b"/", size: int = 8) -> bytes:
    return b"POST %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (path, size, (b"%08d" % number).ljust(size))


@dataclass
class Http:
    """A client that may send many requests before it reads an answer."""

    sock: socket.socket

    def __post_init__(self) -> None:
        self.sock.settimeout(LONG_SECONDS)
        self.file = self.sock.makefile("rb")

    def answer(self) -> tuple[int, bytes]:
        status, length = int(self.file.readline().split()[1]), 0
        while (line := self.file.readline().lower()) != b"\r\n":
            if line.startswith(b"content-length"):
                length = int(line.split(b":")[1])
        return status, self.file.read(length)

    def double(self, number: int, size: int = 8) -> None:
        self.sock.sendall(post(number, size=size))
        assert self.answer() == (200, b"%d" % (2 * number))

    def close(self) -> None:
        self.file.close()
        self.sock.close()


@pytest.fixture
def client() -> Iterator[Callable[[socket.socket], Http]]:
    made: list[Http] = []

    def make(sock: socket.socket) -> Http:
        made.append(Http(sock))
        return made[-1]

    yield make
    for http in made:
        http.close()


Client = Callable[[socket.socket], Http]


def test_one_connection_may_send_a_thousand_requests_ahead(client: Client) -> None:
    with rest() as (server, _):
        http = client(connect(server))
        http.sock.sendall(b"".join(post(number) for number in range(1000)))
        assert [http.answer() for _ in range(1000)] == [(200, b"%d" % (2 * number)) for number in range(1000)]


def test_large_bodies_are_answered_however_long_they_take_to_read(client: Client) -> None:
    with rest() as (server, _):
        http = client(connect(server))
        for number in range(STEADY):
            http.double(number)
        for number in range(10):
            http.double(number, size=10_000_000)


def test_tls_connections_read_on_after_an_answer(client: Client) -> None:
    cert, key = self_signed()
    with rest(tls=server_context(TlsConfig(key, cert))) as (server, _):
        context = ssl.create_default_context(cadata=cert)
        http = client(context.wrap_socket(connect(server), server_hostname="127.0.0.1"))
        for number in range(1500):
            http.double(number)
        http.sock.sendall(b"".join(post(number) for number in range(300)))
        assert [http.answer()[1] for _ in range(300)] == [b"%d" % (2 * number) for number in range(300)]


def test_thousands_of_refusals_of_one_connection(client: Client) -> None:
    """A queue that is full refuses at once, as often as it is asked."""
    settings = replace(SETTINGS, max_batch_size=1, max_execution_size=1, max_enqueued_batches=1)
    with rest(threads=1, settings=settings, slots=1) as (server, doubler):
        with doubler.scheduler.lock:
            doubler.scheduler._running = doubler.scheduler._placed["m"] = 1  # as if another batch of the model ran
        first, http = client(connect(server)), client(connect(server))
        first.sock.sendall(post(7))
        assert until(lambda: doubler.waits == 1)
        http.sock.sendall(b"".join(post(number) for number in range(2000)))
        assert {http.answer()[0] for _ in range(2000)} == {503}
        with doubler.scheduler.lock:
            doubler.scheduler._ended("m")
        doubler.scheduler.run_here()
        assert first.answer() == (200, b"14")
        http.double(21)


def test_a_slow_next_request_does_not_delay_the_batch(client: Client) -> None:
    settings = replace(SETTINGS, timeout_seconds=3600)
    with rest(settings=settings, slots=1) as (server, doubler):
        one, other = client(connect(server)), client(connect(server))
        one.sock.sendall(post(1) + post(0, b"/slow"))
        assert until(lambda: doubler.waits == 1)
        other.sock.sendall(post(2))
        assert until(lambda: doubler.waits == 2)
        doubler.time_is_over()
        assert other.answer() == (200, b"4")
        assert doubler.inner.runs == [2], "both were in one batch"
        assert one.answer() == (200, b"2")
        assert doubler.slow.wait(LONG_SECONDS)
        other.sock.sendall(post(3))
        assert until(lambda: doubler.waits == 1)
        doubler.time_is_over()
        assert other.answer() == (200, b"6")
        doubler.gates[0].set()
        assert one.answer() == (200, b"slow")


def test_a_batch_that_collects_is_not_left_behind_by_the_only_thread(client: Client) -> None:
    with rest(threads=1) as (server, doubler):
        steady, slow, late = (client(connect(server)) for _ in range(3))
        for number in range(STEADY):
            steady.double(number)
        steady.sock.sendall(post(1, b"/slow"))
        assert doubler.slow.wait(LONG_SECONDS)
        late.sock.sendall(post(5))
        time.sleep(0.05)
        slow.sock.sendall(post(2, b"/slow-2"))
        time.sleep(0.05)
        doubler.gates[0].set()
        assert late.answer() == (200, b"10")
        doubler.gates[1].set()
        assert [steady.answer(), slow.answer()] == [(200, b"slow")] * 2


@pytest.mark.parametrize("size", [8, 9_000_000])
def test_grpc_requests_of_any_size(size: int) -> None:
    scheduler = BatchScheduler(2)
    doubler = Doubler(scheduler, SETTINGS)
    options = GrpcOptions(port=0, host="127.0.0.1")

    def method(data: bytes, call: object) -> bytes | Later[bytes]:
        if len(data) > 8:
            time.sleep(0.005)  # as long as a large tensor takes to read
        return doubler.doubled(data)

    server = DirectServer({"/test/Double": method}, {}, options, scheduler)
    unlimited = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(f"127.0.0.1:{server.port}", unlimited) as channel:
        double = channel.unary_unary("/test/Double")
        for number in range(STEADY):
            assert double(b"%08d" % number, timeout=LONG_SECONDS) == b"%d" % (2 * number)
        for number in range(20):
            assert double((b"%08d" % number).ljust(size), timeout=LONG_SECONDS) == b"%d" % (2 * number)
        futures = [double.future((b"%08d" % number).ljust(8), timeout=LONG_SECONDS) for number in range(500)]
        assert [future.result() for future in futures] == [b"%d" % (2 * number) for number in range(500)]
    server.stop(5)
    assert not server.stuck
