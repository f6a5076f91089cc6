"""The gRPC interface against a real process: every gRPC row of the contract's error table is a case."""

import re
import threading
import time
from collections.abc import Iterator

import grpc
import numpy as np
import pytest

pytestmark = pytest.mark.e2e

tf = pytest.importorskip("tensorflow")

from core_server import (  # noqa: E402
    SERVING,
    Running,
    example,
    example_request,
    failure,
    metadata_request,
    multi_request,
    predict_request,
    reload_request,
    server,
    status_request,
    tensor,
)
from tensorflow.core.framework.tensor_pb2 import TensorProto  # noqa: E402
from tensorflow_serving.apis import (  # noqa: E402
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

# ruff: noqa: E501  (one case a line)

X = [1.0, 2.0]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("conformance")
    (folder / "models.config").write_text(
        f"""model_config_list {{
            config {{
                name: "m" base_path: "{folder}/m" model_platform: "tensorflow"
                model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
                version_labels {{ key: "stable" value: 1 }} version_labels {{ key: "gone" value: 7 }}
            }}
            config {{ name: "live" base_path: "{folder}/live" model_platform: "tensorflow" }}
        }}"""
    )
    flags = [f"--model_config_file={folder}/models.config", "--allow_version_labels_for_unavailable_models"]
    with server(folder, *flags, "--enable_grpc_healthcheck_service") as running:
        yield running


def bad_tensor(**fields: object) -> object:
    return TensorProto(**fields)


def dims(*sizes: int) -> object:
    return tf.TensorShape([]).as_proto().__class__(dim=[{"size": size} for size in sizes])


def no_spec(kind: type) -> object:
    return kind()


def with_filter(*aliases: str) -> object:
    request = predict_request("m", "two", a=X, b=X)
    request.output_filter.extend(aliases)
    return request


def spec_reload(**fields: object) -> object:
    request = model_management_pb2.ReloadConfigRequest()
    request.config.model_config_list.config.add(**fields)
    return request


SENT = r"input size does not match signature: {}!={} len\({{{}}}\) != len\({{{}}}\)\. Sent extra: {{{}}}\. Missing but required: {{{}}}\."
EX = [example(x=1.0)]

# name: (method, request, code, text; a text between slashes is a regular expression)
CASES = {
    "no model_spec": ("Predict", lambda: no_spec(predict_pb2.PredictRequest), "INVALID_ARGUMENT", "Missing ModelSpec"),
    "no model_spec classify": ("Classify", lambda: no_spec(classification_pb2.ClassificationRequest), "INVALID_ARGUMENT", "Missing ModelSpec"),
    "no model_spec regress": ("Regress", lambda: no_spec(regression_pb2.RegressionRequest), "INVALID_ARGUMENT", "Missing ModelSpec"),
    "no model_spec metadata": ("GetModelMetadata", lambda: no_spec(get_model_metadata_pb2.GetModelMetadataRequest), "INVALID_ARGUMENT", "Missing ModelSpec"),
    "no model_spec status": ("GetModelStatus", lambda: no_spec(get_model_status_pb2.GetModelStatusRequest), "INVALID_ARGUMENT", "Missing ModelSpec"),
    "empty name": ("Predict", lambda: predict_request("", x=X), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    "unknown model": ("Predict", lambda: predict_request("nope", x=X), "NOT_FOUND", "Servable not found for request: Latest(nope)"),
    "path as model": ("Predict", lambda: predict_request("../m", x=X), "NOT_FOUND", "Servable not found for request: Latest(../m)"),
    "NUL in model": ("Predict", lambda: predict_request("m\0", x=X), "NOT_FOUND", "/Servable not found for request: Latest\\(m.*/"),
    "unknown version": ("Predict", lambda: predict_request("m", version=9, x=X), "NOT_FOUND", "Servable not found for request: Specific(m, 9)"),
    "version 0 is version 0": ("Predict", lambda: predict_request("m", version=0, x=X), "NOT_FOUND", "Servable not found for request: Specific(m, 0)"),
    "unknown label": ("Predict", lambda: predict_request("m", label="nope", x=X), "INVALID_ARGUMENT", "Unrecognized servable version label: nope"),
    "label of absent version": ("Predict", lambda: predict_request("m", label="gone", x=X), "NOT_FOUND", "Servable not found for request: Specific(m, 7)"),
    "label before model": ("Predict", lambda: predict_request("nope", label="l", x=X), "INVALID_ARGUMENT", "Unrecognized servable version label: l"),
    "unknown signature": ("Predict", lambda: predict_request("m", "nope", x=X), "FAILED_PRECONDITION", 'Serving signature key "nope" not found.'),
    "unknown signature before inputs": ("Predict", lambda: predict_request("m", "nope"), "FAILED_PRECONDITION", 'Serving signature key "nope" not found.'),
    "unknown signature classify": ("Classify", lambda: example_request("Classify", "m", "nope", EX), "INVALID_ARGUMENT", "No signature was found with the name: nope"),
    "unknown signature regress": ("Regress", lambda: example_request("Regress", "m", "nope", EX), "INVALID_ARGUMENT", "No signature was found with the name: nope"),
    "unknown signature multi": ("MultiInference", lambda: multi_request([("m", "nope", "classify")], EX), "INVALID_ARGUMENT", "Requested signature not found in model graph: nope"),
    "missing input": ("Predict", lambda: predict_request("m", "two", a=X), "INVALID_ARGUMENT", "/" + SENT.format(1, 2, "a", "a,b", "", "b") + "/"),
    "extra input": ("Predict", lambda: predict_request("m", x=X, z=X), "INVALID_ARGUMENT", "/" + SENT.format(2, 1, "x,z", "x", "z", "") + "/"),
    "no input": ("Predict", lambda: predict_request("m", "two"), "INVALID_ARGUMENT", "/" + SENT.format(0, 2, "", "a,b", "", "a,b") + "/"),
    "wrong alias": ("Predict", lambda: predict_request("m", q=X), "INVALID_ARGUMENT", "/Signature input alias: x\\(feed name: serving_default_x:0\\) not found in request and no default value provided\\. Inputs expected to be in the request {q}, or default input alias set: /"),
    "missing input beside a default": ("Predict", lambda: predict_request("m", "defaulted", b=X), "INVALID_ARGUMENT", "/Signature input alias: a\\(feed name: two_a:0\\) not found .* default input alias set: b/"),
    "unknown input beside a default": ("Predict", lambda: predict_request("m", "defaulted", a=X, q=X), "INVALID_ARGUMENT", "Inputs contains invalid name. Used request inputs: a, request input: a,q"),
    "wrong dtype": ("Predict", lambda: predict_request("m", x=np.array(["a"], object)), "INVALID_ARGUMENT", "Expects arg[0] to be float but string is provided"),
    "wrong dtype of the second": ("Predict", lambda: predict_request("m", "two", a=X, b=np.array([1])), "INVALID_ARGUMENT", "Expects arg[1] to be float but int64 is provided"),
    "wrong dtype double": ("Predict", lambda: predict_request("m", x=np.array([1.0])), "INVALID_ARGUMENT", "Expects arg[0] to be float but double is provided"),
    "wrong shape": ("Predict", lambda: predict_request("m", "matrix", x=[[1.0, 2.0, 3.0]]), "INVALID_ARGUMENT", "/Matrix size-incompatible: In\\[0\\]: \\[1,3\\], In\\[1\\]: \\[2,1\\]/"),
    "wrong rank": ("Predict", lambda: predict_request("m", "matrix", x=X), "INVALID_ARGUMENT", "/In\\[0\\]/"),
    "wrong rank of an image": ("Predict", lambda: predict_request("m", "convolution", image=X), "INVALID_ARGUMENT", "/must be 4-dimensional/"),
    "no dtype": ("Predict", lambda: predict_request("m", x=bad_tensor()), "INVALID_ARGUMENT", "tensor parsing error: x"),
    "short content": ("Predict", lambda: predict_request("m", x=bad_tensor(dtype=1, tensor_shape=dims(2), tensor_content=b"abc")), "INVALID_ARGUMENT", "tensor parsing error: x"),
    "negative size": ("Predict", lambda: predict_request("m", x=bad_tensor(dtype=1, tensor_shape=dims(-1))), "INVALID_ARGUMENT", "tensor parsing error: x"),
    "huge shape": ("Predict", lambda: predict_request("m", x=bad_tensor(dtype=1, tensor_shape=dims(2**40, 2**40), float_val=[1])), "INVALID_ARGUMENT", "tensor parsing error: x"),
    "resource": ("Predict", lambda: predict_request("m", x=bad_tensor(dtype=20)), "INVALID_ARGUMENT", "tensor parsing error: x"),
    "unknown output": ("Predict", lambda: with_filter("sum", "nope"), "INVALID_ARGUMENT", "output tensor alias not found in signature: nope Outputs expected to be in the set {difference,sum}."),
    "repeated output": ("Predict", lambda: with_filter("sum", "sum"), "INVALID_ARGUMENT", "duplicate output tensor alias: sum"),
    "init op": ("Predict", lambda: predict_request("m", "__saved_model_init_op"), "/.*/", "/./"),
    "no examples classify": ("Classify", lambda: example_request("Classify", "m", "classify", []), "INVALID_ARGUMENT", "Input is empty."),
    "no examples regress": ("Regress", lambda: example_request("Regress", "m", "regress", []), "INVALID_ARGUMENT", "Input is empty."),
    "no examples multi": ("MultiInference", lambda: multi_request([("m", "regress", "regress")], []), "INVALID_ARGUMENT", "Input is empty."),
    "example lacks the feature": ("Regress", lambda: example_request("Regress", "m", "regress", [example(z=1.0)]), "INVALID_ARGUMENT", "/Feature: x \\(data type: float\\) is required but could not be found/"),
    "two inputs classify": ("Classify", lambda: example_request("Classify", "m", "two", EX), "INVALID_ARGUMENT", "Expected one input Tensor."),
    "two inputs regress": ("Regress", lambda: example_request("Regress", "m", "two", EX), "INVALID_ARGUMENT", "Expected one input Tensor."),
    "two outputs regress": ("Regress", lambda: example_request("Regress", "m", "classify", EX), "INVALID_ARGUMENT", "Expected one output Tensor."),
    "input has another name classify": ("Classify", lambda: example_request("Classify", "m", "wrong_input", EX), "INVALID_ARGUMENT", '/^No classification inputs found in SignatureDef: inputs {\n  key: "text"/'),
    "input has another name regress": ("Regress", lambda: example_request("Regress", "m", "echo_string", EX), "INVALID_ARGUMENT", '/^No regression inputs found in SignatureDef: inputs {\n  key: "x"/'),
    "output has another name regress": ("Regress", lambda: example_request("Regress", "m", "wrong_aliases", EX), "INVALID_ARGUMENT", "/^No regression outputs found in SignatureDef: /"),
    "output has another name classify": ("Classify", lambda: example_request("Classify", "m", "wrong_aliases", EX), "INVALID_ARGUMENT", '/^Expected classification signature outputs to contain at least one of "classes" or "scores"\\. Signature was: /'),
    "wide regression": ("Regress", lambda: example_request("Regress", "m", "regress_wide", EX), "INVALID_ARGUMENT", "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got [1,2]"),
    "integer regression": ("Regress", lambda: example_request("Regress", "m", "regress_integers", EX), "INVALID_ARGUMENT", "Expected output Tensor of DT_FLOAT.  Got: DT_INT64"),
    "flat scores": ("Classify", lambda: example_request("Classify", "m", "scores_flat", EX), "INVALID_ARGUMENT", "Expected Tensor shape: [batch_size num_classes] but got [1]"),
    "unknown model classify": ("Classify", lambda: example_request("Classify", "nope", "", EX), "NOT_FOUND", "Servable not found for request: Latest(nope)"),
    "unknown version regress": ("Regress", lambda: example_request("Regress", "m", "regress", EX, version=5), "NOT_FOUND", "Servable not found for request: Specific(m, 5)"),
    "multi without tasks": ("MultiInference", lambda: no_spec(inference_pb2.MultiInferenceRequest), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    "multi of two models": ("MultiInference", lambda: multi_request([("m", "regress", "regress"), ("live", "regress", "regress")], EX), "INVALID_ARGUMENT", "All ModelSpecs in a MultiInferenceRequest must access the same model name."),
    "multi twice the same": ("MultiInference", lambda: multi_request([("m", "regress", "regress")] * 2, EX), "INVALID_ARGUMENT", "Duplicate evaluation of signature: regress"),
    "multi other method": ("MultiInference", lambda: multi_request([("m", "regress", "predict")], EX), "UNIMPLEMENTED", f"Unsupported signature method_name: {SERVING}predict"),
    "multi unknown model": ("MultiInference", lambda: multi_request([("nope", "regress", "regress")], EX), "NOT_FOUND", "Servable not found for request: Latest(nope)"),
    "metadata without field": ("GetModelMetadata", lambda: metadata_request("m", []), "INVALID_ARGUMENT", "GetModelMetadataRequest must specify at least one metadata_field"),
    "metadata without field before model": ("GetModelMetadata", lambda: metadata_request("nope", []), "INVALID_ARGUMENT", "GetModelMetadataRequest must specify at least one metadata_field"),
    "metadata other field": ("GetModelMetadata", lambda: metadata_request("m", ["f"]), "INVALID_ARGUMENT", "Metadata field f is not supported"),
    "metadata unknown model": ("GetModelMetadata", lambda: metadata_request("nope", ["signature_def"]), "NOT_FOUND", "Servable not found for request: Latest(nope)"),
    "status unknown model": ("GetModelStatus", lambda: status_request("nope"), "NOT_FOUND", "Could not find any versions of model nope"),
    "status empty name": ("GetModelStatus", lambda: status_request(""), "NOT_FOUND", "Could not find any versions of model "),
    "status unknown version": ("GetModelStatus", lambda: status_request("m", version=9), "NOT_FOUND", "Could not find version 9 of model m"),
    "reload repeated name": ("HandleReloadConfigRequest", lambda: reload_request({"name": "m", "base_path": "/a"}, {"name": "m", "base_path": "/b"}), "INVALID_ARGUMENT", "Illegal to list model m multiple times in config list"),
    "reload relative path": ("HandleReloadConfigRequest", lambda: reload_request({"name": "m", "base_path": "a/b"}), "INVALID_ARGUMENT", "Expected model m to have an absolute path or URI; got base_path()=a/b"),
    "reload no platform": ("HandleReloadConfigRequest", lambda: spec_reload(name="q", base_path="/q"), "INVALID_ARGUMENT", "Illegal setting neither ModelServerConfig::model_type (deprecated) nor ModelServerConfig::model_platform, model name is q"),
    "reload unknown platform": ("HandleReloadConfigRequest", lambda: reload_request({"name": "q", "base_path": "/q", "model_platform": "torch"}), "INVALID_ARGUMENT", "Model q requests unsupported platform torch"),
    "reload platform changed": ("HandleReloadConfigRequest", lambda: reload_request({"name": "m", "base_path": "/m", "model_platform": "torch"}), "INVALID_ARGUMENT", "Illegal to change a model's platform. For model m platform was tensorflow and new platform requested is torch"),
    "reload both platforms": ("HandleReloadConfigRequest", lambda: spec_reload(name="q", base_path="/q", model_platform="tensorflow", model_type=1), "INVALID_ARGUMENT", "/^Illegal setting both /"),
    "reload empty": ("HandleReloadConfigRequest", lambda: no_spec(model_management_pb2.ReloadConfigRequest), "INVALID_ARGUMENT", "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently supported"),
    "reload with request logging": ("HandleReloadConfigRequest", lambda: reload_request({"name": "m", "base_path": "/m", "logging_config": {}}), "INVALID_ARGUMENT", "No request-logger-creator provided."),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_error_table(served: Running, name: str) -> None:
    method, request, code, text = CASES[name]
    stub = served.models if hasattr(served.models, method) else served.prediction
    got_code, got_text = failure(lambda: getattr(stub, method)(request(), timeout=20))
    for got, wanted in ((got_code, code), (got_text, text)):
        if wanted.startswith("/"):
            assert re.search(wanted[1:-1], got, re.DOTALL), (got, wanted)
        else:
            assert got == wanted


def test_label_on_unavailable_version_is_refused_and_the_old_labels_stay(served: Running) -> None:
    folder = served.log.parent
    moved = {"name": "m", "base_path": f"{folder}/m", "specific": [1, 2], "version_labels": {"stable": 9}}
    code, text = failure(lambda: served.models.HandleReloadConfigRequest(reload_request(moved), timeout=20))
    assert code == "FAILED_PRECONDITION"
    assert text == ("Request to assign label to version 9 of model m, which is not currently available for inference")
    answer = served.prediction.Predict(predict_request("m", label="stable", x=X), timeout=20)
    assert answer.model_spec.version.value == 1


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


def test_one_typed_value_is_repeated_over_the_shape(served: Running) -> None:
    proto = bad_tensor(dtype=1, tensor_shape=dims(3), float_val=[4.0])
    assert served.predict(predict_request("m", x=proto))["y"].tolist() == [4.0, 4.0, 4.0]
    proto = bad_tensor(dtype=1, tensor_shape=dims(3), float_val=[2.0, 4.0])
    assert served.predict(predict_request("m", x=proto))["y"].tolist() == [3.0, 4.0, 4.0]
    assert served.predict(predict_request("m", x=bad_tensor(dtype=1, tensor_shape=dims(2))))["y"].tolist() == [2, 2]


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
    time.sleep(0.5)
    before = served.cpu_seconds()
    time.sleep(1.0)
    assert served.cpu_seconds() - before < 0.5, "the graph still runs"


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
