"""The client without a network: what it sends, what it reads, and when it tries again."""

import asyncio
import random
import subprocess
import sys

import grpc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kilnworks_client import AsyncClient, Client, Options, Policy, messages, tensors
from kilnworks_client import examples as example_protos
from kilnworks_client.errors import ConfigError, RequestInvalid, ServerUnavailable


class Refused(grpc.RpcError):
    """A failed call as gRPC raises it."""

    def __init__(self, code: grpc.StatusCode, text: str = "no", told: tuple[tuple[str, str], ...] = ()) -> None:
        self._code, self._text, self._told = code, text, told

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._text

    def trailing_metadata(self) -> tuple[tuple[str, str], ...]:
        return self._told


class Clock:
    """Seconds that pass only when somebody sleeps or a call takes time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Channel:
    """A channel that answers from a list: messages, or errors to raise. Remembers what it was asked."""

    def __init__(self, answers: list[object], clock: Clock | None = None, seconds: float = 0.0) -> None:
        self.answers, self.asked, self.timeouts, self.closed = list(answers), [], [], False
        self._clock, self._seconds = clock, seconds

    def unary_unary(self, path: str, request_serializer: object, response_deserializer: object) -> object:
        def call(request: object, timeout: float) -> object:
            self.asked.append((path, type(request).FromString(request_serializer(request))))
            self.timeouts.append(timeout)
            if self._clock is not None:
                self._clock.now += self._seconds
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if isinstance(answer, Exception):
                raise answer
            return response_deserializer(answer.SerializeToString())

        return call

    def close(self) -> None:
        self.closed = True


class AsyncChannel(Channel):
    """The same for asyncio."""

    def unary_unary(self, path: str, request_serializer: object, response_deserializer: object) -> object:
        call = super().unary_unary(path, request_serializer, response_deserializer)

        async def later(request: object, timeout: float) -> object:
            await asyncio.sleep(0)
            return call(request, timeout)

        return later

    async def close(self) -> None:
        self.closed = True


UNAVAILABLE = Refused(grpc.StatusCode.UNAVAILABLE, "down")
QUICK = Policy(attempts=4, first_seconds=0.001, longest_seconds=0.004)


def prediction() -> object:
    answer = messages.PredictResponse()
    answer.model_spec.name, answer.model_spec.signature_name = "m", "serving_default"
    answer.model_spec.version.value = 7
    answer.outputs["y"].dtype = 1
    answer.outputs["y"].tensor_shape.dim.add(size=3)
    answer.outputs["y"].float_val.extend([2.5])
    return answer


def status(*states: tuple[int, int, int]) -> object:
    answer = messages.GetModelStatusResponse()
    for version, state, code in states:
        found = answer.model_version_status.add(version=version, state=state)
        found.status.error_code = code
        found.status.error_message = "broken" if code else ""
    return answer


@pytest.fixture(params=["blocking", "asyncio"])
def ask(request: pytest.FixtureRequest) -> object:
    """Call a method of a client over a channel of prepared answers; works for both kinds of client."""

    def run(
        answers: list[object], method: str, *args: object, options: Options | None = None, **kwargs: object
    ) -> object:
        options = options or Options(retry=QUICK)
        if request.param == "blocking":
            run.channel = Channel(answers)
            with Client(run.channel, options=options) as client:
                return getattr(client, method)(*args, **kwargs)
        run.channel = AsyncChannel(answers)

        async def main() -> object:
            async with AsyncClient(run.channel, options=options) as client:
                return await getattr(client, method)(*args, **kwargs)

        return asyncio.run(main())

    return run


def test_predict(ask: object) -> None:
    found = ask([prediction()], "predict", "m", {"x": [1.0, 2.0], "s": ["a", b"\xff"]}, label="stable", outputs=["y"])
    assert (found.model, found.version, found.signature) == ("m", 7, "serving_default")
    np.testing.assert_array_equal(found.outputs["y"], np.array([2.5, 2.5, 2.5], np.float32))
    [(path, sent)] = ask.channel.asked
    assert path == "/tensorflow.serving.PredictionService/Predict"
    assert (sent.model_spec.name, sent.model_spec.version_label) == ("m", "stable")
    assert not sent.model_spec.HasField("version")
    assert list(sent.output_filter) == ["y"]
    assert sent.inputs["x"].dtype == 1 and sent.inputs["s"].dtype == 7
    assert list(sent.inputs["s"].string_val) == [b"a", b"\xff"]
    assert ask.channel.closed


def test_classify_regress_metadata(ask: object) -> None:
    classes = messages.ClassificationResponse()
    classes.result.classifications.add().classes.add(label="yes", score=0.5)
    assert ask([classes], "classify", "m", [{"x": 1.5}]) == [[("yes", 0.5)]]
    sent = ask.channel.asked[0][1]
    assert sent.input.example_list.examples[0] == example_protos.serialize({"x": 1.5})
    values = messages.RegressionResponse()
    values.result.regressions.add(value=0.25)
    np.testing.assert_array_equal(ask([values], "regress", "m", [b""], version=0), np.array([0.25], np.float32))
    assert ask.channel.asked[0][1].model_spec.version.value == 0
    assert ask.channel.asked[0][1].model_spec.HasField("version")
    signatures = messages.SignatureDefMap()
    signatures.signature_def["s"].inputs["x"].dtype = 1
    signatures.signature_def["s"].inputs["x"].tensor_shape.dim.add(size=-1)
    signatures.signature_def["s"].outputs["t"].dtype = 7
    signatures.signature_def["s"].outputs["t"].tensor_shape.unknown_rank = True
    answer = messages.GetModelMetadataResponse()
    answer.metadata["signature_def"].value = signatures.SerializeToString()
    meta = ask([answer], "metadata", "m").signatures["s"]
    assert (meta.inputs["x"].dtype, meta.inputs["x"].shape) == ("float32", (-1,))
    assert (meta.outputs["t"].dtype, meta.outputs["t"].shape) == ("string", None)


def test_tried_again_until_the_server_is_back(ask: object) -> None:
    found = ask([UNAVAILABLE, UNAVAILABLE, prediction()], "predict", "m", {"x": [1.0]})
    assert found.version == 7
    assert len(ask.channel.asked) == 3


def test_tried_again_when_there_is_no_place(ask: object) -> None:
    busy = Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "busy")
    assert ask([busy, busy, prediction()], "predict", "m", {"x": [1.0]}).version == 7
    assert len(ask.channel.asked) == 3


def test_not_tried_again_when_the_server_says_that_it_does_not_help(ask: object) -> None:
    large = Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "too large", (("grpc-retry-pushback-ms", "-1"),))
    with pytest.raises(ServerUnavailable, match="too large"):
        ask([large, prediction()], "predict", "m", {"x": [1.0]})
    assert len(ask.channel.asked) == 1


def test_given_up_after_all_attempts(ask: object) -> None:
    with pytest.raises(ServerUnavailable, match="UNAVAILABLE: down") as raised:
        ask([UNAVAILABLE], "predict", "m", {"x": [1.0]})
    assert len(ask.channel.asked) == 4
    assert raised.value.details == {"code": "UNAVAILABLE", "text": "down", "attempts": 4}


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("INVALID_ARGUMENT", RequestInvalid),
        ("NOT_FOUND", RequestInvalid),
        ("FAILED_PRECONDITION", RequestInvalid),
        ("UNIMPLEMENTED", RequestInvalid),
        ("DEADLINE_EXCEEDED", ServerUnavailable),
        ("INTERNAL", ServerUnavailable),
    ],
)
def test_other_errors_are_not_tried_again(ask: object, code: str, error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        ask([Refused(grpc.StatusCode[code], "why")], "status", "m")
    assert raised.value.details["code"] == code
    assert len(ask.channel.asked) == 1


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_a_call_without_time_is_not_sent(ask: object, seconds: float) -> None:
    with pytest.raises(ServerUnavailable, match="no answer within"):
        ask([prediction()], "predict", "m", {"x": [1.0]}, timeout_seconds=seconds)
    assert ask.channel.asked == []


def test_a_version_and_a_label_exclude_each_other(ask: object) -> None:
    with pytest.raises(RequestInvalid, match="one of them"):
        ask([prediction()], "predict", "m", {"x": [1.0]}, version=2, label="stable")


def test_waits_grow_and_stay_within_the_deadline() -> None:
    clock = Clock()
    channel = Channel([UNAVAILABLE], clock, seconds=1.0)
    waits = []
    policy = Policy(attempts=100, first_seconds=1.0, longest_seconds=8.0)
    client = Client(channel, timeout_seconds=60.0, options=Options(retry=policy, clock=clock, chance=Highest()))

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        clock.now += seconds

    with pytest.MonkeyPatch.context() as patch, pytest.raises(ServerUnavailable):
        patch.setattr("kilnworks_client.client.time.sleep", sleep)
        client.status("m")
    assert waits[:5] == [1.0, 2.0, 4.0, 8.0, 8.0]
    assert clock.now <= 60.0
    assert channel.timeouts[0] == 60.0 and channel.timeouts[1] == 58.0
    assert sorted(channel.timeouts, reverse=True) == channel.timeouts


class Highest(random.Random):
    """Chance that always gives the upper end."""

    def uniform(self, _low: float, high: float) -> float:
        return high


def test_wait_until_available(ask: object) -> None:
    answers = [UNAVAILABLE, Refused(grpc.StatusCode.NOT_FOUND), status((2, 20, 0), (1, 30, 0))]
    found = ask(answers, "wait_until_available", "m", poll_seconds=0.001)
    assert (found.version, found.state) == (1, "AVAILABLE")
    assert len(ask.channel.asked) == 3
    with pytest.raises(ServerUnavailable, match="could not be loaded: broken"):
        ask([status((2, 50, 3))], "wait_until_available", "m", 2, poll_seconds=0.001)
    with pytest.raises(ServerUnavailable, match=r"not available after 0.01 s \(2 LOADING\)"):
        ask([status((2, 20, 0))], "wait_until_available", "m", 2, timeout_seconds=0.01, poll_seconds=0.002)


def test_an_address_is_needed() -> None:
    with pytest.raises(ConfigError):
        Client("")


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from([name for name, _ in tensors.DTYPES.values()]).flatmap(
        lambda name: hnp.arrays(name, hnp.array_shapes(min_dims=0, min_side=0))
    )
)
def test_tensors_there_and_back(array: np.ndarray) -> None:
    found = tensors.from_proto(tensors.to_proto(array))
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_texts_keep_every_byte() -> None:
    values = [b"a\x00", "b\x00", b"\xff"]
    assert list(tensors.to_proto(values).string_val) == [b"a\x00", b"b\x00", b"\xff"]
    row = messages.Example.FromString(example_protos.serialize({"s": values})).features.feature["s"]
    assert list(row.bytes_list.value) == [b"a\x00", b"b\x00", b"\xff"]
    with pytest.raises(RequestInvalid, match="mixed"):
        tensors.to_proto([1, "a"])


def test_what_cannot_be_sent_is_named() -> None:
    for value, word in [([[1], [1, 2]], "ragged"), ([1, "a", None], "mixed"), (np.zeros(1, np.complex64), "complex64")]:
        with pytest.raises(RequestInvalid, match=word):
            tensors.to_proto(value)
    with pytest.raises(RequestInvalid, match="feature 'x'"):
        example_protos.serialize({"x": [None]})


def test_importing_the_client_loads_no_tensorflow() -> None:
    code = "import sys, kilnworks_client as c; print(sorted({m.split('.')[0] for m in sys.modules}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("'tensorflow'", "'keras'", "'pydantic'", "'polars'", "'pandas'"):
        assert heavy not in found


@pytest.mark.slow
def test_same_bytes_as_the_official_messages() -> None:
    """Also: both sets of messages live in one process."""
    import tensorflow as tf
    from tensorflow_serving.apis import classification_pb2, get_model_status_pb2, predict_pb2, prediction_log_pb2

    ours = messages.PredictRequest(output_filter=["y"])
    ours.model_spec.name = "m"
    ours.model_spec.version.value = 3
    tensors.to_proto(np.arange(6, dtype=np.int64).reshape(2, 3), ours.inputs["x"])
    tensors.to_proto(["a", b"\xff"], ours.inputs["s"])
    official = predict_pb2.PredictRequest.FromString(ours.SerializeToString())
    assert official.model_spec.version.value == 3 and list(official.output_filter) == ["y"]
    np.testing.assert_array_equal(tf.make_ndarray(official.inputs["x"]), np.arange(6).reshape(2, 3))
    assert tf.make_ndarray(official.inputs["s"]).tolist() == [b"a", b"\xff"]
    for array in (
        np.array([0.1, 3], np.float32),
        np.array([[True]]),
        np.array(5, np.uint16),
        np.array([1.5], np.float16),
    ):
        proto = tf.make_tensor_proto(array).SerializeToString()
        np.testing.assert_array_equal(tensors.from_proto(messages.TensorProto.FromString(proto)), array)
        sent = type(tf.make_tensor_proto(1)).FromString(tensors.to_proto(array).SerializeToString())
        np.testing.assert_array_equal(tf.make_ndarray(sent), array)
    row = {"i": [1, 2], "f": 0.5, "s": "text"}
    example = tf.train.Example.FromString(example_protos.serialize(row)).features.feature
    assert list(example["i"].int64_list.value) == [1, 2]
    assert list(example["s"].bytes_list.value) == [b"text"]
    request = messages.ClassificationRequest()
    request.input.example_list.examples.append(example_protos.serialize(row))
    read = classification_pb2.ClassificationRequest.FromString(request.SerializeToString())
    assert list(read.input.example_list.examples[0].features.feature["f"].float_list.value) == [0.5]
    states = get_model_status_pb2.GetModelStatusResponse()
    states.model_version_status.add(version=4, state=30)
    assert messages.GetModelStatusResponse.FromString(states.SerializeToString()).model_version_status[0].state == 30
    log = messages.PredictionLog()
    log.predict_log.request.CopyFrom(ours)
    log.log_metadata.timestamp_secs = 9
    assert prediction_log_pb2.PredictionLog.FromString(log.SerializeToString()).log_metadata.timestamp_secs == 9
