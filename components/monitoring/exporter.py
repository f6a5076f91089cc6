"""A page for Prometheus over HTTP: ``/metrics``, and ``/health`` for orchestrators.

The standard library's server: one page every few seconds, on an address of this machine. A request that names another
host is refused, as by the model server (DNS rebinding), and one that sends nothing is let go.
"""

import logging
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from kilnworks.components.serving.settings.hosts import AllowedHosts, default_hosts
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.masking import masked

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = 10.0
"""How long a client may take to send its request."""

_LOG = logging.getLogger(__name__)


class Exporter(ThreadingHTTPServer):
    """Serves a page that is made anew for each request, one at a time.

    Args:
        page: makes the text. What it raises is answered with 500 and its message, which Prometheus shows.
        host: address to listen on.
        port: 0 for a free one.
        allowed: names by which it may be asked; by default local ones on a loopback address, else any.

    Raises:
        ConfigError: the address is none of this machine, or the port is taken or not allowed.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self, page: Callable[[], str], host: str = "127.0.0.1", port: int = 0, allowed: AllowedHosts | None = None
    ) -> None:
        self.page, self.host = page, host
        self.allowed = allowed or default_hosts(host)
        self._making = threading.Lock()
        try:
            self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            raise ConfigError(
                f"--host {host} --port {port}: {getattr(error, 'strerror', None) or error}",
                "an address of this machine and a free port",
                "choose others; --port 0 takes a free one",
            ) from error

    def server_bind(self) -> None:
        """Bind; without asking a name server what this machine is called, which may take seconds."""
        TCPServer.server_bind(self)

    @property
    def url(self) -> str:
        """Where the page is."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.server_address[1]}/metrics"

    def text(self) -> str:
        """The page of now."""
        with self._making:
            return self.page()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away meanwhile is no error of ours."""
        _LOG.debug("a request of %s ended early", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: Exporter
    timeout = SECONDS
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "kilnworks", ""

    def do_GET(self) -> None:
        """Answer ``/metrics`` and the like; another host's name is refused."""
        refused = self.server.allowed.refusal_of(self.headers.get("Host") or "")
        path = self.path.partition("?")[0]
        if refused:
            self._answer(HTTPStatus(refused), f"no such host here: {self.headers.get('Host')}\n")
        elif path == "/metrics":
            self._answer(*self._page())
        elif path == "/health":
            self._answer(HTTPStatus.OK, "well\n")
        else:
            self._answer(HTTPStatus.NOT_FOUND, "have /metrics and /health\n")

    do_HEAD = do_GET

    def _page(self) -> tuple[HTTPStatus, str]:
        try:
            return HTTPStatus.OK, self.server.text()
        except Exception as error:
            _LOG.exception("the page cannot be made")
            return HTTPStatus.INTERNAL_SERVER_ERROR, masked(f"{type(error).__name__}: {error}\n")

    def _answer(self, status: HTTPStatus, text: str) -> None:
        body = text.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """One line a request is for debugging alone."""
        _LOG.debug(format, *args)
