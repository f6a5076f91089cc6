"""The client over real channels: TLS, mutual TLS, a server that goes and comes back, unix sockets."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import numpy as np
import pytest

from kilnworks.components.serving.client import AsyncClient, Client, Options, Policy, Tls, messages
from kilnworks.schemas.errors import ServerUnavailable
from tests.e2e.serving.certificates import self_signed
from tests.ports import held_port
from tests.waiting import ends

pytestmark = pytest.mark.e2e


def predict(request: bytes, context: grpc.ServicerContext) -> bytes:
    """An answer with the request's own inputs as outputs."""
    asked = messages.PredictRequest.FromString(request)
    answer = messages.PredictResponse()
    answer.model_spec.CopyFrom(asked.model_spec)
    for alias, tensor in asked.inputs.items():
        answer.outputs[alias].CopyFrom(tensor)
    return answer.SerializeToString()


def serve(address: str, credentials: grpc.ServerCredentials | None = None) -> tuple[grpc.Server, int]:
    server = grpc.server(futures.ThreadPoolExecutor(2), options=(("grpc.so_reuseport", 0),))
    handlers = {"Predict": grpc.unary_unary_rpc_method_handler(predict)}
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", handlers),)
    )
    port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    server.start()
    return server, port


@pytest.fixture(scope="module")
def certificate() -> tuple[bytes, bytes]:
    """A self-signed certificate for 127.0.0.1 and its key, PEM."""
    cert, key = self_signed()
    return cert.encode(), key.encode()


@pytest.fixture(params=[False, True], ids=["tls", "mutual tls"])
def secured(request: pytest.FixtureRequest, certificate: tuple[bytes, bytes]) -> Iterator[tuple[str, Tls]]:
    cert, key = certificate
    mutual = request.param
    credentials = grpc.ssl_server_credentials([(key, cert)], cert if mutual else None, mutual)
    server, port = serve("127.0.0.1:0", credentials)
    yield f"127.0.0.1:{port}", Tls(cert, key, cert) if mutual else Tls(cert)
    server.stop(0)


def test_tls(secured: tuple[str, Tls]) -> None:
    address, tls = secured
    with Client(address, timeout_seconds=10, options=Options(tls=tls)) as client:
        np.testing.assert_array_equal(client.predict("m", {"x": [1.5]}).outputs["x"], [1.5])

    async def main() -> float:
        async with AsyncClient(address, timeout_seconds=10, options=Options(tls=tls)) as client:
            return float((await client.predict("m", {"x": [2.5]})).outputs["x"][0])

    assert asyncio.run(main()) == 2.5


def test_tls_without_trust_is_refused(secured: tuple[str, Tls]) -> None:
    address, _ = secured
    once = Policy(attempts=1)
    for options in (Options(retry=once), Options(retry=once, tls=Tls())):
        with Client(address, timeout_seconds=10, options=options) as client, pytest.raises(ServerUnavailable):
            client.predict("m", {"x": [1.5]})


def test_a_server_that_comes_back() -> None:
    with held_port() as port:
        comes_back(port)


def comes_back(port: int) -> None:
    servers = []

    def start_later() -> None:
        time.sleep(0.8)
        servers.append(serve(f"127.0.0.1:{port}")[0])

    thread = threading.Thread(target=start_later)
    thread.start()
    policy = Policy(attempts=50, first_seconds=0.2, longest_seconds=0.4)
    with Client(f"127.0.0.1:{port}", timeout_seconds=600, options=Options(retry=policy)) as client:
        np.testing.assert_array_equal(client.predict("m", {"x": [1.5]}).outputs["x"], [1.5])
        thread.join()
        servers[0].stop(0).wait()

        def refused() -> None:
            with pytest.raises(ServerUnavailable, match="UNAVAILABLE"):
                client.predict("m", {"x": [1.5]}, timeout_seconds=1.0)

        assert ends(refused), "its own time counts, not the client's"
        servers.append(serve(f"127.0.0.1:{port}")[0])
        np.testing.assert_array_equal(client.predict("m", {"x": [2.5]}).outputs["x"], [2.5])
    servers[1].stop(0)


def test_unix_socket_and_large_messages(tmp_path: Path) -> None:
    server, _ = serve(f"unix:{tmp_path}/s")
    values = np.arange(4_000_000, dtype=np.float32)
    options = (("grpc.max_receive_message_length", -1),)
    big = grpc.server(futures.ThreadPoolExecutor(1), options=options)
    handlers = {"Predict": grpc.unary_unary_rpc_method_handler(predict)}
    big.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", handlers),)
    )
    big.add_insecure_port(f"unix:{tmp_path}/big")
    big.start()
    with Client(f"unix:{tmp_path}/s") as client:
        assert client.predict("m", {"x": ["a"]}).outputs["x"].tolist() == [b"a"]
    with Client(f"unix:{tmp_path}/big") as client:
        np.testing.assert_array_equal(client.predict("m", {"x": values}).outputs["x"], values)
    server.stop(0)
    big.stop(0)
