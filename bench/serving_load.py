"""Closed-loop load on one model server from N asyncio clients with requests built beforehand; prints one JSON line.

``python bench/serving_load.py grpc 127.0.0.1:8500 digits --batch 32 --clients 4 --seconds 2.5``
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable

import grpc
import numpy as np

from kilnworks.components.serving.client import messages, tensors

PREDICT = "/tensorflow.serving.PredictionService/Predict"
WARM_UP_SECONDS = 0.7
DECIMALS = 4

Ask = Callable[[], Awaitable[bool]]


def images(batch: int) -> np.ndarray:
    """Inputs [batch, 8, 8, 1] float32 with four decimals."""
    return np.random.default_rng(0).random((batch, 8, 8, 1)).round(DECIMALS).astype(np.float32)


def grpc_request(model: str, batch: int) -> bytes:
    """A serialized PredictRequest with typed values."""
    request = messages.PredictRequest()
    request.model_spec.name = model
    tensors.to_proto(images(batch), request.inputs["image"])
    return request.SerializeToString()


def rest_request(model: str, batch: int, host: str) -> bytes:
    """A whole HTTP request with a row-format body."""
    rows = [[[[round(float(v[0]), DECIMALS)] for v in line] for line in image] for image in images(batch)]
    body = json.dumps({"instances": rows}).encode()
    head = f"POST /v1/models/{model}:predict HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def grpc_clients(address: str, request: bytes, clients: int) -> tuple[list[Ask], Callable[[], Awaitable[None]]]:
    """One channel that all clients share, and how to close it."""
    channel = grpc.aio.insecure_channel(address)
    call = channel.unary_unary(PREDICT)

    async def ask() -> bool:
        try:
            return bool(await call(request))
        except grpc.RpcError:
            return False

    return [ask] * clients, channel.close


async def rest_clients(address: str, request: bytes, clients: int) -> tuple[list[Ask], Callable[[], Awaitable[None]]]:
    """One kept-alive connection for each client, and how to close them."""
    host, _, port = address.rpartition(":")
    writers = []

    async def connect() -> Ask:
        reader, writer = await asyncio.open_connection(host, int(port))
        writers.append(writer)

        async def ask() -> bool:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
            await reader.readexactly(int(fields[b"content-length"]))
            return head.startswith(b"HTTP/1.1 200")

        return ask

    async def close() -> None:
        for writer in writers:
            writer.close()

    return [await connect() for _ in range(clients)], close


async def load(asks: list[Ask], seconds: float) -> dict[str, float]:
    """Every client asks again as soon as it has its answer."""
    latencies: list[float] = []
    errors = 0

    async def client(ask: Ask, end: float) -> None:
        nonlocal errors
        while (started := time.perf_counter()) < end:
            if not await ask():
                errors += 1
            latencies.append(time.perf_counter() - started)

    await asyncio.gather(*(client(ask, time.perf_counter() + WARM_UP_SECONDS) for ask in asks))
    latencies.clear()
    started = time.perf_counter()
    await asyncio.gather(*(client(ask, started + seconds) for ask in asks))
    took = time.perf_counter() - started
    p50, p99 = np.percentile(latencies, [50, 99]) * 1e3
    return {"rate": len(latencies) / took, "p50_ms": p50, "p99_ms": p99, "errors": errors}


async def run(arguments: argparse.Namespace) -> dict[str, float]:
    """Connect, load, close."""
    if arguments.protocol == "grpc":
        request = grpc_request(arguments.model, arguments.batch)
        asks, close = await grpc_clients(arguments.address, request, arguments.clients)
    else:
        request = rest_request(arguments.model, arguments.batch, arguments.address)
        asks, close = await rest_clients(arguments.address, request, arguments.clients)
    try:
        return await load(asks, arguments.seconds)
    finally:
        await close()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("protocol", choices=["grpc", "rest"])
    parser.add_argument("address")
    parser.add_argument("model")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.5)
    print(json.dumps(asyncio.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
