"""Certificates and tokens: a server with mutual TLS and a callers file, and those who have the wrong ones or none."""

import contextlib
import hashlib
import http.client
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import get_model_status_pb2, inference_pb2, model_management_pb2, predict_pb2

from kilnworks.components.serving.client import Client, Options, Policy, Tls
from kilnworks.schemas.errors import RequestInvalid, ServerUnavailable
from tests.e2e.security.attacked_server import Attacked, started
from tests.e2e.security.authority import Authority, written
from tests.waiting import until

pytestmark = pytest.mark.e2e

SHOP, OPERATORS, STRANGER = "shop-4f1e", "operators-91bc", "stranger-0000"
PREDICTION = "/tensorflow.serving.PredictionService/"


@dataclass
class Guarded:
    """A server that asks for certificates and tokens, and what its clients have."""

    server: Attacked
    authority: Authority
    folder: Path

    def callers(self, **tokens: tuple[list[str], bool]) -> None:
        """Write the callers file: models and reload by name of a token's constant."""
        entries = [
            {"name": name, "token_sha256": hashlib.sha256(token.encode()).hexdigest(), "models": m, "reload": r}
            for name, token in (("shop", SHOP), ("operators", OPERATORS), ("late", STRANGER))
            if name in tokens
            for m, r in [tokens[name]]
        ]
        (self.folder / "new").write_text(json.dumps({"callers": entries}))
        (self.folder / "new").replace(self.folder / "callers.yaml")

    def rest(self, path: str, token: str | None = None, body: object = None) -> tuple[int, str, str]:
        """Status, ``WWW-Authenticate`` and body of a request over HTTPS with a good certificate."""
        context = ssl.create_default_context(cadata=self.authority.certificate)
        context.load_cert_chain(*written(self.folder, "client", self.authority.signed("client")))
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.server.ports["rest_api_port"], timeout=30, context=context
        )
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        with contextlib.closing(connection):
            data = None if body is None else json.dumps(body)
            connection.request("GET" if body is None else "POST", path, data, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("WWW-Authenticate", ""), answer.read().decode()

    def channel(self, pair: tuple[str, str] | None = None, certificate: bool = True) -> grpc.Channel:
        cert, key = pair or self.authority.signed("client")
        credentials = grpc.ssl_channel_credentials(
            self.authority.certificate.encode(), *((key.encode(), cert.encode()) if certificate else (None, None))
        )
        return grpc.secure_channel(self.server.grpc, credentials)

    def call(self, method: str, request: Any, *metadata: tuple[str, str]) -> tuple[str, str]:
        """Code and text of a call over gRPC with a good certificate."""
        with self.channel() as channel:
            try:
                channel.unary_unary(method)(request.SerializeToString(), timeout=30, metadata=metadata)
            except grpc.RpcError as error:
                return error.code().name, error.details() or ""
        return "OK", ""


def bearer(token: str) -> tuple[str, str]:
    return "authorization", f"Bearer {token}"


@pytest.fixture(scope="module")
def guarded(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    authority = Authority()
    cert, key = authority.signed("server")
    fields = {"server_key": key, "server_cert": cert, "custom_ca": authority.certificate}
    tls = "\n".join(f"{name}: {json.dumps(text)}" for name, text in fields.items())
    (folder / "tls").write_text(f"{tls}\nclient_verify: true\n")
    config = "".join(
        f"config {{ name: '{name}' base_path: '{models}/m' model_platform: 'tensorflow' }}" for name in ("m", "n")
    )
    (folder / "models").write_text(f"model_config_list {{ {config} }}")
    unready = Guarded(None, authority, folder)  # type: ignore[arg-type]
    unready.callers(shop=(["m"], False), operators=(["*"], True))
    flags = [
        f"--model_config_file={folder}/models", f"--ssl_config_file={folder}/tls",
        f"--rest_api_ssl_config_file={folder}/tls", f"--callers_file={folder}/callers.yaml",
        "--enable_grpc_healthcheck_service", "--reload_config=on", "--max_request_mb=64",
    ]  # fmt: skip
    with started(folder, *flags) as server:
        yield Guarded(server, authority, folder)
        text = server.log.read_text()
        assert "Traceback" not in text
        assert not any(token in text for token in (SHOP, OPERATORS, STRANGER))


def predict(model: str = "m") -> Any:
    request = predict_pb2.PredictRequest(model_spec={"name": model})
    request.inputs["x"].dtype = 1
    request.inputs["x"].float_val.append(1.0)
    request.inputs["x"].tensor_shape.dim.add().size = 1
    return request


def ask(guarded: Guarded, model: str, *metadata: tuple[str, str]) -> str:
    return guarded.call(PREDICTION + "Predict", predict(model), *metadata)[0]


def test_tokens_over_rest(guarded: Guarded) -> None:
    body = {"inputs": [1.0]}
    asked = [
        (None, "m"),
        (STRANGER, "m"),
        (SHOP, "m"),
        (SHOP, "n"),
        (SHOP, "none"),
        (OPERATORS, "n"),
        (OPERATORS, "none"),
    ]
    found = [guarded.rest(f"/v1/models/{model}:predict", token, body)[0] for token, model in asked]
    assert found == [401, 401, 200, 403, 403, 200, 404]
    for path in ("/v1/models/n", "/v1/models/n/metadata", "/v1/models/n/versions/1", "/v1/models/%6e", "/v1/models//n"):
        assert guarded.rest(path)[0] == 401
        assert guarded.rest(path, SHOP)[0] in (400, 403), path
    status, challenge, text = guarded.rest("/v1/models/m")
    assert (status, challenge) == (401, 'Bearer realm="models"')
    assert json.loads(text) == {"error": "A request needs 'Authorization: Bearer TOKEN' of a known caller"}
    assert json.loads(guarded.rest("/v1/models/n", SHOP)[2]) == {"error": "The caller shop may not ask model n"}
    assert [guarded.rest("/monitoring/prometheus/metrics", token)[0] for token in (None, STRANGER, SHOP)] == [
        401,
        401,
        200,
    ]
    assert [guarded.rest(f"/v1/health/{word}")[0] for word in ("live", "ready")] == [200, 200], "health stays open"


def test_tokens_over_grpc(guarded: Guarded) -> None:
    assert ask(guarded, "m") == "UNAUTHENTICATED"
    assert ask(guarded, "m", bearer(STRANGER)) == "UNAUTHENTICATED"
    assert ask(guarded, "m", ("authorization", f"Basic {SHOP}")) == "UNAUTHENTICATED"
    assert ask(guarded, "m", bearer(SHOP)) == "OK"
    assert ask(guarded, "n", bearer(SHOP)) == "PERMISSION_DENIED"
    assert ask(guarded, "none", bearer(SHOP)) == "PERMISSION_DENIED", "which models there are is not told"
    assert ask(guarded, "n", bearer(OPERATORS)) == "OK"
    several = inference_pb2.MultiInferenceRequest()
    for model in ("m", "n"):
        several.tasks.add(method_name="tensorflow/serving/regress", model_spec={"name": model})
    spec = get_model_status_pb2.GetModelStatusRequest(model_spec={"name": "n"})
    others = {
        PREDICTION + "Classify": predict("n"),  # the model stands in the first field of these
        PREDICTION + "Regress": predict("n"),
        PREDICTION + "MultiInference": several,
        PREDICTION + "GetModelMetadata": _metadata("n"),
        "/tensorflow.serving.ModelService/GetModelStatus": spec,
    }
    for method, request in others.items():
        assert guarded.call(method, request)[0] == "UNAUTHENTICATED", method
        if not method.endswith(("Classify", "Regress")):
            assert guarded.call(method, request, bearer(SHOP))[0] == "PERMISSION_DENIED", method
    with guarded.channel() as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=30)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING, "health stays open"


def _metadata(model: str) -> Any:
    from tensorflow_serving.apis import get_model_metadata_pb2

    return get_model_metadata_pb2.GetModelMetadataRequest(model_spec={"name": model}, metadata_field=["signature_def"])


def test_a_message_of_a_stranger_is_not_received(guarded: Guarded) -> None:
    guarded.server.forget_peak()
    before = guarded.server.memory_mb()
    large = predict()
    large.inputs["x"].tensor_content = bytes(40_000_000)
    assert guarded.call(PREDICTION + "Predict", large, bearer(STRANGER))[0] == "UNAUTHENTICATED"
    assert guarded.server.memory_mb("VmHWM") - before < 30


def test_only_who_may_reload_does(guarded: Guarded, models: Path) -> None:
    nothing = model_management_pb2.ReloadConfigRequest()
    nothing.config.model_config_list.SetInParent()
    method = "/tensorflow.serving.ModelService/HandleReloadConfigRequest"
    assert guarded.call(method, nothing)[0] == "UNAUTHENTICATED"
    assert guarded.call(method, nothing, bearer(SHOP)) == (
        "PERMISSION_DENIED",
        "The caller shop may not change what is served",
    )
    assert ask(guarded, "m", bearer(SHOP)) == "OK"
    both = model_management_pb2.ReloadConfigRequest()
    for name in ("m", "n"):
        both.config.model_config_list.config.add(name=name, base_path=str(models / "m"), model_platform="tensorflow")
    assert guarded.call(method, both, bearer(OPERATORS))[0] == "OK"


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_our_client_sends_its_certificate_and_its_token(guarded: Guarded, transport: str) -> None:
    cert, key = guarded.authority.signed("client")
    roots = guarded.authority.certificate.encode()
    rest = f"https://127.0.0.1:{guarded.server.ports['rest_api_port']}"
    address = guarded.server.grpc if transport == "grpc" else rest
    once = Policy(attempts=1)
    without = Options(tls=Tls(roots), token=SHOP, retry=once)
    with Client(address, options=without) as client, pytest.raises(ServerUnavailable):
        client.status("m")
    tls = Tls(roots, key.encode(), cert.encode())
    with Client(address, options=Options(tls=tls, token=SHOP, retry=once)) as client:
        assert client.predict("m", {"x": [1.0, 2.0]}).outputs["y"] == 3.0
        with pytest.raises(RequestInvalid, match=r"may not ask model n\n.*callers file.*\n.*check the token"):
            client.predict("n", {"x": [1.0]})
    assert SHOP not in repr(Options(token=SHOP))


def test_a_changed_file_lets_callers_in_and_out(guarded: Guarded) -> None:
    try:
        guarded.callers(shop=(["n"], False), operators=(["*"], True), late=(["m"], False))
        assert until(lambda: ask(guarded, "m", bearer(STRANGER)) == "OK")
        assert guarded.rest("/v1/models/m", SHOP)[0] == 403
        (guarded.folder / "callers.yaml").write_text("callers: [")
        assert until(
            lambda: ask(guarded, "m", bearer(STRANGER)) == "OK" and "no YAML" in guarded.server.log.read_text()
        )
    finally:
        guarded.callers(shop=(["m"], False), operators=(["*"], True))
    assert until(lambda: ask(guarded, "m", bearer(STRANGER)) == "UNAUTHENTICATED")


@pytest.mark.parametrize("kind", ["none", "of another authority", "expired", "of a server that signs itself"])
def test_certificates_that_are_not_good(guarded: Guarded, kind: str) -> None:
    """A token does not help who has no certificate."""
    other = Authority("other")
    pairs = {
        "of another authority": other.signed("client"),
        "expired": guarded.authority.signed("client", days=-1),
        "of a server that signs itself": (other.certificate, other.signed("client")[1]),
    }
    pair = pairs.get(kind)
    with guarded.channel(pair, certificate=kind != "none") as channel, pytest.raises(grpc.RpcError) as found:
        channel.unary_unary(PREDICTION + "Predict")(
            predict().SerializeToString(), timeout=60, metadata=(bearer(OPERATORS),)
        )
    assert found.value.code() is grpc.StatusCode.UNAVAILABLE
    context = ssl.create_default_context(cadata=guarded.authority.certificate)
    if pair is not None and kind != "of a server that signs itself":
        context.load_cert_chain(*written(guarded.folder, "bad", pair))
    connection = http.client.HTTPSConnection(
        "127.0.0.1", guarded.server.ports["rest_api_port"], timeout=30, context=context
    )
    with contextlib.closing(connection), pytest.raises(OSError):
        connection.request("GET", "/v1/models/m", headers={"Authorization": f"Bearer {OPERATORS}"})
        connection.getresponse()
    assert ask(guarded, "m", bearer(SHOP)) == "OK"


def test_two_tokens_in_one_request_are_refused(guarded: Guarded) -> None:
    context = ssl.create_default_context(cadata=guarded.authority.certificate)
    context.load_cert_chain(*written(guarded.folder, "client", guarded.authority.signed("client")))
    with guarded.server.connect() as plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as sock:
        lines = [f"Authorization: Bearer {token}" for token in (STRANGER, OPERATORS)]
        sock.sendall("\r\n".join(["GET /v1/models/n HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""]).encode())
        assert sock.recv(100).startswith(b"HTTP/1.1 400")
