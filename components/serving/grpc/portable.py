"""The gRPC server on grpcio's documented interface: used when ``direct`` does not fit the installed release."""

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from kilnworks.components.serving.batching.turns import waited
from kilnworks.components.serving.errors import cut
from kilnworks.components.serving.grpc.methods import Method, limited
from kilnworks.components.serving.grpc.options import GrpcOptions, status_of, texts
from kilnworks.components.serving.settings.flags import MOST_THREADS

_STATUS = {code.value[0]: code for code in grpc.StatusCode}


class PortableServer:
    """A running gRPC server; ``port`` is the TCP port in use (0 without TCP).

    Args:
        methods: unary methods by full name.
        watches: methods that send one answer and keep the call open.
        options: how to listen.

    Raises:
        OSError: an address cannot be bound.
    """

    def __init__(self, methods: Mapping[str, Method], watches: Mapping[str, Method], options: GrpcOptions) -> None:
        threads = options.max_threads or 4 * MOST_THREADS
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="grpc")
        self._server = grpc.server(
            self._pool, options=options.channel_options(), maximum_concurrent_rpcs=options.max_threads
        )
        self._server.add_generic_rpc_handlers((_Handlers(methods, watches),))
        credentials = options.credentials()
        secure, insecure = self._server.add_secure_port, self._server.add_insecure_port
        self.port = options.listen(lambda at: insecure(at) if credentials is None else secure(at, credentials))
        self._server.start()

    def stop(self, grace_seconds: float) -> None:
        """Accept nothing new, let running calls finish within ``grace_seconds``, then close."""
        self._server.stop(grace_seconds).wait()
        self._pool.shutdown(wait=False)


class _Handlers(grpc.GenericRpcHandler):
    """Finds the handler of a method by its full name."""

    def __init__(self, methods: Mapping[str, Method], watches: Mapping[str, Method]) -> None:
        self._handlers = {name: grpc.unary_unary_rpc_method_handler(_unary(method)) for name, method in methods.items()}
        self._handlers |= {name: grpc.unary_stream_rpc_method_handler(_stream(m)) for name, m in watches.items()}

    def service(self, handler_call_details: Any) -> Any:
        """The handler, or None (UNIMPLEMENTED)."""
        return self._handlers.get(handler_call_details.method)


def _answer(method: Method, data: bytes, context: Any) -> bytes:
    """The method's answer; this thread waits for it."""
    return waited(method(data, _PortableCall(context)))


def _unary(method: Method) -> Any:
    def answer(data: bytes, context: Any) -> bytes:
        """The method's answer, or its error as the status of the call; an error of ours is INTERNAL."""
        try:
            return _answer(method, data, context)
        except Exception as error:
            code, text, told = status_of(error)
            context.set_code(_STATUS[int(code)])
            context.set_details(cut(text))
            context.set_trailing_metadata(told)
        return b""

    return answer


def _stream(method: Method) -> Any:
    def answers(data: bytes, context: Any) -> Iterator[bytes]:
        """One answer; then the stream stays open until the caller goes."""
        gone = threading.Event()
        context.add_callback(gone.set)
        yield _answer(method, data, context)
        gone.wait()

    return answers


class _PortableCall:
    """The call as methods see it."""

    __slots__ = ("_context",)

    def __init__(self, context: Any) -> None:
        self._context = context

    def time_remaining(self) -> float | None:
        """Seconds left; None without a deadline."""
        return limited(self._context.time_remaining())

    def is_active(self) -> bool:
        """Whether the client still waits."""
        return bool(self._context.is_active())

    def step_back(self) -> None:
        """Nothing: the threads of grpcio wait for no requests."""

    def peer(self) -> str:
        """Where the call comes from."""
        return str(self._context.peer())

    def metadata(self) -> Mapping[str, str]:
        """What the client sent beside the message; values that are bytes are left out."""
        return texts(self._context.invocation_metadata())
