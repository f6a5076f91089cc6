"""The HTTP server on real sockets: keep-alive, pipelines, slow and rude clients, limits, TLS, draining."""

import gc
import http.client
import json
import resource
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from components.serving.options import TlsConfig
from components.serving.rest.limits import Limits
from components.serving.rest.messages import Request, Response
from components.serving.rest.server import HttpServer
from components.serving.tls import server_context
from schemas.errors import ConfigError

pytestmark = pytest.mark.e2e

LIMITS = Limits(
    header_bytes=8192,
    body_bytes=4 * 1024 * 1024,
    waiting_body_bytes=6 * 1024 * 1024,
    connections=2000,
    header_seconds=1.0,
    stall_seconds=1.0,
    idle_seconds=60.0,
)


def echo(request: Request) -> Response:
    """What was understood of the request, as JSON; ``/slow`` takes a while, ``/raise`` fails, ``/big`` is 20 MB."""
    if request.target == "/slow":
        time.sleep(0.3)
    if request.target == "/raise":
        raise RuntimeError("boom")
    if request.target == "/big":
        return Response(200, b"x" * 20_000_000)
    understood = {"method": request.method, "target": request.target, "size": len(request.body)}
    return Response(200, json.dumps(understood).encode())


def listening() -> socket.socket:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


@pytest.fixture
def server() -> Iterator[HttpServer]:
    running = HttpServer(listening(), echo, threads=4, limits=LIMITS)
    yield running
    running.stop(1.0)


def connect(server: HttpServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


def read_all(sock: socket.socket) -> bytes:
    """Everything until the server hangs up."""
    parts = []
    try:
        while part := sock.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def exchange(server: HttpServer, data: bytes) -> bytes:
    with connect(server) as sock:
        sock.sendall(data)
        return read_all(sock)


def answers_well(server: HttpServer) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    client.request("POST", "/x", b"12345")
    found = client.getresponse()
    assert (found.status, json.loads(found.read())["size"]) == (200, 5)
    client.close()


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
            read_all(sock)
    answers_well(server)


def test_an_application_that_fails_answers_500(server: HttpServer, caplog: pytest.LogCaptureFixture) -> None:
    assert b" 500 " in exchange(server, b"GET /raise HTTP/1.1\r\n\r\n")
    assert "boom" in caplog.text
    answers_well(server)


def until(condition: Callable[[], bool], seconds: float = 15.0) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize(
    "start", [b"", b"GET", b"POST /x HTTP/1.1\r\nHost: a\r\n", b"POST /x HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc"]
)
def test_slow_clients_are_hung_up_and_keep_nobody_waiting(server: HttpServer, start: bytes) -> None:
    slow = [connect(server) for _ in range(100)]
    for sock in slow:
        sock.sendall(start)
    began = time.monotonic()
    answers_well(server)
    assert time.monotonic() - began < 1
    assert until(lambda: not server._connections), "all were hung up after header_seconds or stall_seconds"
    for sock in slow:
        assert read_all(sock) == b""
        sock.close()


def test_a_client_that_drips_is_hung_up(server: HttpServer) -> None:
    """One byte of a header every 100 ms: the time counts from the first byte of the request."""
    with connect(server) as sock:
        began = time.monotonic()
        with pytest.raises(OSError):
            for byte in b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 100:
                sock.sendall(bytes([byte]))
                time.sleep(0.1)
        assert 0.5 < time.monotonic() - began < 8


def test_a_client_that_does_not_read_is_hung_up(server: HttpServer) -> None:
    with connect(server) as sock:
        sock.sendall(b"GET /big HTTP/1.1\r\n\r\n" * 3)
        assert until(lambda: len(server._connections) == 1)
        answers_well(server)
        assert until(lambda: not server._connections)


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
        time.sleep(0.2)
        assert b" 503 " in exchange(server, head + b"a" * 3_400_000)
        first.sendall(b"a" * 100_000)
        assert b'"size": 3500000' in first.recv(4096)
    answers_well(server)
    assert server._budget.used == 0


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
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
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
    server = HttpServer(listening(), echo, 4, LIMITS)
    idle, busy = connect(server), connect(server)
    busy.sendall(b"GET /slow HTTP/1.1\r\n\r\n")
    time.sleep(0.1)
    began = time.monotonic()
    server.stop(5.0)
    assert time.monotonic() - began < 3
    answer = read_all(busy)
    assert b"200 OK" in answer and b"Connection: close" in answer
    assert read_all(idle) == b""
    with pytest.raises(OSError):
        connect(server)
    assert not [t for t in threading.enumerate() if t.name.startswith("rest-")]
    server.stop(1.0)
    idle.close()
    busy.close()


def test_stop_does_not_wait_longer_than_asked() -> None:
    server = HttpServer(listening(), echo, 2, Limits())
    stuck = connect(server)
    stuck.sendall(b"POST /x HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc")
    time.sleep(0.1)
    began = time.monotonic()
    server.stop(0.3)
    assert 0.2 < time.monotonic() - began < 3
    stuck.close()


def certificate() -> tuple[str, str]:
    """A self-signed certificate for 127.0.0.1 and its key, as PEM."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(pem).decode(), private.decode()


@pytest.mark.parametrize("mutual", [False, True])
def test_https(mutual: bool, tmp_path: object) -> None:
    cert, key = certificate()
    config = TlsConfig(key, cert, custom_ca=cert if mutual else "", client_verify=mutual)
    server = HttpServer(listening(), echo, 2, LIMITS, server_context(config))
    try:
        context = ssl.create_default_context(cadata=cert)
        if mutual:
            (tmp_path / "c.pem").write_text(cert)
            (tmp_path / "k.pem").write_text(key)
            with pytest.raises(OSError):
                _ask(server, ssl.create_default_context(cadata=cert), 1)
            context.load_cert_chain(tmp_path / "c.pem", tmp_path / "k.pem")
        for size in (0, 5, 3_000_000):
            assert _ask(server, context, size) == size
        with connect(server) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert b"200" not in read_all(plain)
        silent = connect(server)
        assert until(lambda: not server._connections), "a handshake that never comes is hung up"
        silent.close()
    finally:
        server.stop(1.0)


def _ask(server: HttpServer, context: ssl.SSLContext, size: int) -> int:
    client = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=10, context=context)
    try:
        for _ in range(2):
            client.request("POST", "/x", b"a" * size)
            found = json.loads(client.getresponse().read())["size"]
        return found
    finally:
        client.close()


def test_tls_files_that_do_not_fit() -> None:
    cert, _ = certificate()
    _, other = certificate()
    for config in (TlsConfig(other, cert), TlsConfig("", ""), TlsConfig("not PEM", cert)):
        with pytest.raises(ConfigError, match="TLS files"):
            server_context(config)
