"""Health and metrics at a port of their own, whatever is done to the server and to that port."""

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.security.answers import Answer, read_answers
from tests.e2e.security.attacked_server import Attacked, started
from tests.waiting import LONG_SECONDS, until

pytestmark = pytest.mark.e2e

METRICS = "/monitoring/prometheus/metrics"


def ask(server: Attacked, path: str, head: str = "Host: 127.0.0.1\r\n", method: str = "GET") -> Answer:
    with socket.create_connection(("127.0.0.1", server.ports["health_port"]), timeout=30) as sock:
        sock.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode())
        return read(sock)


def read(sock: socket.socket) -> Answer:
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := sock.recv(65536):
            parts.append(part)
    [answer] = read_answers(b"HTTP/1.1" + b"".join(parts)[8:])  # it answers in HTTP/1.0
    return answer


@pytest.fixture(scope="module")
def watched(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    folder = tmp_path_factory.mktemp("watched")
    with started(folder, "--model_name=m", f"--model_base_path={models}/m", "--health_port=0") as server:
        assert until(lambda: ask(server, "/v1/health/ready").status == 200)
        yield server
        assert "Traceback" not in server.log.read_text()


def test_what_is_answered(watched: Attacked) -> None:
    assert json.loads(ask(watched, "/v1/health/live").body) == {"status": "live"}
    watched.answers_well()
    counted = b':tensorflow:serving:request_count{model_name="m",status="OK"}'
    assert until(lambda: counted in ask(watched, METRICS).body)
    assert ask(watched, "/v1/models/m").status == 404, "nothing else is answered here"
    assert ask(watched, "/v1/health/live", method="POST").status == 501
    assert ask(watched, METRICS, "Host: rebound.example\r\n").status == 421
    assert ask(watched, "/v1/health/live", "").status == 400
    assert ask(watched, METRICS, "Host: 127.0.0.1\r\nHost: rebound.example\r\n").status == 400
    assert ask(watched, "*").status == 400
    assert ask(watched, "/v1/health/live", method="HEAD").body == b""


def test_a_server_that_is_held_is_answered_for(watched: Attacked) -> None:
    """Stopped by a signal, the server can do nothing at all, as when a parser holds its interpreter."""
    os.kill(watched.process.pid, signal.SIGSTOP)
    try:
        for _ in range(5):
            assert [ask(watched, path).status for path in ("/v1/health/live", "/v1/health/ready", METRICS)] == [200] * 3
        before = _silence(watched)
        assert until(lambda: _silence(watched) > before)
    finally:
        os.kill(watched.process.pid, signal.SIGCONT)
    assert until(lambda: _silence(watched) < 2)


def _silence(server: Attacked) -> float:
    return float(ask(server, METRICS).body.rpartition(b":kilnworks:serving:seconds_since_report ")[2])


def test_slow_clients_and_many_of_them(watched: Attacked) -> None:
    """Sixty-four connections that say nothing take every place, each for five seconds at most."""
    slow = [socket.create_connection(("127.0.0.1", watched.ports["health_port"]), timeout=60) for _ in range(64)]
    stop = threading.Event()
    try:
        drip = threading.Thread(target=lambda: _drip(slow[0], stop))
        drip.start()
        assert until(lambda: _answers(watched))
        drip.join(LONG_SECONDS)
        assert not drip.is_alive(), "five seconds, however many bytes come in them"
    finally:
        stop.set()
        for sock in slow:
            sock.close()
    watched.answers_well()


def _drip(sock: socket.socket, stop: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while not stop.wait(0.2):
            sock.sendall(b"G")


def _answers(server: Attacked) -> bool:
    try:
        return ask(server, "/v1/health/live").status == 200
    except (OSError, ValueError, AssertionError):
        return False


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\nA: " + b"a" * 200_000, b"\x16\x03\x01" * 100, b"\r\n" * 50_000])
def test_bytes_that_are_no_question(watched: Attacked, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", watched.ports["health_port"]), timeout=30) as sock:
        with contextlib.suppress(OSError):
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)  # the listener may have closed by now, with a reset
        with contextlib.suppress(OSError):
            while sock.recv(65536):
                pass
    assert until(lambda: _answers(watched))


def test_a_killed_listener_is_started_again_at_the_same_port(watched: Attacked) -> None:
    [child] = _children(watched)
    os.kill(child, signal.SIGKILL)
    assert until(lambda: _children(watched) not in ([child], []))
    assert until(lambda: _answers(watched) and ask(watched, "/v1/health/ready").status == 200)
    assert "the process that answers health ended (signal SIGKILL): another one is started" in watched.log.read_text()


def _children(server: Attacked) -> list[int]:
    """Processes of the server that answer health."""
    pids = " ".join(map(_told, Path(f"/proc/{server.process.pid}/task").glob("*/children"))).split()
    return [int(pid) for pid in sorted(set(pids)) if "health_process" in _told(Path(f"/proc/{pid}/cmdline"))]


def _told(file: Path) -> str:
    """What the system says of a process or thread; nothing of one that has ended meanwhile."""
    try:
        return file.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_a_port_that_is_taken(models: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        flags = ["--model_name=m", f"--model_base_path={models}/m", f"--health_port={taken.getsockname()[1]}"]
        with (
            pytest.raises(AssertionError, match=r"the health port 127.0.0.1:\d+ cannot be opened"),
            started(tmp_path, *flags),
        ):
            raise RuntimeError("it started")


def test_the_process_ends_with_its_server(models: Path, tmp_path: Path) -> None:
    with (
        contextlib.suppress(AssertionError),
        started(tmp_path, "--model_name=m", f"--model_base_path={models}/m", "--health_port=0") as server,
    ):
        port = server.ports["health_port"]
        server.process.kill()
        server.process.wait()
        assert until(lambda: not _listens(port))
    assert not _listens(port)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True
