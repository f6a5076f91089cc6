"""The process behind ``--health_port``: health and metrics over HTTP, whatever the model server is busy with.

It knows the server by the reports on its standard input, one line of JSON each, and ends with them. It imports little
(no TensorFlow, no numpy) and shares no interpreter, thread or memory with the requests.
"""

import contextlib
import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kilnworks.components.serving.settings.hosts import AllowedHosts, default_hosts
from kilnworks.schemas.crashes import show_crashes

SILENT_SECONDS = 60.0
"""A server that has not reported for so long is not alive: its interpreter is stuck."""
_CONNECTION_SECONDS = 5.0
_MOST_CONNECTIONS = 64


@dataclass
class State:
    """What is known of the server.

    Attributes:
        clock: seconds that only grow.
        heard: when it reported last; None = never.
        ready: whether every model has a version that can be asked.
        metrics: its page for Prometheus.
    """

    clock: Callable[[], float] = time.monotonic
    heard: float | None = None
    ready: bool = False
    metrics: str = ""
    _begun: float = field(init=False)

    def __post_init__(self) -> None:
        self._begun = self.clock()

    def take(self, line: bytes) -> None:
        """Take in a report."""
        told = json.loads(line)
        self.ready, self.metrics, self.heard = bool(told["ready"]), str(told["metrics"]), self.clock()

    def answer(self, path: str, metrics_path: str) -> tuple[int, str, str]:
        """HTTP status, content type and body for a path."""
        silent = self.clock() - (self._begun if self.heard is None else self.heard)
        alive = silent < SILENT_SECONDS
        if path == "/v1/health/live":
            return _health("live", alive, silent)
        if path == "/v1/health/ready":
            return _health("ready", alive and self.ready, silent)
        if path == metrics_path:
            return 200, "text/plain", self.metrics + _silence(silent)
        return 404, "text/plain", f"There is /v1/health/live, /v1/health/ready and {metrics_path}.\n"


def _health(word: str, so: bool, silent: float) -> tuple[int, str, str]:
    found: dict[str, Any] = {"status": word if so else f"not {word}"}
    if silent >= SILENT_SECONDS:
        found["error"] = f"the server has not reported for {silent:.0f} s"
    return 200 if so else 503, "application/json", json.dumps(found)


def _silence(silent: float) -> str:
    name = ":kilnworks:serving:seconds_since_report"
    return f"# TYPE {name} gauge\n{name} {silent:.1f}\n"


class _Listener(ThreadingHTTPServer):
    """Answers a bounded number of connections at a time; further ones are hung up."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, state: State, metrics_path: str, hosts: AllowedHosts) -> None:
        self.state, self.metrics_path, self.hosts = state, metrics_path, hosts
        self._places = threading.BoundedSemaphore(_MOST_CONNECTIONS)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, if there is a place."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and give the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    """One request and one answer a connection."""

    server: _Listener
    server_version, sys_version = "kilnworks", ""

    def setup(self) -> None:
        """A connection takes five seconds at most, however slowly its bytes come."""
        super().setup()
        self.connection.settimeout(_CONNECTION_SECONDS)
        self._hang_up = threading.Timer(_CONNECTION_SECONDS, self._end)
        self._hang_up.daemon = True
        self._hang_up.start()

    def finish(self) -> None:
        """The connection is over."""
        self._hang_up.cancel()
        super().finish()

    def _end(self) -> None:
        """Its time is over."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_GET(self) -> None:
        """Answer a question."""
        old = self.request_version != "HTTP/1.1"
        named = self.headers.get_all("Host", [])
        twice = len(named) > 1  # which of them counts is not said (RFC 9112, 3.2)
        host = named[0] if named else None
        refused = 400 if twice else self.server.hosts.refusal(self.command, self.path, host, old)
        status, kind, text = (refused, "text/plain", "") if refused else self._answer()
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET

    def _answer(self) -> tuple[int, str, str]:
        return self.server.state.answer(self.path, self.server.metrics_path)

    def log_message(self, format: str, *args: Any) -> None:
        """Probes come every second: they are not logged."""


def main() -> None:
    """Listen, say the port, and answer until the reports end. Arguments: a JSON object of the settings."""
    show_crashes()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server decides when to stop
    told = json.loads(sys.argv[1])
    names = told["allowed_hosts"]
    hosts = default_hosts(told["host"]) if names is None else AllowedHosts(tuple(names))
    state = State()
    try:
        listener = _Listener(told["host"], told["port"], state, told["metrics_path"], hosts)
    except OSError as error:
        sys.stdout.write(json.dumps({"error": error.strerror or str(error)}) + "\n")
        return
    sys.stdout.write(json.dumps({"port": listener.server_address[1]}) + "\n")
    sys.stdout.flush()
    threading.Thread(target=listener.serve_forever, name="health", daemon=True).start()
    for line in sys.stdin.buffer:
        state.take(line)
