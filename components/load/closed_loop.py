"""Closed-loop load: N clients that each send their next request when the last one is answered.

Requests are built once, so that what is measured is the server (and the wire), not the client. Bounded in time, in
requests and in memory. Works against the embedded server and against TensorFlow Serving, over gRPC and REST.
"""

import asyncio
import math
import random
import time
from array import array
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

import numpy as np
import orjson

from kilnworks.components.load.connection import RestConnection
from kilnworks.components.serving.client import SignatureMeta, calls, our_errors
from kilnworks.schemas.errors import ConfigError, ServerUnavailable

Protocol = Literal["grpc", "rest"]
Send = Callable[[], Awaitable[str]]

MAX_CLIENTS = 1024
MAX_SECONDS = 3600.0
_KEPT_LATENCIES = 1_000_000


@dataclass(frozen=True)
class LoadReport:
    """What a load run saw.

    Attributes:
        protocol: ``grpc`` or ``rest``.
        clients: how many sent at a time.
        rows: batch size of each request.
        seconds: wall time measured, without the warm-up.
        requests: answered without an error.
        errors: by code (``UNAVAILABLE``, ``503``, ``connection``): how many.
        requests_per_second: answered without an error, per second.
        p50_ms: half of the answers came within this many milliseconds; NaN when none came.
        p95_ms, p99_ms: likewise 95 and 99 of 100.
    """

    protocol: Protocol
    clients: int
    rows: int
    seconds: float
    requests: int
    errors: Mapping[str, int]
    requests_per_second: float
    p50_ms: float
    p95_ms: float
    p99_ms: float


@dataclass
class _Tally:
    """Counts of a run while it goes on; latencies beyond a million are sampled."""

    requests: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    chance: random.Random = field(default_factory=lambda: random.Random(0))

    def add(self, seconds: float, problem: str) -> None:
        """Count a request; the time of one that failed (``problem`` is its code) does not count."""
        if problem:
            self.errors[problem] += 1
            return
        self.requests += 1
        if len(self.latencies) < _KEPT_LATENCIES:
            self.latencies.append(seconds)
        else:
            place = self.chance.randrange(self.requests)
            if place < _KEPT_LATENCIES:
                self.latencies[place] = seconds


def run_load(
    address: str,
    model: str,
    inputs: Mapping[str, Any],
    *,
    protocol: Protocol = "grpc",
    clients: int = 4,
    seconds: float = 10.0,
    warmup_seconds: float = 0.5,
    max_requests: int | None = None,
    signature: str = "",
    timeout_seconds: float = 30.0,
) -> LoadReport:
    """Send one prediction request again and again.

    Args:
        address: ``host:port`` of the gRPC or REST port.
        model: name of the served model.
        inputs: by alias the batch that every request carries.
        protocol: which port ``address`` is.
        clients: 1 to 1024.
        seconds: how long to measure, at most an hour.
        warmup_seconds: sent before and not counted.
        max_requests: stop earlier after so many answers; None = no such bound.
        signature: "" = ``serving_default``.
        timeout_seconds: an answer that takes longer counts as an error.

    Raises:
        ConfigError: a bound is out of range, or ``address`` is not ``host:port``.
        ServerUnavailable: not one request was answered.
    """
    _check(address, protocol, clients, seconds)
    run = _run_grpc if protocol == "grpc" else _run_rest
    with our_errors():
        request = calls.predict(model, inputs, signature=signature).request
    bounds = _Bounds(clients, seconds, warmup_seconds, max_requests, timeout_seconds)
    tally, took = asyncio.run(run(address, request, inputs, bounds))
    if not tally.requests:
        seen = ", ".join(f"{code} x {count}" for code, count in tally.errors.items()) or "no answer at all"
        raise ServerUnavailable(
            f"no request to {address} succeeded ({seen})", "a model server that answers", "check address and model"
        )
    rows = max((len(v) if np.ndim(v) else 1 for v in inputs.values()), default=0)
    latencies = np.sort(np.frombuffer(tally.latencies, np.float64)) * 1e3
    p50, p95, p99 = (float(np.quantile(latencies, q)) for q in (0.5, 0.95, 0.99))
    return LoadReport(
        protocol, clients, rows, took, tally.requests, dict(tally.errors), tally.requests / took, p50, p95, p99
    )


def inputs_like(signature: SignatureMeta, rows: int, seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """Made-up inputs that fit a signature: numbers 0 to 1, integers 0 or 1, empty texts; unknown sizes are ``rows``."""
    chance = np.random.default_rng(seed)
    made: dict[str, np.ndarray[Any, Any]] = {}
    for alias, meta in signature.inputs.items():
        shape = [rows if size < 0 else size for size in (meta.shape if meta.shape is not None else (-1,))]
        if meta.dtype == "string":
            made[alias] = np.full(shape, b"", object)
        elif np.dtype(meta.dtype).kind == "f":
            made[alias] = chance.random(shape).astype(meta.dtype)
        else:
            made[alias] = chance.integers(0, 2, shape).astype(meta.dtype)
    return made


def rest_body(inputs: Mapping[str, Any], signature: str = "") -> bytes:
    """The request as JSON: row form when every input has the same number of rows, column form otherwise."""
    lists = {alias: _plain(value) for alias, value in inputs.items()}
    head = {"signature_name": signature} if signature else {}
    sizes = {len(v) if isinstance(v, list) else -1 for v in lists.values()}
    if sizes == {-1} or len(sizes) > 1 or 0 in sizes:
        return orjson.dumps({**head, "inputs": lists})
    if len(lists) == 1:
        return orjson.dumps({**head, "instances": next(iter(lists.values()))})
    rows = [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
    return orjson.dumps({**head, "instances": rows})


@dataclass(frozen=True)
class _Bounds:
    clients: int
    seconds: float
    warmup_seconds: float
    max_requests: int | None
    timeout_seconds: float


def _check(address: str, protocol: str, clients: int, seconds: float) -> None:
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdigit()):
        raise ConfigError(f"the address {address!r}", "host:port", "for example 127.0.0.1:8500")
    if protocol not in ("grpc", "rest"):
        raise ConfigError(f"the protocol {protocol!r}", "grpc or rest", "choose one of them")
    if not 1 <= clients <= MAX_CLIENTS:
        raise ConfigError(f"{clients} clients", f"1 to {MAX_CLIENTS}", "choose fewer")
    if not 0 < seconds <= MAX_SECONDS or not math.isfinite(seconds):
        raise ConfigError(f"{seconds:g} seconds", f"more than 0 and at most {MAX_SECONDS:g}", "choose another time")


def _plain(value: Any) -> Any:
    """Nested lists of JSON values. float32 numbers are written with the digits that they need, not those of float64."""
    array_value = np.asarray(value)
    if array_value.dtype.kind in "biuf":
        return orjson.loads(orjson.dumps(np.ascontiguousarray(array_value), option=orjson.OPT_SERIALIZE_NUMPY))
    texts = array_value.astype(object)
    for place, item in np.ndenumerate(texts):
        texts[place] = item.decode() if isinstance(item, bytes) else str(item)
    return texts.tolist()


async def _drive(sends: list[Send], bounds: _Bounds) -> tuple[_Tally, float]:
    """Let every client run: first the warm-up, then the measured time."""
    if bounds.warmup_seconds > 0:
        await _rounds(sends, bounds.warmup_seconds, None, bounds.timeout_seconds)
    start = time.perf_counter()
    tally = await _rounds(sends, bounds.seconds, bounds.max_requests, bounds.timeout_seconds)
    return tally, time.perf_counter() - start


async def _rounds(sends: list[Send], seconds: float, max_requests: int | None, timeout_seconds: float) -> _Tally:
    tally = _Tally()
    end = time.perf_counter() + seconds

    async def client(send: Send) -> None:
        """Ask again as soon as an answer is there; after an error, 10 ms later."""
        started = time.perf_counter()
        while started < end and (max_requests is None or tally.requests + tally.errors.total() < max_requests):
            problem = await send()
            now = time.perf_counter()
            tally.add(now - started, problem)
            if problem:
                await asyncio.sleep(0.01)
            started = time.perf_counter()

    async with asyncio.timeout(seconds + timeout_seconds + 5):
        await asyncio.gather(*(client(send) for send in sends))
    return tally


async def _run_grpc(address: str, request: Any, _: Mapping[str, Any], bounds: _Bounds) -> tuple[_Tally, float]:
    import grpc.aio

    body = request.SerializeToString()
    options = (("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1))
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        method = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")

        async def send() -> str:
            """One request; empty, or the code of what went wrong."""
            try:
                await method(body, timeout=bounds.timeout_seconds)
            except grpc.aio.AioRpcError as error:
                return str(error.code().name)
            return ""

        return await _drive([send] * bounds.clients, bounds)


async def _run_rest(address: str, request: Any, inputs: Mapping[str, Any], bounds: _Bounds) -> tuple[_Tally, float]:
    body = rest_body(inputs, request.model_spec.signature_name)
    head = (
        f"POST /v1/models/{quote(request.model_spec.name, safe='')}:predict HTTP/1.1\r\nHost: {address}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    host, _, port = address.rpartition(":")
    clients = [
        RestConnection(host, int(port), head.encode() + body, bounds.timeout_seconds) for _ in range(bounds.clients)
    ]
    try:
        return await _drive([client.send for client in clients], bounds)
    finally:
        for client in clients:
            client.close()
