"""Bodies that cost more than they weigh, and what others notice of them."""

import gzip
import json
import threading
import time
from collections.abc import Callable

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from tests.e2e.security.answers import Answer
from tests.e2e.security.attacked_server import CLOSE, PREDICT, Attacked, Visitor

pytestmark = pytest.mark.e2e

GZIP = PREDICT + b"Content-Encoding: gzip\r\n"


def post(server: Attacked, body: bytes, head: bytes = PREDICT) -> Answer:
    [answer] = server.send(head + CLOSE + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return answer


def keeps_nobody_waiting(server: Attacked, answered: Callable[[], bool]) -> bool:
    """Whether others are answered meanwhile: a busy machine may hold them up once, the server would each time."""

    def quick() -> bool:
        with Visitor(server) as visitor:
            began = time.monotonic()
            assert answered()
            took = time.monotonic() - began
        return max(visitor.seconds) < max(0.5, took / 6)

    return any(quick() for _ in range(3))


def numbers(count: int) -> bytes:
    """A list of random numbers of three digits."""
    digits = np.random.default_rng(0).integers(48, 58, (count, 4)).astype(np.uint8)
    digits[:, 0], digits[:, 3] = ord("1"), ord(",")
    return b'{"inputs":[' + digits.tobytes()[:-1] + b"]}"


def test_a_hundred_kilobytes_that_unpack_to_a_hundred_megabytes(server: Attacked) -> None:
    bomb = gzip.compress(b'{"inputs":[' + b"0.0," * 25_000_000 + b"0.0]}")
    server.forget_peak()
    before = server.memory_mb()
    answer = post(server, bomb, GZIP)
    assert answer.status == 413
    assert "unpacks to more than" in json.loads(answer.body)["error"]
    assert server.memory_mb("VmHWM") - before < 60


def test_a_body_that_unpacks_to_more_than_a_request_may_hold(server: Attacked) -> None:
    answer = post(server, gzip.compress(numbers(17_000_000), 1), GZIP)
    assert (answer.status, "--max_request_mb=64" in json.loads(answer.body)["error"]) == (413, True)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (lambda: numbers(12_000_000), 200),
        (lambda: b'{"inputs":[' + b'"",' * 2_000_000 + b'""]}', 400),
        (lambda: b'{"inputs":[' + b"[]," * 3_000_000 + b"[]]}", 200),
        (lambda: b'{"inputs":[' + b"{}," * 5_000_000 + b"{}]}", 413),
        (lambda: b'{"a":1,"a":2,"inputs":[' + b"1," * 3_000_000, 400),
    ],
    ids=["numbers", "texts", "lists", "objects", "cut off"],
)
def test_others_are_answered_while_a_large_body_is_read(
    server: Attacked, body: Callable[[], bytes], status: int
) -> None:
    """A parser in the server's own interpreter kept them waiting for a third of the time."""
    data = body()
    assert keeps_nobody_waiting(server, lambda: post(server, data).status == status)


@pytest.mark.parametrize("unit", [b"{},", b"[],", b'{"a":1,"a":2},', b"Inf,", b'"a",', b"["])
def test_a_body_that_is_wrong_only_at_its_end(server: Attacked, unit: bytes) -> None:
    """Just small enough to be read in the server itself."""
    answer = post(server, b'{"inputs":[' + unit * ((2 * 2**20 - 100) // len(unit)) + b"x")
    assert answer.status == 400
    assert json.loads(answer.body)["error"].startswith("JSON Parse error: ")


def test_eight_large_bodies_at_a_time_take_what_a_few_take(server: Attacked) -> None:
    body = gzip.compress(numbers(8_000_000), 1)
    server.forget_peak()
    before = server.memory_mb()
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(post(server, body, GZIP).status)) for _ in range(8)]
    with Visitor(server) as visitor:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert set(found) <= {200, 503} and found.count(200) >= 4
    assert server.memory_mb("VmHWM") - before < 700, "unpacked and as tensors all would take twice as much"
    assert visitor.seconds


def test_others_are_answered_while_a_large_message_is_read(server: Attacked) -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "m"
    request.inputs["x"].dtype = 1
    request.inputs["x"].float_val.extend(np.zeros(15_000_000, np.float32))
    request.inputs["x"].tensor_shape.dim.add().size = 15_000_000
    with grpc.insecure_channel(server.grpc) as channel:
        ask = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
        assert keeps_nobody_waiting(server, lambda: ask(request, timeout=120).outputs["y"].float_val[0] == 0.0)
