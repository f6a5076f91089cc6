"""HTTP requests -> answers without sockets: URLs, codes, headers, health, metrics. The engine is a small real class."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kilnworks.components.serving.batching.turns import waited
from kilnworks.components.serving.errors import Code, ServingError, not_found
from kilnworks.components.serving.inference.metrics import PrometheusMetrics
from kilnworks.components.serving.rest.application import Application
from kilnworks.components.serving.rest.limits import Limits
from kilnworks.components.serving.rest.messages import HTTP_STATUS, Request, Response
from kilnworks.components.serving.settings.hosts import AllowedHosts
from kilnworks.components.serving.settings.options import RestOptions
from kilnworks.components.serving.versions.servable import LoadedServable
from kilnworks.components.serving.wire.feeds import Feeds
from kilnworks.components.serving.wire.tensor_budget import TensorBudget
from kilnworks.components.serving.wire.values import (
    Metadata,
    ModelSpecRef,
    Signature,
    TensorInfo,
    VersionStatus,
)
from tests.components.serving.json_tensors.json_infos import infos


def _named(**kinds: str) -> dict[str, TensorInfo]:
    """Tensors that are called as their alias."""
    return {alias: replace(one, name=f"{alias}:0") for alias, one in infos(**kinds).items()}


@dataclass
class HalfPlusTwo:
    """An engine with one model, ``half``, version 7: y = x / 2 + 2. Remembers the specs that it was asked for."""

    metrics: PrometheusMetrics = field(default_factory=PrometheusMetrics)
    specs: list[ModelSpecRef] = field(default_factory=list)
    timeouts: list[float | None] = field(default_factory=list)
    raises: Exception | None = None
    is_ready: bool = True
    budget: TensorBudget = field(default_factory=TensorBudget)
    core: "HalfPlusTwo | None" = None

    check_method_names, request_check, prediction_log = False, None, None

    def __post_init__(self) -> None:
        self.core = self

    def acquire(self, spec: ModelSpecRef) -> LoadedServable:
        self.specs.append(spec)
        if spec.name != "half":
            raise not_found(f"Servable not found for request: Latest({spec.name})")
        return _held(self)

    @property
    def signatures(self) -> Mapping[str, Signature]:
        examples, scores, values = (
            _named(inputs="string"),
            _named(classes="string", scores="float"),
            _named(outputs="float"),
        )
        plain = Signature("serving_default", _named(x="float"), _named(y="float"), "", {})
        return {
            "serving_default": plain,
            "classes": Signature("classes", examples, scores, "", {}),
            "values": Signature("values", examples, values, "", {}),
        }

    def begin(self, feeds: Feeds, fetches: list[str], timeout: float | None, step_back: object) -> list[np.ndarray]:
        """The run of a graph."""
        self.timeouts.append(timeout)
        if self.raises:
            raise self.raises
        rows = len(np.atleast_1d(feeds[0][1]))
        found = {"outputs": np.full(rows, 0.5, np.float32), "scores": np.full((rows, 1), 0.5, np.float32)}
        found["classes"] = np.full((rows, 1), b"a", object)
        names = [name.partition(":")[0] for name in fetches]
        return [feeds[0][1] / 2 + 2 if name == "y" else found[name] for name in names]

    def status(self, spec: ModelSpecRef) -> tuple[VersionStatus, ...]:
        self.specs.append(spec)
        return (VersionStatus(7, "AVAILABLE", Code.OK, ""), VersionStatus(6, "END", Code.INTERNAL, "broken"))

    def metadata(self, spec: ModelSpecRef) -> Metadata:
        from google.protobuf import struct_pb2

        self.specs.append(spec)
        return Metadata("half", 7, {"serving_default": struct_pb2.Value(string_value="any message")})

    def ready(self) -> bool:
        return self.is_ready


def _held(engine: HalfPlusTwo) -> LoadedServable:
    servable = LoadedServable("half", 7, "/models/half/7", SimpleNamespace(signatures=engine.signatures, runner=engine))
    assert servable.retain()
    return servable


@pytest.fixture
def engine() -> HalfPlusTwo:
    return HalfPlusTwo()


def call(
    engine: HalfPlusTwo,
    method: str,
    target: str,
    body: bytes = b"",
    headers: dict[bytes, bytes] | None = None,
    **options: object,
) -> Response:
    rest = RestOptions(port=0, threads=1, **options)
    application = Application(engine, rest, Limits(body_bytes=10_000), engine.metrics.page)
    answer = application(Request(method, target, headers or {}, body, True))
    return waited(answer)


def error(response: Response) -> str:
    assert response.content_type == b"application/json"
    found = json.loads(response.body)
    assert list(found) == ["error"]
    return found["error"]


@pytest.mark.parametrize(
    ("target", "spec"),
    [
        ("/v1/models/half:predict", ModelSpecRef("half")),
        ("/V1/Models/half:predict", ModelSpecRef("half")),
        ("/v1/models/half/versions/7:predict", ModelSpecRef("half", 7)),
        ("/v1/models/half/versions/0007:predict", ModelSpecRef("half", 7)),
        ("/v1/models/half/labels/stable:predict", ModelSpecRef("half", None, "stable")),
        ("/v1/models/half/labels/a%2Fb:predict", ModelSpecRef("half", None, "a/b")),
        ("http://host:1/v1/models/%68alf:predict", ModelSpecRef("half")),
    ],
)
def test_urls_of_predict(engine: HalfPlusTwo, target: str, spec: ModelSpecRef) -> None:
    response = call(engine, "POST", target, b'{"instances":[1,2,5]}')
    assert (response.status, response.body) == (200, b'{"predictions":[2.5,3.0,4.5]}')
    assert engine.specs == [spec]


@pytest.mark.parametrize(
    ("method", "target", "text"),
    [
        ("POST", "/v1/models/half", "Malformed request: POST /v1/models/half"),
        ("POST", "/v1/models/half:train", "Malformed request: POST /v1/models/half:train"),
        ("POST", "/v1/models/:predict", "Malformed request: POST /v1/models/:predict"),
        ("POST", "/v1/models/a/b:predict", "Malformed request: POST /v1/models/a/b:predict"),
        ("POST", "/v1/models/half/versions/x:predict", "Malformed request: POST /v1/models/half/versions/x:predict"),
        ("POST", "/v1/models/half:predict?a=b", "Malformed request: POST /v1/models/half:predict?a=b"),
        ("GET", "/v1/models/half:predict", "Malformed request: GET /v1/models/half:predict"),
        ("GET", "/v1/models/half/", "Malformed request: GET /v1/models/half/"),
        ("GET", "/v1/other", "Malformed request: GET /v1/other"),
        ("PUT", "/v1/models/half", "Malformed request: PUT /v1/models/half"),
        ("DELETE", "/v1/models/half", "Malformed request: DELETE /v1/models/half"),
        ("HEAD", "/v1/models/half", "Malformed request: HEAD /v1/models/half"),
        ("PATCH", "/v1/models/half", "Malformed request: PATCH /v1/models/half"),
        ("GET", "/v1/models", "Missing model name in request."),
        (
            "GET",
            "/v1/models/metadata/metadata/metadata",
            "Malformed request: GET /v1/models/metadata/metadata/metadata",
        ),
        ("GET", f"/v1/models/half/versions/{2**63}", f"Failed to convert version: {2**63} to numeric."),
        (
            "POST",
            f"/v1/models/half/versions/{'9' * 5000}:predict",
            f"Failed to convert version: {'9' * 5000} to numeric.",
        ),
    ],
)
def test_urls_that_the_api_does_not_have(engine: HalfPlusTwo, method: str, target: str, text: str) -> None:
    response = call(engine, method, target, b'{"instances":[1]}')
    assert (response.status, error(response)) == (400, text)


@pytest.mark.parametrize("target", ["/", "/foo", "/v1", "/v2/models/half", "*", "", "/metrics"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_outside_the_api_is_an_html_404(engine: HalfPlusTwo, target: str, method: str) -> None:
    response = call(engine, method, target)
    assert response.status == 404
    assert response.content_type == b"text/html" and b"Not Found" in response.body


def test_status_and_metadata(engine: HalfPlusTwo) -> None:
    status = call(engine, "GET", "/v1/models/half/labels/l")
    assert json.loads(status.body) == {
        "model_version_status": [
            {"version": "7", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}},
            {"version": "6", "state": "END", "status": {"error_code": "INTERNAL", "error_message": "broken"}},
        ]
    }
    metadata = json.loads(call(engine, "GET", "/v1/models/half/versions/7/metadata").body)
    assert metadata["model_spec"] == {"name": "half", "signature_name": "", "version": "7"}
    assert metadata["metadata"]["signature_def"]["signature_def"] == {"serving_default": "any message"}
    assert engine.specs == [ModelSpecRef("half", None, "l"), ModelSpecRef("half", 7)]


def test_classify_and_regress(engine: HalfPlusTwo) -> None:
    body = b'{"signature_name":"%s","examples":[{"x":1.0},{}]}'
    classes = call(engine, "POST", "/v1/models/half:classify", body % b"classes")
    assert classes.body == b'{"results":[[["a",0.5]],[["a",0.5]]]}'
    assert call(engine, "POST", "/v1/models/half:regress", body % b"values").body == b'{"results":[0.5,0.5]}'
    asked = [ModelSpecRef("half", None, None, name) for name in ("classes", "classes", "values", "values")]
    assert engine.specs == asked, "each call asks which inputs are dates, then for the answers"


def test_order_of_checks(engine: HalfPlusTwo) -> None:
    """URL, JSON, type of the signature's name, servable, signature, inputs."""
    unknown = "/v1/models/nope:predict"
    assert call(engine, "POST", unknown, b"{").status == 400
    assert "'signature_name' key must be" in error(call(engine, "POST", unknown, b'{"signature_name":1}'))
    missing = call(engine, "POST", unknown, b'{"signature_name":"s"}')
    assert (missing.status, error(missing)) == (404, "Servable not found for request: Latest(nope)")
    signature = call(engine, "POST", "/v1/models/half:predict", b'{"signature_name":"s"}')
    assert (signature.status, error(signature)) == (400, 'Serving signature name: "s" not found in signature def')
    assert error(call(engine, "POST", "/v1/models/half:predict", b"{}")) == "Missing 'inputs' or 'instances' key"


@pytest.mark.parametrize("code", list(Code)[1:])
def test_every_code_has_its_http_status(engine: HalfPlusTwo, code: Code) -> None:
    wanted = {
        "CANCELLED": 499, "UNKNOWN": 500, "INVALID_ARGUMENT": 400, "DEADLINE_EXCEEDED": 504, "NOT_FOUND": 404,
        "ALREADY_EXISTS": 409, "PERMISSION_DENIED": 403, "RESOURCE_EXHAUSTED": 429, "FAILED_PRECONDITION": 400,
        "ABORTED": 409, "OUT_OF_RANGE": 400, "UNIMPLEMENTED": 501, "INTERNAL": 500, "UNAVAILABLE": 503,
        "DATA_LOSS": 500, "UNAUTHENTICATED": 401,
    }  # fmt: skip
    engine.raises = ServingError(code, "why")
    response = call(engine, "POST", "/v1/models/half:predict", b'{"instances":[1]}')
    assert (response.status, error(response)) == (wanted[code.name], "why")
    assert set(HTTP_STATUS) == set(Code)
    assert engine.metrics.request_count.value(("half", code.name)) == 1


def test_timeout_reaches_the_engine(engine: HalfPlusTwo) -> None:
    for milliseconds in (30_000, 250, 0, -1):
        call(engine, "POST", "/v1/models/half:predict", b'{"instances":[1]}', timeout_ms=milliseconds)
    assert engine.timeouts == [30.0, 0.25, None, None]


def test_preflight_and_cors(engine: HalfPlusTwo) -> None:
    for origin, status in ((b"http://a", 200), (b"https://b:1", 200), (b"ftp://a", 400), (None, 400)):
        headers = {} if origin is None else {b"origin": origin}
        response = call(engine, "OPTIONS", "/v1/anything", headers=headers)
        assert (response.status, response.body, response.cors) == (status, b"", False)
    assert call(engine, "OPTIONS", "/v1/x", headers={b"origin": b"http://a"}, cors=True).cors
    assert call(engine, "GET", "/v1/models/half", cors=True).cors
    assert call(engine, "POST", "/v1/models/half:predict", b"{", cors=True).cors


def test_gzip_bodies(engine: HalfPlusTwo) -> None:
    plain, target = b'{"instances":[1]}', "/v1/models/half:predict"
    zipped = {b"content-encoding": b"gzip"}
    assert call(engine, "POST", target, gzip.compress(plain), zipped).status == 200
    assert call(engine, "POST", target, gzip.compress(plain), {b"content-encoding": b"x-gzip, y"}).status == 200
    bomb = gzip.compress(b'{"instances":[' + b"1," * 1_000_000 + b"1]}")
    assert "more than 10000 bytes" in error(call(engine, "POST", target, bomb, zipped))
    assert "ends too early" in error(call(engine, "POST", target, gzip.compress(plain)[:-3], zipped))
    assert "Unable to uncompress" in error(call(engine, "POST", target, plain, zipped))
    assert error(call(engine, "POST", target, b"", zipped)) == "JSON Parse error: The document is empty"


def test_health(engine: HalfPlusTwo) -> None:
    assert call(engine, "GET", "/v1/health/live").status == 200
    assert call(engine, "GET", "/v1/health/ready").status == 200
    engine.is_ready = False
    assert call(engine, "GET", "/v1/health/ready").status == 503
    assert call(engine, "GET", "/v1/health/other").status == 400


def test_a_host_is_right_by_itself_only(engine: HalfPlusTwo) -> None:
    """A right host is remembered; one beside a right host in the target is not asked about, and stays wrong."""
    application = Application(engine, RestOptions(0, 1), Limits(), None, hosts=AllowedHosts(("api.example",)))

    def status(target: str, host: bytes | None) -> int:
        headers = {} if host is None else {b"host": host}
        return waited(application(Request("GET", target, headers, b"", True))).status

    live = "/v1/health/live"
    assert [status(live, b"api.example") for _ in range(2)] == [200, 200]
    assert status("http://api.example" + live, b"evil.example") == 200
    assert [status(live, b"evil.example") for _ in range(2)] == [421, 421]
    assert status("http://evil.example" + live, b"api.example") == 421
    assert status("*", b"api.example") == 400
    assert status(live, None) == 400
    for number in range(300):
        assert status(live, f"127.0.1.{number % 250}:{number}".encode()) == 200


def test_monitoring_path(engine: HalfPlusTwo) -> None:
    path = "/monitoring/prometheus/metrics"
    assert call(engine, "GET", path).status == 404
    call(engine, "POST", "/v1/models/half:predict", b'{"instances":[1]}')
    for method in ("GET", "POST", "PUT"):
        found = call(engine, method, path, monitoring_path=path)
        assert (found.status, found.content_type) == (200, b"text/plain")
        assert b':tensorflow:serving:request_count{model_name="half",status="OK"} 1' in found.body
        assert b'request_latency_count{model_name="half",API="predict",entrypoint="REST"} 1' in found.body
    queried = call(engine, "GET", path + "?a", monitoring_path=path)
    assert (queried.status, queried.body) == (400, f"Unexpected path: {path}?a. Should be {path}".encode())


def test_every_call_is_counted(engine: HalfPlusTwo) -> None:
    call(engine, "GET", "/v1/models/half")
    call(engine, "GET", "/v1/models")
    call(engine, "POST", "/v1/models/nope:predict", b'{"instances":[1]}')
    count, latency = engine.metrics.request_count.value, engine.metrics.request_latency.count
    assert (count(("half", "OK")), count(("", "INVALID_ARGUMENT")), count(("nope", "NOT_FOUND"))) == (1, 1, 1)
    assert latency(("half", "", "REST")) == 1
    assert latency(("nope", "predict", "REST")) == 0


@pytest.mark.parametrize("name", ["..", "%2e%2e%2fetc", "a%00b", "%ff", "%"])
def test_strange_names_are_only_names(engine: HalfPlusTwo, name: str) -> None:
    response = call(engine, "POST", f"/v1/models/{name}:predict", b'{"instances":[1]}')
    assert response.status == 404
    assert b"Servable not found for request: Latest(" in response.body


def test_methods_that_are_not_http_apis(engine: HalfPlusTwo) -> None:
    for method in ("TRACE", "CONNECT", "PROPFIND"):
        assert call(engine, method, "/v1/models/half").status == 501


PIECES = st.sampled_from(
    [
        b"{", b"}", b"[", b"]", b",", b":",
        b'"instances"', b'"inputs"', b'"signature_name"', b'"examples"', b'"x"', b'"b64"',
        b"1", b"-0.5e3", b"NaN", b"-Inf", b"true", b"null", b'"aGk="', b'"\\ud800"', b"\xff", b"\x00", b" ", b'"',
    ]
)  # fmt: skip


@pytest.mark.slow
@settings(deadline=None, max_examples=600)
@given(
    st.lists(PIECES, max_size=25).map(b"".join) | st.binary(max_size=80),
    st.sampled_from([b"", b'{"instances":[', b'{"inputs":{"x":', b'{"examples":[{"x":']),
    st.sampled_from(["predict", "classify", "regress"]),
)
@example(b"1}}", b'{"inputs":{"x":', "predict")
def test_any_body_gets_a_worded_answer(body: bytes, start: bytes, api: str) -> None:
    """Fuzz: whatever is sent, the answer is 200, 400 or 501 with a JSON body; never an exception."""
    engine = HalfPlusTwo()
    response = call(engine, "POST", f"/v1/models/half:{api}", start + body)
    assert response.status in (200, 400, 501)
    if response.status != 200:
        assert error(response)


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(["GET", "POST", "OPTIONS", "PUT"]),
    st.text(max_size=30),
    st.sampled_from(["", "/v1/", "/v1/models/"]),
)
def test_any_path_gets_an_answer(method: str, path: str, start: str) -> None:
    response = call(HalfPlusTwo(), method, start + path, b'{"instances":[1]}')
    assert response.status in (200, 400, 404)
