"""A model server by the command of users, and what an attacker has: sockets, and a look at the process from outside."""

import contextlib
import json
import os
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.security.answers import Answer, read_answers
from tests.forked import Forked
from tests.served import announced

ROOT = Path(__file__).parents[3]
PREDICT = b"POST /v1/models/m:predict HTTP/1.1\r\nHost: 127.0.0.1\r\n"
STATUS = b"GET /v1/models/m HTTP/1.1\r\nHost: 127.0.0.1\r\n"
CLOSE = b"Connection: close\r\n"
BODY = b'{"inputs":[1.0,2.0]}'


@dataclass
class Attacked:
    """A running server."""

    process: Forked
    ports: dict[str, Any]
    log: Path

    @property
    def grpc(self) -> str:
        return f"127.0.0.1:{self.ports['grpc_port']}"

    @property
    def rest(self) -> str:
        return f"http://127.0.0.1:{self.ports['rest_api_port']}"

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.ports["rest_api_port"]), timeout=60)

    def send(self, data: bytes) -> list[Answer]:
        """All answers to some bytes, until the server hangs up (or was told to)."""
        with self.connect() as sock:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                sock.sendall(data)
            parts = []
            with contextlib.suppress(ConnectionResetError):
                while part := sock.recv(65536):
                    parts.append(part)
        return read_answers(b"".join(parts))

    def status(self, data: bytes) -> int:
        """Code of the only answer."""
        [answer] = self.send(data)
        return answer.status

    def answers_well(self) -> None:
        [answer] = self.send(PREDICT + CLOSE + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
        assert (answer.status, json.loads(answer.body)) == (200, {"outputs": 3.0})

    def metrics(self) -> str:
        with urllib.request.urlopen(f"{self.rest}/monitoring/prometheus/metrics", timeout=60) as answer:
            return answer.read().decode()

    def memory_mb(self, what: str = "VmRSS") -> float:
        """Resident memory of the process; with ``VmHWM`` the most since ``forget_peak``."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")


@contextlib.contextmanager
def started(folder: Path, *flags: str) -> Iterator[Attacked]:
    """``kilnworks serve`` on free ports with metrics; asked to stop at the end, it must exit with 0."""
    log, monitoring = folder / "stderr", folder / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    command = ["kilnworks", "serve", "--port=0", "--rest_api_port=0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", "KILNWORKS_STORE": str(folder)}
    with log.open("w") as errors:
        words = [*command, f"--monitoring_config_file={monitoring}", *flags]
        process = Forked(words, cwd=folder, env=environment, stderr=errors)
    with announced(process, log) as ports:
        yield Attacked(process, ports, log)


class Visitor(threading.Thread):
    """Somebody else, who asks for the status all the time and notes how long it took at most."""

    def __init__(self, server: Attacked) -> None:
        super().__init__(daemon=True)
        self._server, self._stop_asking = server, threading.Event()
        self.seconds: list[float] = []

    def run(self) -> None:
        while not self._stop_asking.wait(0.01):
            began = time.monotonic()
            assert self._server.status(STATUS + CLOSE + b"\r\n") == 200
            self.seconds.append(time.monotonic() - began)

    def __enter__(self) -> "Visitor":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_asking.set()
        self.join()
