"""The client over REST and over gRPC against one server: the same arrays, and the same errors."""

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from kilnworks_client import AsyncClient, Client, ConfigError, Policy, RequestInvalid, ServerUnavailable, Tls
from kilnworks_client.options import Options
from tests.e2e.serving.rest_process import Served, serving

pytestmark = pytest.mark.e2e
NUMBERS = {
    "float64": [0.1, -1e300, 3.0],
    "int8": [-128, 127],
    "int32": [-(2**31), 2**31 - 1],
    "int64": [-(2**63), 2**63 - 1],
    "uint8": [0, 255],
    "uint32": [0, 2**32 - 1],
    "uint64": [0, 2**64 - 1],
    "bool": [True, False],
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("both")) as found:
        yield found


@pytest.fixture
def clients(served: Served) -> Iterator[tuple[Client, Client]]:
    with Client(served.grpc) as one, Client(f"http://{served.rest}") as other:
        yield one, other


@pytest.mark.parametrize("dtype", NUMBERS)
def test_every_dtype_comes_back_as_over_grpc(clients: tuple[Client, Client], dtype: str) -> None:
    sent = np.array(NUMBERS[dtype], dtype)
    for client in clients:
        found = client.predict("half", {"x": sent}, signature=f"echo_{dtype}").outputs["y"]
        assert found.dtype == sent.dtype
        np.testing.assert_array_equal(found, sent)


def test_texts_and_bytes_and_several_outputs(clients: tuple[Client, Client]) -> None:
    for client in clients:
        texts = client.predict("half", {"x": ["a", b"\xff\x00", '\u00e9\n"']}, signature="echo_string").outputs["y"]
        assert texts.tolist() == [b"a", b"\xff\x00", '\u00e9\n"'.encode()]
        found = client.predict("half", {"a": [1.0, -1.0], "b": [2.5, 0.0]}, signature="two").outputs
        assert sorted(found) == ["pair", "raw_bytes", "sum", "text"]
        assert (found["pair"].dtype, found["pair"].tolist()) == (np.float32, [[1.0, 2.5], [-1.0, 0.0]])
        assert found["raw_bytes"].tolist() == [b"2.500000", b"0.000000"]
        few = client.predict("half", {"a": [1.0], "b": [2.0]}, signature="two", outputs=["sum"]).outputs
        assert (list(few), few["sum"].tolist()) == (["sum"], [3.0])


def test_numbers_that_are_none(clients: tuple[Client, Client]) -> None:
    for client in clients:
        found = client.predict("half", {"x": [1.0, -1.0, 0.0, np.nan, np.inf]}, signature="strange").outputs["y"]
        np.testing.assert_array_equal(found, np.array([np.inf, -np.inf, np.nan, np.nan, np.inf], np.float32))


def test_the_other_calls(clients: tuple[Client, Client]) -> None:
    for client in clients:
        assert client.wait_until_available("half", 2).state == "AVAILABLE"
        assert [(s.version, s.state, s.error_code) for s in client.status("half")] == [
            (2, "AVAILABLE", 0),
            (1, "AVAILABLE", 0),
        ]
        assert client.classify("half", [{"x": 0.25}], signature="classify") == [[("low", 0.25), ("high", 0.75)]]
        assert client.regress("half", [{"x": 1.0}, {"x": [5.0]}], signature="regress").tolist() == [2.5, 4.5]
        assert client.predict("half", {"x": [1.0]}, version=1).version == 1
        assert client.predict("half", {"x": [1.0]}, label="stable").outputs["y"].tolist() == [2.5]
    one, other = (client.metadata("half", version=1) for client in clients)
    assert one == other and one.signatures["matrix"].inputs["x"].shape == (-1, 2)


def test_the_same_errors(clients: tuple[Client, Client]) -> None:
    for client in clients:
        with pytest.raises(RequestInvalid, match=r"Servable not found for request: Latest\(no\)") as raised:
            client.predict("no", {"x": [1.0]})
        assert raised.value.details["code"] == "NOT_FOUND"
        with pytest.raises(RequestInvalid, match="at most 1000 kg") as raised:
            client.predict("half", {"x": [1500.0]}, version=1)
        assert raised.value.details["code"] == "INVALID_ARGUMENT"
        with pytest.raises(RequestInvalid):
            client.predict("half", {"x": [1.0]}, signature="nothing")
        with pytest.raises(ServerUnavailable, match=r"no answer within 0\.3 s"):
            client.predict("half", {"x": [1.0]}, signature="endless", timeout_seconds=0.3)


def test_asyncio(served: Served) -> None:
    async def main() -> list[float]:
        async with AsyncClient(f"http://{served.rest}") as client:
            answers = await asyncio.gather(*(client.predict("half", {"x": [float(i)]}) for i in range(20)))
            return [float(a.outputs["y"][0]) for a in answers]

    assert asyncio.run(main()) == [i / 2 + 2 for i in range(20)]


def test_where_nothing_answers_and_what_is_no_address() -> None:
    with pytest.raises(ServerUnavailable, match="UNAVAILABLE: ConnectionRefusedError") as raised:
        Client("http://127.0.0.1:9", options=Options(retry=Policy(attempts=2, first_seconds=0.001))).status("m")
    assert raised.value.details["attempts"] == 2
    for wrong in ("http://", "http://a:b", "http://a?b=c", "https://user@a"):
        with pytest.raises(ConfigError, match="http://HOST:PORT"):
            Client(wrong)
    with pytest.raises(ConfigError, match="https"):
        Client("http://a", options=Options(tls=Tls()))
    with pytest.raises(ConfigError, match="PEM"):
        Client("https://a", options=Options(tls=Tls(roots=b"none")))
