"""The blocking client and its asyncio twin: the same calls and the same script, two ways to wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import grpc
import grpc.aio

from kilnworks_client import calls
from kilnworks_client.calls import Call, VersionState
from kilnworks_client.codes import RETRY_AFTER, Code
from kilnworks_client.errors import ConfigError
from kilnworks_client.options import Options, Tls
from kilnworks_client.rest import AsyncRestChannel, RestChannel
from kilnworks_client.retry import Reply, Script, Send, Sleep, call_script, wait_script

P = ParamSpec("P")
R = TypeVar("R")

_CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.keepalive_time_ms", 300_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.enable_retries", 0),
)
"""Pings every five minutes: more often than that stock servers hang up."""


def _blocking(build: Callable[P, Call[R]]) -> Callable[Concatenate["Client", P], R]:
    """Turn a function that makes a call into a method that carries it out."""

    @wraps(build)
    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.run(build(*args, **kwargs))

    return method


def _awaiting(build: Callable[P, Call[R]]) -> Callable[Concatenate["AsyncClient", P], Coroutine[Any, Any, R]]:
    """The same for a coroutine method."""

    @wraps(build)
    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await self.run(build(*args, **kwargs))

    return method


class Client:
    """Asks a model server over gRPC or REST; works with the embedded server and with TensorFlow Serving.

    Use as a context manager, or ``close`` it. May be used from several threads::

        with Client("127.0.0.1:8500") as client:
            client.predict("churn", {"tenure": [3, 40]}).outputs["probabilities"]

    Args:
        target: ``host:port`` or ``unix:/path`` for gRPC, ``http://host:port`` or ``https://host:port`` for REST, or a
            channel (any object with ``unary_unary`` and ``close``, so that tests can hand in a fake); a channel that
            was handed in is closed too. Over REST the version in a ``Prediction`` is 0 unless one was asked for.
        timeout_seconds: for one call with all its retries; None = that of ``options``.
        options: timeouts, retries and TLS.
    """

    predict = _blocking(calls.predict)
    classify = _blocking(calls.classify)
    regress = _blocking(calls.regress)
    metadata = _blocking(calls.metadata)
    status = _blocking(calls.status)

    def __init__(self, target: Any, timeout_seconds: float | None = None, options: Options | None = None) -> None:
        self._options = _options(options, timeout_seconds)
        self._channel = _channel(target, self._options.tls, grpc, RestChannel)
        self._methods: dict[str, Any] = {}
        self._told = _told(self._options)

    def run(self, call: Call[R]) -> R:
        """Carry out a call with retries; see ``call_script`` for what is raised."""
        o = self._options
        return self._drive(call_script(call, o.timeout_seconds, o.retry, o.clock, o.chance))

    def wait_until_available(
        self, model: str, version: int | None = None, timeout_seconds: float = 60.0, poll_seconds: float = 0.1
    ) -> VersionState:
        """Wait until a version (None = any) is AVAILABLE. Raises ``ServerUnavailable`` when the time is over."""
        return self._drive(wait_script(model, version, timeout_seconds, poll_seconds, self._options.clock))

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _drive(self, script: Script[R]) -> R:
        reply: Reply | None = None
        while True:
            try:
                step = script.send(reply)
            except StopIteration as done:
                return done.value
            if isinstance(step, Sleep):
                time.sleep(step.seconds)
                reply = None
            else:
                reply = self._send(step)

    def _send(self, step: Send) -> Reply:
        method = _method(self._methods, self._channel, step.call)
        try:
            return Reply(Code.OK, method(step.call.request, timeout=step.timeout_seconds, **self._told))
        except grpc.RpcError as error:
            return _reply(error)


class AsyncClient:
    """``Client`` for asyncio: the same methods, awaited; ``async with`` or ``await close()``."""

    predict = _awaiting(calls.predict)
    classify = _awaiting(calls.classify)
    regress = _awaiting(calls.regress)
    metadata = _awaiting(calls.metadata)
    status = _awaiting(calls.status)

    def __init__(self, target: Any, timeout_seconds: float | None = None, options: Options | None = None) -> None:
        self._options = _options(options, timeout_seconds)
        self._channel = _channel(target, self._options.tls, grpc.aio, AsyncRestChannel)
        self._methods: dict[str, Any] = {}
        self._told = _told(self._options)

    async def run(self, call: Call[R]) -> R:
        """Carry out a call with retries; see ``call_script`` for what is raised."""
        o = self._options
        return await self._drive(call_script(call, o.timeout_seconds, o.retry, o.clock, o.chance))

    async def wait_until_available(
        self, model: str, version: int | None = None, timeout_seconds: float = 60.0, poll_seconds: float = 0.1
    ) -> VersionState:
        """Wait until a version (None = any) is AVAILABLE. Raises ``ServerUnavailable`` when the time is over."""
        return await self._drive(wait_script(model, version, timeout_seconds, poll_seconds, self._options.clock))

    async def close(self) -> None:
        """Close the channel."""
        closing = self._channel.close()
        if isinstance(closing, Awaitable):
            await closing

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _drive(self, script: Script[R]) -> R:
        reply: Reply | None = None
        while True:
            try:
                step = script.send(reply)
            except StopIteration as done:
                return done.value
            if isinstance(step, Sleep):
                await asyncio.sleep(step.seconds)
                reply = None
            else:
                reply = await self._send(step)

    async def _send(self, step: Send) -> Reply:
        method = _method(self._methods, self._channel, step.call)
        try:
            return Reply(Code.OK, await method(step.call.request, timeout=step.timeout_seconds, **self._told))
        except grpc.RpcError as error:
            return _reply(error)


def _options(options: Options | None, timeout_seconds: float | None) -> Options:
    options = options or Options()
    return options if timeout_seconds is None else replace(options, timeout_seconds=timeout_seconds)


def _told(options: Options) -> dict[str, Any]:
    """What a call says beside its message."""
    return {} if options.token is None else {"metadata": (("authorization", f"Bearer {options.token}"),)}


def _channel(target: Any, tls: Tls | None, module: Any, rest: Callable[[str, Tls | None], Any]) -> Any:
    """A channel that was given, or one of ``grpc``, ``grpc.aio`` or REST, which connects when first used."""
    if not isinstance(target, str):
        return target
    if not target:
        raise ConfigError("an empty server address", "host:port", "name the server, e.g. 127.0.0.1:8500")
    if target.lower().startswith(("http://", "https://")):
        return rest(target, tls)
    if tls is None:
        return module.insecure_channel(target, options=_CHANNEL_OPTIONS)
    credentials = grpc.ssl_channel_credentials(tls.roots, tls.key, tls.certificate)
    return module.secure_channel(target, credentials, options=_CHANNEL_OPTIONS)


def _method(known: dict[str, Any], channel: Any, call: Call[Any]) -> Any:
    if call.path not in known:
        known[call.path] = channel.unary_unary(
            call.path,
            request_serializer=type(call.request).SerializeToString,
            response_deserializer=call.answer.FromString,
        )
    return known[call.path]


def _reply(error: Any) -> Reply:
    """Code and text of a failed call."""
    told = dict(error.trailing_metadata() or ())
    final = str(told.get(RETRY_AFTER, "")).startswith("-")
    return Reply(Code(error.code().value[0]), None, error.details() or "", final)
