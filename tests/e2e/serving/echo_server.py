"""An HTTP server that says what it understood, and sockets to talk to it."""

import http.client
import json
import socket
import time
from contextlib import suppress
from dataclasses import replace

from kilnworks.components.serving.rest.limits import Limits
from kilnworks.components.serving.rest.messages import Request, Response
from kilnworks.components.serving.rest.server import HttpServer
from tests.waiting import LONG_SECONDS

LIMITS = Limits(
    header_bytes=8192,
    body_bytes=4 * 1024 * 1024,
    waiting_body_bytes=6 * 1024 * 1024,
    connections=2000,
    header_seconds=LONG_SECONDS,
    stall_seconds=LONG_SECONDS,
    idle_seconds=LONG_SECONDS,
)
"""A machine that stands still for a while makes no client a slow one."""
HASTY = replace(LIMITS, header_seconds=1.0, stall_seconds=1.0)
"""For the tests of slow clients."""


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


def connect(server: HttpServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=LONG_SECONDS)


def read_all(sock: socket.socket) -> bytes:
    """Everything until the server hangs up: in order, or with a reset where it left something unread."""
    parts = []
    with suppress(ConnectionResetError):
        while part := sock.recv(65536):
            parts.append(part)
    return b"".join(parts)


def exchange(server: HttpServer, data: bytes) -> bytes:
    with connect(server) as sock:
        sock.sendall(data)
        return read_all(sock)


def answers_well(server: HttpServer) -> None:
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LONG_SECONDS)
    client.request("POST", "/x", b"12345")
    found = client.getresponse()
    assert (found.status, json.loads(found.read())["size"]) == (200, 5)
    client.close()
