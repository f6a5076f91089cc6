"""The REST interface against a real model in a real process: each REST cell of the contract's tables is a case."""

import gzip
import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kilnworks.components.load.closed_loop import inputs_like, run_load
from kilnworks.components.serving.client import AsyncClient, Client
from kilnworks.schemas.errors import ConfigError, RequestInvalid, ServerUnavailable, UnknownName
from tests.e2e.serving.rest_process import Served, serving
from tests.waiting import LONG_SECONDS, until

pytestmark = pytest.mark.e2e

# ruff: noqa: E501  (one case a line)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("rest")) as found:
        yield found


def test_predict_in_both_forms(served: Served) -> None:
    wanted = [2.5, 3.0, 4.5]
    assert served.predict({"instances": [1, 2, 5]}) == (200, {"predictions": wanted})
    assert served.predict({"instances": [{"x": 1}, {"x": 2}, {"x": 5}]}) == (200, {"predictions": wanted})
    assert served.predict({"inputs": [1, 2, 5]}) == (200, {"outputs": wanted})
    assert served.predict({"inputs": {"x": [1, 2, 5]}}) == (200, {"outputs": wanted})
    assert served.predict({"inputs": {"x": 4}}) == (200, {"outputs": 4.0})
    for which in ("/versions/1", "/versions/2", "/labels/stable", "/versions/0002"):
        assert served.predict({"instances": [1]}, f"/v1/models/half{which}:predict") == (200, {"predictions": [2.5]})


def test_several_outputs(served: Served) -> None:
    status, row = served.predict({"signature_name": "two", "instances": [{"a": 1, "b": 2.5}, {"b": 0, "a": -1}]})
    assert (status, row) == (
        200,
        {
            "predictions": [
                {"sum": 3.5, "pair": [1.0, 2.5], "text": "1.000000", "raw_bytes": {"b64": "Mi41MDAwMDA="}},
                {"sum": -1.0, "pair": [-1.0, 0.0], "text": "-1.000000", "raw_bytes": {"b64": "MC4wMDAwMDA="}},
            ]
        },
    )
    status, column = served.predict({"signature_name": "two", "inputs": {"a": [1], "b": [2], "ignored": 5}})
    assert (status, column["outputs"]["pair"], column["outputs"]["sum"]) == (200, [[1.0, 2.0]], [3.0])


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("float64", [0.1, -1e300, 3.0]),
        ("int8", [-128, 127]),
        ("int16", [-32768, 32767]),
        ("int32", [-(2**31), 2**31 - 1]),
        ("int64", [-(2**63), 2**63 - 1]),
        ("uint8", [0, 255]),
        ("uint32", [0, 2**32 - 1]),
        ("uint64", [0, 2**64 - 1]),
        ("bool", [True, False]),
        ("string", ["a", '\u00e9\n"', ""]),
    ],
)
def test_every_dtype_goes_in_and_comes_out(served: Served, dtype: str, values: list[object]) -> None:
    status, found = served.predict({"signature_name": f"echo_{dtype}", "instances": values})
    assert (status, found) == (200, {"predictions": values})
    assert json.dumps(found["predictions"]) == json.dumps(values)


def test_numbers_without_json_words(served: Served) -> None:
    status, found = served.predict(b'{"signature_name":"strange","instances":[1,-1,0,NaN,Infinity,-Inf]}')
    inf = float("inf")
    np.testing.assert_array_equal(found["predictions"], [inf, -inf, np.nan, np.nan, inf, -inf])
    assert status == 200


PREDICT = "/v1/models/half:predict"
ELEMENT = "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: "


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("/v1/models/:predict", {"instances": [1]}, 400, "Malformed request: POST /v1/models/:predict"),
        ("/v1/models/no:predict", {"instances": [1]}, 404, "Servable not found for request: Latest(no)"),
        ("/v1/models/half/versions/9:predict", {"instances": [1]}, 404, "Servable not found for request: Specific(half, 9)"),
        ("/v1/models/half/labels/l:predict", {"instances": [1]}, 400, "Unrecognized servable version label: l"),
        (PREDICT, {"signature_name": "s", "instances": [1]}, 400, 'Serving signature name: "s" not found in signature def'),
        ("/v1/models/half:classify", {"signature_name": "s", "examples": [{}]}, 400, "No signature was found with the name: s"),
        ("/v1/models/half:regress", {"signature_name": "s", "examples": [{}]}, 400, "No signature was found with the name: s"),
        (PREDICT, {"signature_name": "two", "inputs": {"a": 1}}, 400, "Missing named input: b in 'inputs' object."),
        (PREDICT, {"instances": ["x"]}, 400, ELEMENT + 'JSON Value: "x" Type: String is not of expected type: float'),
        (PREDICT, {"inputs": ["x"]}, 400, 'JSON Value: "x" Type: String is not of expected type: float'),
        (PREDICT, {"instances": [[1, 2], [3]]}, 400, "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: Expecting tensor size: 2 but got: 1"),
        (PREDICT, b"", 400, "JSON Parse error: The document is empty"),
        (PREDICT, b'{"instances": [1', 400, "JSON Parse error: Expecting ',' delimiter: line 1 column 17 (char 16)"),
        (PREDICT, b"[1]", 400, "JSON Value: [1] Is not object"),
        (PREDICT, {}, 400, "Missing 'inputs' or 'instances' key"),
        (PREDICT, {"signature_name": "two", "instances": [1]}, 400, "instances is a plain list, but expecting list of objects as multiple input tensors required as per tensorinfo_map"),
        ("/v1/models/half:classify", {"signature_name": "classify", "examples": []}, 400, 'JSON Value: {\n    "signature_name": "classify",\n    "examples": []\n} \'examples\' value is an empty array'),
        (PREDICT, {"signature_name": "to_half", "instances": [1]}, 400, "Failed to write JSON value for tensor type: half"),
        (PREDICT, {"signature_name": "echo_float16", "inputs": [1]}, 501, "Conversion of JSON Value: 1 to type: half"),
        (PREDICT, {"signature_name": "scalar", "instances": [1]}, 400, "Tensor name: s has no shape information "),
        (PREDICT, {"signature_name": "uneven", "instances": [1, 2, 3]}, 400, "Tensor name: b has inconsistent batch size: 2 expecting: 3"),
        (PREDICT, {"signature_name": "endless", "instances": [1]}, 504, "Timed out waiting for notification"),
    ],
)  # fmt: skip
def test_errors(served: Served, path: str, body: object, status: int, text: str) -> None:
    assert served.ask("POST", path, body) == (status, {"error": text})


@pytest.mark.parametrize(
    ("path", "body", "part"),
    [
        (PREDICT, {"signature_name": "two", "instances": [{"a": 1}]}, "keys must be equal to: a,b"),
        (PREDICT, {"instances": [{"x": 1, "z": 2}]}, "JSON object: does not have named input: z"),
        (PREDICT, {"signature_name": "matrix", "instances": [[1, 2, 3]]}, "Matrix size-incompatible"),
        (PREDICT, {"instances": [1], "inputs": [1]}, "expecting only one of 'inputs' or 'instances' keys to exist"),
        (PREDICT, {"instances": 1}, "Expecting 'instances' to be an list/array"),
        (PREDICT, {"instances": []}, "No values in 'instances' array"),
        (PREDICT, {"signature_name": 1}, "'signature_name' key must be a string value."),
        ("/v1/models/half:classify", {"signature_name": "classify"}, "key 'examples' is expected and was not found"),
        ("/v1/models/half:classify", {"signature_name": "classify", "examples": [{"x": 2}]}, "Data types don't match"),
        ("/v1/models/half:regress", {"signature_name": "regress", "examples": [{}]}, "x"),
        ("/v1/models/half:regress", {"signature_name": "two", "examples": [{}]}, "input"),
        (PREDICT, {"signature_name": "__saved_model_init_op", "instances": [1]}, "__saved_model_init_op"),
    ],
)  # fmt: skip
def test_errors_in_part(served: Served, path: str, body: object, part: str) -> None:
    status, found = served.ask("POST", path, body)
    assert status == 400
    assert part in found["error"]


def test_classify_and_regress(served: Served) -> None:
    body = {"signature_name": "regress", "examples": [{"x": 1.0}, {"x": [5.0]}]}
    assert served.ask("POST", "/v1/models/half:regress", body) == (200, {"results": [2.5, 4.5]})
    body = {"signature_name": "classify", "context": {"x": 0.25}, "examples": [{}, {"x": 0.5}]}
    assert served.ask("POST", "/v1/models/half/versions/1:classify", body) == (
        200,
        {"results": [[["low", 0.25], ["high", 0.75]], [["low", 0.5], ["high", 0.5]]]},
    )


def test_status_and_metadata(served: Served) -> None:
    status, found = served.ask("GET", "/v1/models/half")
    assert status == 200
    assert [(v["version"], v["state"]) for v in found["model_version_status"]] == [
        ("2", "AVAILABLE"),
        ("1", "AVAILABLE"),
    ]
    assert found["model_version_status"][0]["status"] == {"error_code": "OK", "error_message": ""}
    assert len(served.ask("GET", "/v1/models/half/versions/1")[1]["model_version_status"]) == 1
    assert len(served.ask("GET", "/v1/models/half/labels/stable")[1]["model_version_status"]) == 2
    assert served.ask("GET", "/v1/models/no") == (404, {"error": "Could not find any versions of model no"})
    assert served.ask("GET", "/v1/models/half/versions/9") == (404, {"error": "Could not find version 9 of model half"})
    status, found = served.ask("GET", "/v1/models/half/metadata")
    assert found["model_spec"] == {"name": "half", "signature_name": "", "version": "2"}
    signatures = found["metadata"]["signature_def"]["signature_def"]
    assert "__saved_model_init_op" in signatures
    x = signatures["serving_default"]["inputs"]["x"]
    assert x["dtype"] == "DT_FLOAT"
    assert x["tensor_shape"] == {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
    assert x["name"].endswith(":0")
    assert signatures["serving_default"]["method_name"] == "tensorflow/serving/predict"
    assert served.ask("GET", "/v1/models/no/metadata")[0] == 404


def test_transport(served: Served) -> None:
    body = gzip.compress(b'{"instances":[1]}')
    assert served.ask("POST", PREDICT, body, **{"Content-Encoding": "gzip"}) == (200, {"predictions": [2.5]})
    assert served.ask("POST", PREDICT, {"instances": [1]}, **{"Content-Type": "text/plain"})[0] == 200
    assert served.ask("GET", "/elsewhere")[0] == 404
    client = http.client.HTTPConnection(served.rest, timeout=10)
    client.request("OPTIONS", PREDICT, headers={"Origin": "http://a"})
    answer = client.getresponse()
    assert (answer.status, answer.read()) == (200, b"")
    assert answer.getheader("Access-Control-Allow-Origin") == "*"
    assert answer.getheader("Access-Control-Allow-Methods") == "POST, GET"
    assert answer.getheader("Access-Control-Allow-Headers") == "Content-Type"
    client.close()
    assert served.ask("GET", "/v1/health/ready") == (200, {"status": "ready"})
    page = served.ask("GET", "/monitoring/prometheus/metrics")[1]
    assert ':tensorflow:serving:request_count{model_name="half",status="OK"}' in page
    assert ':kilnworks:serving:prediction_log_records{outcome="written"}' in page
    assert ':tensorflow:serving:runtime_latency_count{model_name="half",API="Predict",runtime="TF1"}' in page


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances":' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"instances":' + b"[" * 10_000,
        b'{"a":' * 10_000,
        b'{"instances":[' + b"1," * 100_000,
        b"\xff" * 1000,
        b'{"instances":["' + b"a" * 5_000_000,
    ],
)
def test_hostile_bodies_are_refused_and_the_server_goes_on(served: Served, body: bytes) -> None:
    status, found = served.predict(body)
    assert status == 400 and "error" in found
    assert served.predict({"instances": [1]})[0] == 200


def test_a_large_tensor_goes_through_and_its_memory_comes_back(served: Served) -> None:
    """500,000 numbers as JSON, eight times: the process does not grow from one to the next."""

    def resident_mb() -> float:
        pages = int(Path(f"/proc/{served.process.pid}/statm").read_text().split()[1])
        return pages * 4096 / 2**20

    values = np.linspace(0, 100, 500_000, dtype=np.float32)
    body = b'{"instances":[' + b",".join(b"%.4f" % v for v in values.tolist()) + b"]}"
    seen = []
    for _ in range(8):
        status, found = served.predict(body)
        assert (status, len(found["predictions"])) == (200, 500_000)
        seen.append(resident_mb())
    np.testing.assert_allclose(found["predictions"], values / 2 + 2, atol=1e-4)
    assert max(seen[4:]) < max(seen[:4]) + 50, seen


def test_the_contract_saved_with_a_version_is_checked(served: Served) -> None:
    text = "The request breaks the contract: column 'x', row 1: must be at most 1000 kg (got 1500)"
    with_contract = "/v1/models/half/versions/1:predict"
    assert served.predict({"instances": [1, 1500]}, with_contract) == (400, {"error": text})
    assert served.predict({"instances": [1, 1500]})[0] == 200
    with Client(served.grpc) as client, pytest.raises(RequestInvalid, match="at most 1000 kg"):
        client.predict("half", {"x": [1500.0]}, version=1)


def test_client_against_the_server(served: Served) -> None:
    with Client(served.grpc) as client:
        assert client.wait_until_available("half", 2).state == "AVAILABLE"
        found = client.predict("half", {"x": np.array([1, 2, 5], np.float32)}, label="stable", outputs=["y"])
        assert (found.model, found.version, found.signature) == ("half", 1, "serving_default")
        np.testing.assert_array_equal(found.outputs["y"], np.array([2.5, 3, 4.5], np.float32))
        texts = client.predict("half", {"x": ["a", b"\xff\x00"]}, signature="echo_string").outputs["y"]
        assert texts.tolist() == [b"a", b"\xff\x00"]
        assert client.classify("half", [{"x": 0.25}], signature="classify") == [[("low", 0.25), ("high", 0.75)]]
        np.testing.assert_array_equal(client.regress("half", [{"x": 1.0}], signature="regress"), [2.5])
        meta = client.metadata("half", version=1)
        assert (meta.version, meta.signatures["matrix"].inputs["x"].shape) == (1, (-1, 2))
        assert [s.version for s in client.status("half")] == [2, 1]
        with pytest.raises(RequestInvalid, match="Servable not found for request: Latest"):
            client.predict("no", {"x": [1.0]})
        with pytest.raises(ServerUnavailable, match=r"no answer within 0\.3 s"):
            client.predict("half", {"x": [1.0]}, signature="endless", timeout_seconds=0.3)


def test_asyncio_client_against_the_server(served: Served) -> None:
    import asyncio

    async def main() -> list[float]:
        async with AsyncClient(served.grpc) as client:
            answers = await asyncio.gather(*(client.predict("half", {"x": [float(i)]}) for i in range(20)))
            return [float(a.outputs["y"][0]) for a in answers]

    assert asyncio.run(main()) == [i / 2 + 2 for i in range(20)]


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_load(served: Served, protocol: str) -> None:
    with Client(served.grpc) as client:
        inputs = inputs_like(client.metadata("half").signatures["serving_default"], rows=3)
    address = served.grpc if protocol == "grpc" else served.rest
    report = run_load(address, "half", inputs, protocol=protocol, clients=3, seconds=1.0, warmup_seconds=0.1)
    assert report.errors == {}
    assert report.rows == 3
    assert report.requests >= 3
    assert report.seconds > 0.9
    assert report.requests_per_second == pytest.approx(report.requests / report.seconds)
    assert 0 < report.p50_ms <= report.p95_ms <= report.p99_ms
    few = run_load(address, "half", inputs, protocol=protocol, clients=2, seconds=30, max_requests=10)
    assert 10 <= few.requests <= 12
    code = {"grpc": "NOT_FOUND", "rest": "404"}[protocol]
    with pytest.raises(ServerUnavailable, match=code):
        run_load(address, "no", inputs, protocol=protocol, clients=1, seconds=0.3, warmup_seconds=0)


def test_the_load_command_says_why_a_signature_cannot_be_loaded(served: Served) -> None:
    from kilnworks.pipelines.cli.serving import load

    with pytest.raises(RequestInvalid, match=r"Could not parse example|required but could not be found"):
        load(served.grpc, "half", signature="regress")
    with pytest.raises(UnknownName) as unknown:
        load(served.grpc, "half", signature="nope")
    assert "serving_default" in str(unknown.value)
    assert "__saved_model_init_op" not in str(unknown.value)


def test_load_bounds() -> None:
    for bad in ({"clients": 0}, {"clients": 5000}, {"seconds": 0.0}, {"seconds": 1e9}, {"protocol": "x"}):
        with pytest.raises(ConfigError):
            run_load("127.0.0.1:1", "m", {"x": [1.0]}, **bad)
    with pytest.raises(ConfigError, match="host:port"):
        run_load("nowhere", "m", {"x": [1.0]})
    with pytest.raises(ServerUnavailable, match="connection"):
        run_load("127.0.0.1:1", "m", {"x": [1.0]}, protocol="rest", clients=1, seconds=0.2, warmup_seconds=0)


def test_requests_in_flight_are_answered_when_the_server_stops(served: Served) -> None:
    """Last of the file: SIGTERM while a request runs; it is answered, the process ends with 0 and the log is whole."""
    answers: list[tuple[int, object]] = []
    thread = threading.Thread(
        target=lambda: answers.append(served.predict({"signature_name": "endless", "instances": [1]}))
    )
    thread.start()
    running = ':kilnworks:serving:model_runs{model_name="half"} 1'
    assert until(lambda: running in str(served.ask("GET", "/monitoring/prometheus/metrics")[1]))
    served.process.terminate()
    thread.join()
    assert answers == [(504, {"error": "Timed out waiting for notification"})]
    assert served.process.wait(LONG_SECONDS) == 0
    files = list(served.log.iterdir())
    assert files and all(f.suffix == ".tfrecord" and not f.name.startswith(".") for f in files)
    assert sum(f.stat().st_size for f in files) > 10_000
