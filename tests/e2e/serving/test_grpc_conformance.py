"""The gRPC interface against a real process: what answers hold."""

import threading
import time
from collections.abc import Iterator

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    regression_pb2,
)

from tests.e2e.serving.core_server import (
    Running,
    conformance_server,
    dims,
    example,
    example_request,
    failure,
    metadata_request,
    multi_request,
    predict_request,
    status_request,
    tensor,
)
from tests.waiting import until

pytestmark = pytest.mark.e2e

X = [1.0, 2.0]
EX = [example(x=1.0)]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with conformance_server(tmp_path_factory.mktemp("conformance")) as running:
        yield running


def test_predict_fills_the_spec_and_uses_typed_fields(served: Running) -> None:
    answer = served.prediction.Predict(predict_request("m", x=X), timeout=20)
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("m", 2)
    assert answer.model_spec.signature_name == "serving_default"
    assert list(answer.outputs["y"].float_val) == [2.5, 3.0]
    assert not answer.outputs["y"].tensor_content
    assert [dim.size for dim in answer.outputs["y"].tensor_shape.dim] == [2]


def test_labels_choose_the_version_and_are_not_echoed(served: Running) -> None:
    answer = served.prediction.Predict(predict_request("m", label="stable", x=X), timeout=20)
    assert answer.model_spec.version.value == 1
    assert answer.model_spec.version_label == ""


def test_output_filter_keeps_its_outputs_only(served: Running) -> None:
    request = predict_request("m", "two", a=[5.0], b=[3.0])
    request.output_filter.append("difference")
    assert {alias: value.tolist() for alias, value in served.predict(request).items()} == {"difference": [2.0]}


def test_defaults_stand_in_for_missing_inputs(served: Running) -> None:
    assert served.predict(predict_request("m", "defaulted", a=[1.0]))["sum"].tolist() == [11.0]
    assert served.predict(predict_request("m", "defaulted", a=[1.0], b=[2.0]))["sum"].tolist() == [3.0]


def test_static_shapes_are_not_checked(served: Running) -> None:
    assert served.predict(predict_request("m", x=[[1.0, 2.0], [3.0, 4.0]]))["y"].tolist() == [[2.5, 3.0], [3.5, 4.0]]
    assert served.predict(predict_request("m", x=3.0))["y"].tolist() == 3.5


ARRAYS = {
    "float32": np.array([1.5, -0.0, np.inf], np.float32),
    "float64": np.array([1e300, 0.1]),
    "float16": np.array([1.5, 65504], np.float16),
    "bfloat16": np.array([1.5, 3e38], tf.bfloat16.as_numpy_dtype),
    "int8": np.array([-128, 127], np.int8),
    "int16": np.array([-32768, 32767], np.int16),
    "int32": np.array([-(2**31), 2**31 - 1], np.int32),
    "int64": np.array([-(2**63), 2**63 - 1], np.int64),
    "uint8": np.array([0, 255], np.uint8),
    "uint16": np.array([0, 65535], np.uint16),
    "uint32": np.array([0, 2**32 - 1], np.uint32),
    "uint64": np.array([0, 2**64 - 1], np.uint64),
    "bool": np.array([True, False]),
    "string": np.array([b"", b"\xff\x00", "ä".encode()], object),
    "complex64": np.array([1 + 2j, -3j], np.complex64),
    "complex128": np.array([1 + 2j, 1e300j]),
}


def typed_proto(array: np.ndarray) -> object:
    """The array with one typed value an element."""
    proto = tf.make_tensor_proto(array)
    content, proto.tensor_content = proto.tensor_content, b""
    if content:
        field = {"f": {2: "half_val", 4: "float_val", 8: "double_val"}, "c": {8: "scomplex_val", 16: "dcomplex_val"}}
        field["i"] = {1: "int_val", 2: "int_val", 4: "int_val", 8: "int64_val"}
        field["u"] = {1: "int_val", 2: "int_val", 4: "uint32_val", 8: "uint64_val"}
        field["b"], field["V"] = {1: "bool_val"}, {2: "half_val"}
        kind, size = array.dtype.kind, array.dtype.itemsize
        raw = array
        if size == 2 and kind in "fV":
            raw = array.view(np.uint16)
        elif kind == "c":
            raw = array.view(np.float32 if size == 8 else np.float64)
        getattr(proto, field[kind][size]).extend(raw.ravel().tolist())
    return proto


@pytest.mark.parametrize("form", ["content", "typed"])
@pytest.mark.parametrize("dtype", ARRAYS)
def test_every_type_comes_back_exactly(served: Running, dtype: str, form: str) -> None:
    array = ARRAYS[dtype]
    proto = tf.make_tensor_proto(array) if form == "content" else typed_proto(array)
    answer = served.predict(predict_request("m", f"echo_{dtype}", x=proto))["y"]
    assert answer.dtype == array.dtype
    assert answer.tobytes() == array.tobytes() if dtype != "string" else answer.tolist() == array.tolist()


@pytest.mark.parametrize("timeout", [None, 20])
def test_a_string_without_dimensions_comes_back(served: Running, timeout: float | None) -> None:
    proto = TensorProto(dtype=7, tensor_shape=dims(), string_val=[b"\xffhi"])
    answer = served.predict(predict_request("m", "echo_string", x=proto), timeout)["y"]
    assert (answer.shape, answer[()]) == ((), b"\xffhi")


def test_one_typed_value_is_repeated_over_the_shape(served: Running) -> None:
    proto = TensorProto(dtype=1, tensor_shape=dims(3), float_val=[4.0])
    assert served.predict(predict_request("m", x=proto))["y"].tolist() == [4.0, 4.0, 4.0]
    proto = TensorProto(dtype=1, tensor_shape=dims(3), float_val=[2.0, 4.0])
    assert served.predict(predict_request("m", x=proto))["y"].tolist() == [3.0, 4.0, 4.0]
    assert served.predict(predict_request("m", x=TensorProto(dtype=1, tensor_shape=dims(2))))["y"].tolist() == [2, 2]


def test_classify_and_regress(served: Running) -> None:
    two = [example(x=0.25), example(x=1.0)]
    classes = served.prediction.Classify(example_request("Classify", "m", "classify", two), timeout=20)
    assert [[(c.label, c.score) for c in row.classes] for row in classes.result.classifications] == [
        [("low", 0.25), ("high", 0.75)],
        [("low", 1.0), ("high", 0.0)],
    ]
    assert classes.model_spec.signature_name == "classify"
    assert classes.model_spec.version.value == 2
    for name, values in (("regress", [2.125, 2.5]), ("regress_column", [0.25, 1.0]), ("regress_tf1", [2.125, 2.5])):
        answer = served.prediction.Regress(example_request("Regress", "m", name, two), timeout=20)
        assert [r.value for r in answer.result.regressions] == values


def test_classify_without_labels_or_scores(served: Running) -> None:
    labels = served.prediction.Classify(example_request("Classify", "m", "classes_only", EX), timeout=20)
    assert [(c.label, c.score) for c in labels.result.classifications[0].classes] == [("1.000000", 0.0)]
    scores = served.prediction.Classify(example_request("Classify", "m", "scores_only", EX), timeout=20)
    assert [(c.label, c.score) for c in scores.result.classifications[0].classes] == [("", 1.0)]


def test_predict_works_on_a_signature_for_examples(served: Running) -> None:
    serialized = np.array([example(x=0.5).SerializeToString()], object)
    assert served.predict(predict_request("m", "regress", inputs=serialized))["outputs"].tolist() == [2.25]


def test_a_context_is_put_in_front_of_each_example(served: Running) -> None:
    request = regression_pb2.RegressionRequest()
    request.CopyFrom(example_request("Regress", "m", "regress", []))
    request.input.example_list_with_context.context.CopyFrom(example(x=3.0))
    request.input.example_list_with_context.examples.extend([example(z=1.0), example(x=5.0)])
    answer = served.prediction.Regress(request, timeout=20)
    assert [r.value for r in answer.result.regressions] == [3.5, 4.5]


def test_multi_inference_keeps_the_order_of_tasks(served: Running) -> None:
    request = multi_request([("m", "classify", "classify"), ("m", "regress", "regress")], [example(x=0.5)])
    answer = served.prediction.MultiInference(request, timeout=20)
    assert [result.WhichOneof("result") for result in answer.results] == ["classification_result", "regression_result"]
    assert answer.results[1].regression_result.regressions[0].value == 2.25
    assert [(r.model_spec.name, r.model_spec.signature_name) for r in answer.results] == [
        ("m", "classify"),
        ("m", "regress"),
    ]


def test_metadata_lists_every_signature(served: Running) -> None:
    answer = served.prediction.GetModelMetadata(metadata_request("m", ["signature_def"], version=2), timeout=20)
    assert (answer.model_spec.name, answer.model_spec.version.value) == ("m", 2)
    assert answer.model_spec.signature_name == ""
    packed = answer.metadata["signature_def"]
    assert packed.type_url == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    signatures = get_model_metadata_pb2.SignatureDefMap.FromString(packed.value).signature_def
    assert {"serving_default", "two", "__saved_model_init_op"} <= signatures.keys()
    assert signatures["matrix"].inputs["x"].tensor_shape.dim[1].size == 2
    assert not signatures["defaulted"].defaults


def test_status_lists_versions_newest_first_and_ignores_labels(served: Running) -> None:
    for request in (status_request("m"), status_request("m", label="nope")):
        answer = served.models.GetModelStatus(request, timeout=20)
        assert [(s.version, s.state, s.status.error_code) for s in answer.model_version_status] == [
            (2, 30, 0),
            (1, 30, 0),
        ]
    one = served.models.GetModelStatus(status_request("m", version=1), timeout=20)
    assert [s.version for s in one.model_version_status] == [1]


def test_deadlines_cancel_the_run(served: Running) -> None:
    code, _ = failure(lambda: served.predict(predict_request("m", "endless", x=[1.0]), timeout=0.5))
    assert code == "DEADLINE_EXCEEDED"

    def idle() -> bool:
        before = served.cpu_seconds()
        time.sleep(0.5)
        return served.cpu_seconds() - before < 0.1

    assert until(idle), "the graph still runs"


def test_no_deadline_is_no_limit(served: Running) -> None:
    assert served.predict(predict_request("m", "loop", turns=np.array(1000)), timeout=None)["y"].shape == (64,)


def test_errors_are_cut_at_1024_characters(served: Running) -> None:
    name = "n" * 3000
    _, text = failure(lambda: served.predict(predict_request(name, x=X)))
    assert text == f"Servable not found for request: Latest({name})"[:1024] + "...TRUNCATED"


def test_unknown_methods_are_unimplemented(served: Running) -> None:
    for method in (
        "/tensorflow.serving.SessionService/SessionRun",
        "/tensorflow.serving.PredictionService/Nope",
        "/x/Y",
    ):
        code, _ = failure(lambda method=method: served.channel.unary_unary(method)(b"", timeout=20))
        assert code == "UNIMPLEMENTED"


def test_health(served: Running) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    stub = health_pb2_grpc.HealthStub(served.channel)
    for service in ("", "ModelService", "PredictionService"):
        assert stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=20).status == 1
    assert failure(lambda: stub.Check(health_pb2.HealthCheckRequest(service="nope"), timeout=20))[0] == "NOT_FOUND"
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=""), timeout=20)
    assert next(watch).status == 1
    watch.cancel()
    unknown = stub.Watch(health_pb2.HealthCheckRequest(service="nope"), timeout=20)
    assert next(unknown).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    unknown.cancel()


def test_tensor_bytes_and_gzip_messages(served: Running) -> None:
    call = served.prediction.Predict
    answer = call(predict_request("m", x=np.ones(100_000, np.float32)), timeout=20, compression=grpc.Compression.Gzip)
    assert len(answer.outputs["y"].float_val) == 100_000


def test_many_threads_share_one_channel(served: Running) -> None:
    wrong: list[object] = []

    def ask(i: int) -> None:
        for k in range(50):
            value = float(i * 100 + k)
            got = served.predict(predict_request("m", x=[value]))["y"].tolist()
            if got != [value / 2 + 2]:
                wrong.append((value, got))

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_typed_input_and_content_mean_the_same(served: Running) -> None:
    rng = np.random.default_rng(0)
    array = rng.normal(size=(7, 2)).astype(np.float32)
    for proto in (tensor(array), typed_proto(array)):
        got = served.predict(predict_request("m", "matrix", x=proto))["y"]
        np.testing.assert_allclose(got, array @ [[1.0], [2.0]], rtol=1e-5)
