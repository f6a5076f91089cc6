"""Errors over gRPC from a real process: every gRPC row of the contract's error table is a case."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

from tests.e2e.serving.core_server import (
    SERVING,
    Running,
    conformance_server,
    dims,
    example,
    example_request,
    failure,
    metadata_request,
    multi_request,
    predict_request,
    reload_request,
    status_request,
)

pytestmark = pytest.mark.e2e

# ruff: noqa: E501  (one case a line)

X = [1.0, 2.0]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with conformance_server(tmp_path_factory.mktemp("conformance")) as running:
        yield running


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
    "no dtype": ("Predict", lambda: predict_request("m", x=TensorProto()), "INVALID_ARGUMENT", "tensor parsing error: x"),
    "short content": ("Predict", lambda: predict_request("m", x=TensorProto(dtype=1, tensor_shape=dims(2), tensor_content=b"abc")), "INVALID_ARGUMENT", "tensor parsing error: x"),
    "negative size": ("Predict", lambda: predict_request("m", x=TensorProto(dtype=1, tensor_shape=dims(-1))), "INVALID_ARGUMENT", "tensor parsing error: x"),
    "huge shape": ("Predict", lambda: predict_request("m", x=TensorProto(dtype=1, tensor_shape=dims(2**40, 2**40), float_val=[1])), "INVALID_ARGUMENT", "tensor parsing error: x"),
    "resource": ("Predict", lambda: predict_request("m", x=TensorProto(dtype=20)), "INVALID_ARGUMENT", "tensor parsing error: x"),
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
