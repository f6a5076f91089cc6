"""Messages of a few bytes that stand for gigabytes."""

import json

import grpc
import pytest
from tensorflow_serving.apis import classification_pb2, predict_pb2, prediction_service_pb2_grpc, regression_pb2

from tests.e2e.security.attacked_models import INPUTS
from tests.e2e.security.attacked_server import CLOSE, Attacked

pytestmark = pytest.mark.e2e

FLOAT, STRING, INT8 = 1, 7, 6


def predict(server: Attacked, signature: str, message_options=(), **inputs) -> tuple[str, str]:
    """Code and text of a Predict call whose inputs are (dtype, shape, value, alias of the values)."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "m", signature
    for alias, (dtype, shape, field, values) in inputs.items():
        tensor = request.inputs[alias]
        tensor.dtype = dtype
        getattr(tensor, field).extend(values)
        for size in shape:
            tensor.tensor_shape.dim.add().size = size
    with grpc.insecure_channel(server.grpc, list(message_options)) as channel:
        try:
            prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=60)
        except grpc.RpcError as error:
            return error.code().name, error.details() or ""
    return "OK", ""


def many(rows: int) -> dict[str, object]:
    return {f"x{i}": (FLOAT, [rows, 1], "float_val", [1.0]) for i in range(INPUTS)}


def test_one_value_a_shape_and_nineteen_inputs(server: Attacked) -> None:
    assert predict(server, "many", **many(1000)) == ("OK", "")
    server.forget_peak()
    before = server.memory_mb()
    code, text = predict(server, "many", **many(2**24))
    assert code == "RESOURCE_EXHAUSTED"
    assert text == f"The tensors of the request take {INPUTS * 2**26} bytes, of at most 67108864 (--max_request_mb=64)"
    assert server.memory_mb("VmHWM") - before < 20, "nothing was allocated"
    metrics = server.metrics()
    assert ":kilnworks:serving:request_limit_bytes 67108864" in metrics
    assert ':kilnworks:serving:requests_refused{reason="tensors"}' in metrics


@pytest.mark.parametrize(
    ("signature", "inputs", "wanted"),
    [
        ("", {"x": (FLOAT, [2**24 + 1], "float_val", [1.0])}, "RESOURCE_EXHAUSTED"),
        ("", {"x": (FLOAT, [2**24 + 1], "float_val", [])}, "RESOURCE_EXHAUSTED"),
        ("", {"x": (FLOAT, [2**30, 2**30, 2**30], "float_val", [1.0])}, "RESOURCE_EXHAUSTED"),
        ("", {"x": (FLOAT, [2**40], "float_val", [1.0])}, "INVALID_ARGUMENT"),
        ("", {"x": (FLOAT, [-5], "float_val", [1.0])}, "INVALID_ARGUMENT"),
        ("", {"x": (FLOAT, [2**30, 2**30, 0], "float_val", [])}, "OK"),
        ("text", {"text": (STRING, [2**20], "string_val", [b"a" * 100])}, "RESOURCE_EXHAUSTED"),
        ("text", {"text": (STRING, [2**21], "string_val", [])}, "RESOURCE_EXHAUSTED"),
        ("text", {"text": (STRING, [1000], "string_val", [b"a" * 1000])}, "OK"),
        ("many", {"x0": (INT8, [2**26 + 1], "int_val", [1])}, "RESOURCE_EXHAUSTED"),
        ("", {"x": (FLOAT, [1], "float_val", [1.0]), "z": (FLOAT, [2**25], "float_val", [1.0])}, "RESOURCE_EXHAUSTED"),
    ],
)
def test_shapes_larger_than_their_values(server: Attacked, signature: str, inputs, wanted: str) -> None:
    server.forget_peak()
    before = server.memory_mb()
    assert predict(server, signature, **inputs)[0] == wanted
    assert server.memory_mb("VmHWM") - before < 20


def test_a_context_in_front_of_many_examples(server: Attacked) -> None:
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "m"
    listed = request.input.example_list_with_context
    listed.context.features.feature["a"].bytes_list.value.append(b"a" * 100_000)
    for _ in range(10_000):
        listed.examples.add()
    server.forget_peak()
    before = server.memory_mb()
    with grpc.insecure_channel(server.grpc) as channel, pytest.raises(grpc.RpcError) as found:
        prediction_service_pb2_grpc.PredictionServiceStub(channel).Classify(request, timeout=60)
    assert found.value.code().name == "RESOURCE_EXHAUSTED"
    body = json.dumps({"context": {"a": "a" * 100_000}, "examples": [{}] * 10_000}).encode()
    head = b"POST /v1/models/m:classify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n" % len(body)
    [answer] = server.send(head + CLOSE + b"\r\n" + body)
    assert (answer.status, "--max_request_mb=64" in json.loads(answer.body)["error"]) == (413, True)
    assert server.memory_mb("VmHWM") - before < 40, "a gigabyte was asked for"


def test_a_message_of_millions_of_empty_parts(server: Attacked) -> None:
    """Parsed first, 40 MB of empty Examples took 1.9 GB."""
    attacks = {
        "Classify": (classification_pb2.ClassificationRequest, b"\x0a\x00"),
        "Regress": (regression_pb2.RegressionRequest, b"\x0a\x02\x0a\x00"),
        "Predict": (predict_pb2.PredictRequest, b"\x12\x00"),
    }
    server.forget_peak()
    before = server.memory_mb()
    with grpc.insecure_channel(server.grpc) as channel:
        for method, (kind, part) in attacks.items():
            parts = part * (20_000_000 // len(part))
            if method != "Predict":
                parts = b"\x12" + length(len(parts) + 5) + b"\x0a" + length(len(parts)) + parts
            data = kind(model_spec={"name": "m"}).SerializeToString() + parts
            ask = channel.unary_unary(f"/tensorflow.serving.PredictionService/{method}")
            with pytest.raises(grpc.RpcError) as found:
                ask(data, timeout=60)
            assert found.value.code().name == "RESOURCE_EXHAUSTED"
            assert "The parts of the message take at least" in found.value.details()
    assert server.memory_mb("VmHWM") - before < 100, "the bytes themselves, and nothing made of them"
    assert ':kilnworks:serving:requests_refused{reason="message"} 3' in server.metrics()


def length(size: int) -> bytes:
    """A varint of four bytes."""
    return bytes([size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14 & 0x7F | 0x80, size >> 21])


def test_a_message_larger_than_a_request_may_be(server: Attacked) -> None:
    code, text = predict(server, "", x=(FLOAT, [2**24 + 2**20], "float_val", [1.0] * (2**24 + 2**20)))
    assert code == "RESOURCE_EXHAUSTED" and str(64 * 2**20) in text
