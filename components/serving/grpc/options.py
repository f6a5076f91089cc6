"""What both gRPC servers share: how they listen, and what limits them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from kilnworks.components.serving.errors import RETRY_AFTER, Code, TooLarge, expected
from kilnworks.components.serving.settings.callers import CallersFile
from kilnworks.components.serving.settings.options import TlsConfig

HEALTH = b"/grpc.health.v1.Health/"
"""Methods that anybody may call."""
NO_RETRY = ((RETRY_AFTER, "-1"),)
"""Tells a client that the same request would be refused again."""
_LARGEST_MESSAGE = 2**31 - 1
_MOST_PENDING = 2**16
_UNREQUESTED_SECONDS = 3600
"""Calls that core holds until the server takes them. Of itself it ends some as CANCELLED from 1000 or 30 s on."""


def status_of(error: Exception) -> tuple[Code, str, Sequence[tuple[str, str]]]:
    """Code and text of a call that ends with an error, and metadata behind it."""
    found = expected(error, "answering a call")
    return found.code, found.text, NO_RETRY if isinstance(found, TooLarge) else ()


def texts(metadata: Iterable[tuple[str, str | bytes]]) -> Mapping[str, str]:
    """What a client sent beside its message; values that are bytes are left out."""
    return {key: value for key, value in metadata if isinstance(value, str)}


@dataclass(frozen=True)
class GrpcOptions:
    """How the gRPC server listens.

    Attributes:
        port: TCP port; 0 = a free one; None = no TCP.
        socket_path: a unix socket as well; "" = none.
        host: address to bind.
        max_threads: calls that run at a time; further ones are answered with RESOURCE_EXHAUSTED. None = as many as
            are needed, within what the runs of each model are bounded to.
        tls: serve with TLS; None = plain text.
        channel_arguments: further gRPC settings.
        health: offer ``grpc.health.v1.Health``.
        largest_message: bytes of a request; more is answered with RESOURCE_EXHAUSTED.
        refused: told ``"threads"`` when a call is refused because ``max_threads`` run.
        callers: who may ask, looked at before a message is received; None = anybody.
    """

    port: int | None = 8500
    socket_path: str = ""
    host: str = "127.0.0.1"
    max_threads: int | None = None
    tls: TlsConfig | None = None
    channel_arguments: Sequence[tuple[str, int | str]] = ()
    health: bool = False
    largest_message: int = _LARGEST_MESSAGE
    refused: Callable[[str], None] = lambda reason: None
    callers: CallersFile | None = None

    def channel_options(self) -> list[tuple[str, int | str]]:
        """Settings of gRPC: answers up to 2 GiB, a port of our own; what the user gave replaces them.

        Each name comes once: of two, gRPC takes the first.
        """
        ours: dict[str, int | str] = {
            "grpc.max_receive_message_length": self.largest_message,
            "grpc.max_send_message_length": _LARGEST_MESSAGE,
            "grpc.so_reuseport": 0,
            "grpc.server.max_pending_requests": _MOST_PENDING,
            "grpc.server.max_pending_requests_hard_limit": _MOST_PENDING,
            "grpc.server_max_unrequested_time_in_server": _UNREQUESTED_SECONDS,
        }
        return list((ours | dict(self.channel_arguments)).items())

    def listen(self, bind: Callable[[str], int]) -> int:
        """Have ``bind`` open TCP, then the unix socket; the TCP port in use, 0 without one. Raises ``OSError``."""
        tcp = [] if self.port is None else [f"{self.host}:{self.port}"]
        ports = []
        for address in [*tcp, *([f"unix:{self.socket_path}"] if self.socket_path else [])]:
            try:
                ports.append(bind(address))
            except RuntimeError:
                ports.append(0)
            if not ports[-1]:
                raise OSError(f"cannot listen on {address}")
        return ports[0] if tcp else 0

    def credentials(self) -> Any:
        """Server credentials of gRPC, or None for plain text."""
        if self.tls is None:
            return None
        return grpc.ssl_server_credentials(
            [(self.tls.server_key.encode(), self.tls.server_cert.encode())],
            root_certificates=self.tls.custom_ca.encode() or None,
            require_client_auth=self.tls.client_verify,
        )
