"""A model that computes without end, and more calls than can be taken: others are answered, nobody is cut off."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from tensorflow_serving.apis import predict_pb2

from tests.e2e.security.attacked_server import CLOSE, PREDICT, Attacked, started
from tests.waiting import until

pytestmark = pytest.mark.e2e

RUNS, WAITING = 8, 1200
CALLS = 2500
METHOD = "/tensorflow.serving.PredictionService/Predict"


def request(model: str, signature: str = "") -> bytes:
    message = predict_pb2.PredictRequest()
    message.model_spec.name, message.model_spec.signature_name = model, signature
    message.inputs["x"].dtype = 1
    message.inputs["x"].float_val.append(1.0)
    message.inputs["x"].tensor_shape.dim.add().size = 1
    return message.SerializeToString()


def config_of(models: Path, folder: Path) -> Path:
    """A configuration file that serves a good model, ``m``, and one without end."""
    config = folder / "models.config"
    lines = [
        f"config {{ name: '{n}' base_path: '{models}/{n}' model_platform: 'tensorflow' }}" for n in ("m", "endless")
    ]
    config.write_text("model_config_list {" + "\n".join(lines) + "}")
    return config


@pytest.fixture
def busy(models: Path, tmp_path: Path) -> Iterator[Attacked]:
    flags = (f"--max_runs_per_model={RUNS}", f"--max_waiting_per_model={WAITING}", "--drain_seconds=1")
    with started(tmp_path, f"--model_config_file={config_of(models, tmp_path)}", *flags) as server:
        yield server


def test_thousands_of_waiting_calls_are_answered_or_refused_at_once(busy: Attacked) -> None:
    with grpc.insecure_channel(busy.grpc) as channel:
        predict = channel.unary_unary(METHOD)
        futures = [predict.future(request("m", "slow"), timeout=120) for _ in range(CALLS)]
        found = Counter((future.code().name, (future.details() or "")[-80:]) for future in futures)
    codes = Counter(code for code, _ in found.elements())
    assert set(codes) <= {"OK", "RESOURCE_EXHAUSTED"}, found
    assert codes["OK"] >= WAITING
    refused = codes["RESOURCE_EXHAUSTED"]
    assert all(f"--max_waiting_per_model={WAITING}" in text for code, text in found if code != "OK")
    if refused:
        assert f':kilnworks:serving:requests_refused{{reason="runs"}} {refused}' in busy.metrics()
    busy.answers_well()


def test_a_model_without_end_leaves_the_others_alone(busy: Attacked) -> None:
    body = b'{"inputs":[1.0]}'
    endless = PREDICT.replace(b"/m:", b"/endless:") + CLOSE + b"Content-Length: %d\r\n\r\n" % len(body) + body
    with grpc.insecure_channel(busy.grpc) as channel:
        predict = channel.unary_unary(METHOD)
        lost = [predict.future(request("endless")) for _ in range(RUNS + WAITING + 100)]
        refused = ':kilnworks:serving:requests_refused{reason="runs"}'
        assert until(lambda: refused in busy.metrics(), 60)
        assert f':kilnworks:serving:model_runs{{model_name="endless"}} {RUNS}' in busy.metrics()
        for timeout in (None, 30):  # with a deadline TensorFlow computes in threads of its own
            assert len(predict(request("m"), timeout=timeout)) > 0
        assert busy.status(endless) == 503
        busy.answers_well()
        for call in lost:
            call.cancel()


@pytest.mark.nightly
def test_batches_of_a_model_without_end_leave_the_others_alone(models: Path, tmp_path: Path) -> None:
    batching = tmp_path / "batching.config"
    batching.write_text("num_batch_threads { value: 2 } max_enqueued_batches { value: 4 } max_batch_size { value: 4 }")
    flags = (
        "--enable_batching",
        f"--batching_parameters_file={batching}",
        f"--max_runs_per_model={RUNS}",
        "--drain_seconds=1",
    )
    config = config_of(models, tmp_path)
    with (
        started(tmp_path, f"--model_config_file={config}", *flags) as server,
        grpc.insecure_channel(server.grpc) as channel,
    ):
        predict = channel.unary_unary(METHOD)
        assert len(predict(request("m", "rows"), timeout=30)) > 0
        lost = [predict.future(request("endless")) for _ in range(200)]
        assert until(lambda: any(call.done() for call in lost), 60), "a full queue refuses"
        for timeout in (None, 30):
            for _ in range(100):  # after which traffic is steady
                assert len(predict.future(request("m", "rows"), timeout=timeout).result(timeout=60)) > 0
        body = b'{"signature_name":"rows","instances":[1.0,2.0]}'
        [answer] = server.send(PREDICT + CLOSE + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert json.loads(answer.body) == {"predictions": [2.0, 4.0]}
        codes = Counter(call.code() for call in lost if call.done())
        assert set(codes) == {grpc.StatusCode.UNAVAILABLE}, codes
        for call in lost:
            call.cancel()
