"""How many of our files one prediction passes through, between the bytes of its request and those of its answer.

Clients keep their connection, over REST as over gRPC: to open one is no part of a request. On a busy machine a run is
a long one, before which the thread steps back (``LONG_RUN``): over gRPC that is one file more.
"""

import contextlib
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import grpc
import pytest
import tensorflow as tf

from kilnworks.components.serving import rest
from kilnworks.components.serving.grpc.methods import methods
from kilnworks.components.serving.grpc.options import GrpcOptions
from kilnworks.components.serving.grpc.server import start_grpc
from kilnworks.components.serving.process.assembly import make_engine
from kilnworks.components.serving.settings.flags import Flags
from kilnworks.components.serving.settings.options import RestOptions
from kilnworks.components.serving.versions.model_config import config_of
from tests.e2e.serving.core_server import ROOT, predict_request

OURS = [ROOT / room for room in ("components", "schemas", "pipelines", "kilnworks", "kilnworks_client")]
PREDICT = "/tensorflow.serving.PredictionService/Predict"
FEW_GRPC, FEW_REST = 8, 10
LONG_RUN = "components/serving/batching/leader_followers.py"
WARM = 40
"""Calls after which a run is known to be short."""


class Walk:
    """Notes whose functions the threads of a server call; those of its caretaker and of the manager do not count."""

    def __init__(self) -> None:
        self.files: set[str] = set()

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        path = Path(frame.f_code.co_filename).resolve()
        name = threading.current_thread().name
        if (
            event == "call"
            and name[:4] in ("grpc", "rest")
            and "care" not in name
            and any(map(path.is_relative_to, OURS))
        ):
            self.files.add(str(path.relative_to(ROOT)))

    def of(self, call: Callable[[], object], room: str) -> set[str]:
        """Files that a call passes through; those of the other transport's threads do not count."""
        self.files.clear()
        call()
        call()
        return {name for name in self.files if f"/{room}/" not in name}


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Walk, int, int]]:
    class Doubles(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def double(self, x: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"y": x * 2.0}

    folder, model = tmp_path_factory.mktemp("walk"), Doubles()
    tf.saved_model.save(model, str(folder / "m" / "1"), signatures=model.double)
    walk, engine = Walk(), make_engine(Flags())
    engine.core.reload(config_of({"m": str(folder / "m")}), 60)
    threading.setprofile(walk)  # of threads that begin from here on: servers add theirs as they need them
    try:
        running = start_grpc(methods(engine), GrpcOptions(port=0), engine.batches)
        web = rest.start(engine, RestOptions(0, 2, host="127.0.0.1"))
        yield walk, running.port, web.port
        running.stop(5)
        web.stop(5)
    finally:
        threading.setprofile(None)
        engine.core.close()


@pytest.mark.slow
def test_over_grpc(ports: tuple[Walk, int, int]) -> None:
    walk, port, _ = ports
    request = predict_request("m", x=[1.0, 2.0]).SerializeToString()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(PREDICT)
        for _ in range(WARM):
            call(request, timeout=20)
        found = walk.of(lambda: call(request, timeout=20), "rest")
    assert "components/serving/loading/execution.py" in found
    assert len(found - {LONG_RUN}) <= FEW_GRPC, sorted(found)


@pytest.mark.slow
def test_over_rest(ports: tuple[Walk, int, int]) -> None:
    walk, _, port = ports
    body = json.dumps({"instances": [1.0, 2.0]}).encode()

    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with contextlib.closing(client):
        for _ in range(WARM):
            assert _asked(client, body) == {"predictions": [2.0, 4.0]}
        found = walk.of(lambda: _asked(client, body), "grpc")
    assert "components/serving/loading/execution.py" in found
    assert len(found) <= FEW_REST, sorted(found)


def _asked(client: http.client.HTTPConnection, body: bytes) -> Any:
    client.request("POST", "/v1/models/m:predict", body)
    return json.load(client.getresponse())
