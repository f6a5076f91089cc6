"""The gRPC server: listens, limits, encrypts, hands request bytes to the methods and sends answers or errors back."""

import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc

from components.serving.errors import ServingError
from components.serving.grpc_methods import Method
from components.serving.options import TlsConfig

LONGEST_ERROR_TEXT = 1024
_LARGEST_MESSAGE = 2**31 - 1
_NO_DEADLINE_SECONDS = 10**9
_STATUS = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True)
class GrpcOptions:
    """How the gRPC server listens.

    Attributes:
        port: TCP port; 0 = a free one; None = no TCP.
        socket_path: a unix socket as well; "" = none.
        host: address to bind.
        max_threads: calls that run at a time; None = 4 for each processor, and more calls wait. When it is given,
            further calls are answered with RESOURCE_EXHAUSTED.
        tls: serve with TLS; None = plain text.
        channel_arguments: further gRPC settings.
        health: offer ``grpc.health.v1.Health``.
    """

    port: int | None = 8500
    socket_path: str = ""
    host: str = "0.0.0.0"
    max_threads: int | None = None
    tls: TlsConfig | None = None
    channel_arguments: Sequence[tuple[str, int | str]] = ()
    health: bool = False


class GrpcServer:
    """A running gRPC server; ``port`` is the TCP port in use (0 without TCP)."""

    def __init__(self, methods: Mapping[str, Method], options: GrpcOptions) -> None:
        threads = options.max_threads or max(16, 4 * (os.cpu_count() or 1))
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="grpc")
        self._server = grpc.server(
            self._pool, options=_channel_options(options), maximum_concurrent_rpcs=options.max_threads
        )
        self._server.add_generic_rpc_handlers((_Handlers(methods),))
        if options.health:
            _add_health(self._server)
        self.port = _listen(self._server, options)
        self._server.start()

    def stop(self, grace_seconds: float) -> None:
        """Accept nothing new, let running calls finish within ``grace_seconds``, then close."""
        self._server.stop(grace_seconds).wait()
        self._pool.shutdown(wait=False)


def _channel_options(options: GrpcOptions) -> list[tuple[str, int | str]]:
    return [
        ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
        ("grpc.max_send_message_length", _LARGEST_MESSAGE),
        ("grpc.so_reuseport", 0),
        *options.channel_arguments,
    ]


def _listen(server: Any, options: GrpcOptions) -> int:
    """Bind; the TCP port in use. Raises ``OSError`` when an address cannot be bound."""
    addresses = [] if options.port is None else [f"{options.host}:{options.port}"]
    if options.socket_path:
        addresses.append(f"unix:{options.socket_path}")
    port = 0
    for address in addresses:
        try:
            bound = (
                server.add_insecure_port(address)
                if options.tls is None
                else server.add_secure_port(address, _credentials(options.tls))
            )
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}: {error}") from None
        port = port or (bound if not address.startswith("unix:") else 0)
    return port


def _credentials(tls: TlsConfig) -> Any:
    return grpc.ssl_server_credentials(
        [(tls.server_key.encode(), tls.server_cert.encode())],
        root_certificates=tls.custom_ca.encode() or None,
        require_client_auth=tls.client_verify,
    )


def _add_health(server: Any) -> None:
    from grpc_health.v1 import health, health_pb2, health_pb2_grpc

    servicer = health.HealthServicer()
    for service in ("", "ModelService", "PredictionService"):
        servicer.set(service, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)


class _Handlers(grpc.GenericRpcHandler):
    """Finds the handler of a method by its full name."""

    def __init__(self, methods: Mapping[str, Method]) -> None:
        self._handlers = {
            name: grpc.unary_unary_rpc_method_handler(_behaviour(method)) for name, method in methods.items()
        }

    def service(self, handler_call_details: Any) -> Any:
        """The handler, or None (UNIMPLEMENTED)."""
        return self._handlers.get(handler_call_details.method)


def _behaviour(method: Method) -> Any:
    def answer(data: bytes, context: Any) -> bytes:
        try:
            return method(data, _GrpcCall(context))
        except ServingError as error:
            context.set_code(_STATUS[int(error.code)])
            context.set_details(cut(error.text))
            return b""
        except Exception as error:
            threading.excepthook(threading.ExceptHookArgs((type(error), error, error.__traceback__, None)))
            context.set_code(grpc.StatusCode.INTERNAL)
            context.set_details(cut(f"{type(error).__name__}: {error}"))
            return b""

    return answer


def cut(text: str) -> str:
    """An error text as gRPC sends it: at most 1024 characters, with a mark where it was cut."""
    return text if len(text) <= LONGEST_ERROR_TEXT else text[:LONGEST_ERROR_TEXT] + "...TRUNCATED"


class _GrpcCall:
    """The call as methods see it."""

    __slots__ = ("_context",)

    def __init__(self, context: Any) -> None:
        self._context = context

    def time_remaining(self) -> float | None:
        """Seconds left; None without a deadline (gRPC then reports some hundred years)."""
        left = self._context.time_remaining()
        return None if left is None or left > _NO_DEADLINE_SECONDS else float(left)

    def is_active(self) -> bool:
        """Whether the client still waits."""
        return bool(self._context.is_active())
