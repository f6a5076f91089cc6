"""The clients of ``bench.soak``: good requests with checked answers, and bad ones in between."""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.soak_servers import MODELS, Replica, expected
from kilnworks.components.serving.client import Client, Options, Policy
from kilnworks.schemas.errors import KilnworksError

TIMEOUT_SECONDS = 30.0
BAD_ONE_IN = 10
PAUSE_SECONDS = 0.01
"""Between two requests of a client: the replicas share the machine."""


@dataclass
class Tally:
    """What was asked, and what went wrong."""

    good: int = 0
    bad: int = 0
    failed: list[str] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, bad: bool, problem: str) -> None:
        """Count a request."""
        with self.lock:
            self.good, self.bad = self.good + (not bad), self.bad + bad
            if problem:
                (self.accepted if bad else self.failed).append(problem)


def _asks(
    ask: Callable[[str, list[float]], str], refuse: Callable[[int], str], tally: Tally, stop: threading.Event, seed: int
) -> None:
    """Ask until told to stop; ``ask`` and ``refuse`` answer with what is wrong, or nothing."""
    chance = random.Random(seed)
    while not stop.is_set():
        bad = chance.randrange(BAD_ONE_IN) == 0
        if bad:
            problem = refuse(chance.randrange(4))
        else:
            problem = ask(chance.choice(MODELS), [float(chance.randrange(100)) for _ in range(chance.randrange(1, 65))])
        tally.add(bad, problem)
        stop.wait(PAUSE_SECONDS)


def grpc_client(replicas: Sequence[Replica], tally: Tally, stop: threading.Event, seed: int) -> None:
    """Our client, which knows both replicas and takes the first that answers."""
    target = "ipv4:" + ",".join(f"127.0.0.1:{replica.grpc_port}" for replica in replicas)
    options = Options(timeout_seconds=TIMEOUT_SECONDS, retry=Policy(attempts=10))
    with Client(target, options=options) as client:

        def ask(model: str, x: list[float]) -> str:
            try:
                found = client.predict(model, {"x": x}).outputs["y"].tolist()
            except KilnworksError as error:
                return f"gRPC {model}: {error}"
            return "" if found == expected(model, x) else f"gRPC {model}: {found} for {x}"

        def refuse(kind: int) -> str:
            model, inputs = (
                ("none", {"x": [1.0]}),
                ("double", {"z": [1.0]}),
                ("double", {"x": ["a"]}),
                ("double", {}),
            )[kind]
            try:
                client.predict(model, inputs)
            except KilnworksError:
                return ""
            return f"gRPC answered the bad request {model} {inputs}"

        _asks(ask, refuse, tally, stop, seed)


def rest_client(replicas: Sequence[Replica], tally: Tally, stop: threading.Event, seed: int) -> None:
    """One kept connection; the other replica is asked when the first does not answer."""
    ports = [replica.rest_port for replica in replicas]
    connection = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=TIMEOUT_SECONDS)

    def post(model: str, body: bytes) -> tuple[int, bytes]:
        """Status and body; 0 when no replica answered in time."""
        nonlocal connection
        end, status, text = time.monotonic() + TIMEOUT_SECONDS, 0, b""
        while time.monotonic() < end:
            try:
                connection.request("POST", f"/v1/models/{model}:predict", body)
                answer = connection.getresponse()
                status, text = answer.status, answer.read()
                if status != 503:
                    return status, text
            except (OSError, http.client.HTTPException) as error:
                status, text = 0, str(error).encode()
            connection.close()
            ports.reverse()
            connection = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=TIMEOUT_SECONDS)
            time.sleep(PAUSE_SECONDS)
        return status, text

    def ask(model: str, x: list[float]) -> str:
        status, text = post(model, json.dumps({"inputs": x}).encode())
        good = status == 200 and json.loads(text)["outputs"] == expected(model, x)
        return "" if good else f"REST {model}: {status} {text[:300]!r}"

    def refuse(kind: int) -> str:
        model, body = (("none", b"{}"), ("double", b"{"), ("double", b'{"inputs": "a"}'), ("double", b'{"z": [1]}'))[
            kind
        ]
        status, text = post(model, body)
        return "" if 400 <= status < 500 else f"REST answered the bad request {body!r}: {status} {text[:300]!r}"

    try:
        _asks(ask, refuse, tally, stop, seed)
    finally:
        connection.close()
