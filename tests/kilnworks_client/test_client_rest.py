"""The client over REST without a model server: what it sends, and servers that are old, slow, wrong or gone."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import numpy as np
import pytest

from kilnworks_client import Client, Options, Policy, RequestInvalid, ServerUnavailable

FLOATS = {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}}
ONCE = Options(retry=Policy(attempts=1), timeout_seconds=5.0)


def told(dtype: str = "DT_FLOAT", size: str = "-1") -> dict[str, object]:
    """Metadata of a model with one signature."""
    info = {"dtype": dtype, "tensor_shape": {"dim": [{"size": "-1"}, {"size": size}], "unknown_rank": False}}
    signature = {"inputs": {"x": FLOATS}, "outputs": {"y": info}, "method_name": "p"}
    return {
        "model_spec": {"name": "m", "version": "7"},
        "metadata": {"signature_def": {"signature_def": {"serving_default": signature}}},
    }


class Fake:
    """A server of one thread: each connection gets the next list of answers, then it is closed.

    Args:
        connections: of each connection the raw answers, one a request.
    """

    def __init__(self, *connections: list[bytes]) -> None:
        self.requests: list[tuple[str, dict[str, str], object]] = []
        self._connections = connections
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10)
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        for answers in self._connections:
            with closing(self._listener.accept()[0]) as connection, connection.makefile("rb") as reader:
                connection.settimeout(10)
                for answer in answers:
                    self.requests.append(self._request(reader))
                    connection.sendall(answer)

    @staticmethod
    def _request(reader: object) -> tuple[str, dict[str, str], object]:
        line = reader.readline().decode().rsplit(" ", 1)[0]
        headers = {}
        while text := reader.readline().decode().strip():
            name, _, value = text.partition(": ")
            headers[name.lower()] = value
        length = int(headers.get("content-length", 0))
        return line, headers, json.loads(reader.read(length)) if length else None

    @contextmanager
    def running(self) -> Iterator["Fake"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._thread.join(20)
            self._listener.close()


def answer(body: object, status: str = "200 OK", more: str = "") -> bytes:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(raw)}\r\n\r\n".encode() + raw


def failing(kind: type[Exception], *answers: bytes) -> Exception:
    """The error of a call to a server that gives these answers."""
    server = Fake(list(answers))
    with server.running(), Client(server.address, options=ONCE) as client, pytest.raises(kind) as raised:
        client.status("m")
    return raised.value


def test_what_is_sent():
    answers = [answer(told("DT_DOUBLE", "1")), answer({"outputs": [[0.5], [1.0]]})]
    options = Options(token="secret", retry=Policy(attempts=1))
    with Fake(answers).running() as server, Client(server.address + "/models/", options=options) as client:
        inputs = {"x": np.array([1.5, np.nan], np.float32), "s": ["a", b"\xff"]}
        found = client.predict("a b/c", inputs, version=3)
    assert (found.version, found.outputs["y"].dtype, found.outputs["y"].tolist()) == (3, np.float64, [[0.5], [1.0]])
    (first, headers, _), (second, _, body) = server.requests
    assert first == "GET /models/v1/models/a%20b%2Fc/versions/3/metadata"
    assert second == "POST /models/v1/models/a%20b%2Fc/versions/3:predict"
    assert headers["authorization"] == "Bearer secret"
    assert json.dumps(body, sort_keys=True) == '{"inputs": {"s": ["a", {"b64": "/w=="}], "x": [1.5, NaN]}}'


def test_metadata_are_asked_for_once():
    answers = [answer(told()), *[answer({"outputs": [[0.5]]})] * 3]
    with Fake(answers).running() as server, Client(server.address, options=ONCE) as client:
        for _ in range(3):
            client.predict("m", {"x": [1.0]})
    assert [line.split()[0] for line, _, _ in server.requests] == ["GET", "POST", "POST", "POST"]


def test_a_connection_that_was_closed_meanwhile_is_made_anew_without_a_second_attempt():
    states = answer({"model_version_status": [{"version": "1", "state": "AVAILABLE"}]})
    with Fake([states], [states]).running() as server, Client(server.address, options=ONCE) as client:
        assert client.status("m")[0].version == 1
        assert client.status("m")[0].state == "AVAILABLE"


def test_outputs_that_no_longer_fit_the_metadata_are_asked_for_again():
    """A new version gives floats where the old one gave whole numbers: they are not cut off."""
    answers = [answer(told("DT_INT64")), answer({"outputs": [[1.5]]}), answer(told()), answer({"outputs": [[1.5]]})]
    quick = Options(retry=Policy(attempts=2, first_seconds=0.001))
    with Fake(answers).running() as server, Client(server.address, options=quick) as client:
        assert client.predict("m", {"x": [1.0]}).outputs["y"].tolist() == [[1.5]]


def test_an_output_without_rows_keeps_its_shape():
    answers = [answer(told("DT_FLOAT", "3")), answer({"outputs": []})]
    with Fake(answers).running() as server, Client(server.address, options=ONCE) as client:
        assert client.predict("m", {"x": np.zeros(0, np.float32)}).outputs["y"].shape == (0, 3)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        ("400 Bad Request", RequestInvalid, "INVALID_ARGUMENT"),
        ("401 Unauthorized", RequestInvalid, "UNAUTHENTICATED"),
        ("403 Forbidden", RequestInvalid, "PERMISSION_DENIED"),
        ("404 Not Found", RequestInvalid, "NOT_FOUND"),
        ("413 Content Too Large", ServerUnavailable, "RESOURCE_EXHAUSTED"),
        ("429 Too Many Requests", ServerUnavailable, "RESOURCE_EXHAUSTED"),
        ("503 Service Unavailable", ServerUnavailable, "UNAVAILABLE"),
        ("418 Teapot", ServerUnavailable, "UNKNOWN"),
    ],
)
def test_a_status_is_the_code_that_grpc_would_send(status, kind, code):
    error = failing(kind, answer({"error": "the reason"}, status))
    assert error.details["code"] == code and "the reason" in str(error)


def test_busy_is_tried_again_and_too_large_is_not():
    states = answer({"model_version_status": []})
    quick = Options(retry=Policy(attempts=3, first_seconds=0.001))
    server = Fake([answer({}, "503 Busy"), answer({}, "429 Busy"), states])
    with server.running(), Client(server.address, options=quick) as client:
        assert client.status("m") == ()
    server = Fake([answer({"error": "too large"}, "413 Large")])
    with server.running(), Client(server.address, options=quick) as client, pytest.raises(ServerUnavailable) as raised:
        client.status("m")
    assert "too large" in str(raised.value) and raised.value.details["attempts"] == 1


def test_pages_of_others_are_told_from_model_servers():
    assert "HTTP 502: <html>" in str(failing(ServerUnavailable, answer(b"<html>" + b"x" * 9999, "502 Bad Gateway")))
    assert "no model server" in str(failing(ServerUnavailable, answer(b"<html>hello</html>")))
    assert "no model server" in str(failing(ServerUnavailable, answer({"hello": 1})))
    assert "no model server" in str(failing(ServerUnavailable, answer([1])))
    assert "UNAVAILABLE" in str(failing(ServerUnavailable, b"SSH-2.0-OpenSSH_9.2\r\n"))


def test_an_answer_that_comes_drop_by_drop_ends_with_the_time():
    """Each part is in time, the whole is not."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            with closing(listener.accept()[0]) as connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while not stop.wait(0.05):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        asked = Client(f"http://127.0.0.1:{listener.getsockname()[1]}", 0.4, ONCE)
        with asked as client, pytest.raises(ServerUnavailable, match=r"no answer within 0\.4 s"):
            client.status("m")
        stop.set()
        thread.join(10)
    assert not thread.is_alive()
