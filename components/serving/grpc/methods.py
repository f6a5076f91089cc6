"""The unary methods of PredictionService and ModelService: request bytes in, answer bytes out.

Nothing here knows how bytes travel. Importing this module imports TensorFlow (its protos).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

from kilnworks.components.serving.batching.resumable import Steps
from kilnworks.components.serving.errors import Code, ServingError, invalid_argument
from kilnworks.components.serving.inference.engine import Engine
from kilnworks.components.serving.settings.callers import ANYBODY, Caller, Callers
from kilnworks.components.serving.settings.reload_policy import ReloadPolicy
from kilnworks.components.serving.wire.example_input import serialized_examples
from kilnworks.components.serving.wire.tensor_codec import fill_proto, to_array
from kilnworks.components.serving.wire.values import Classified, InferenceTask, ModelSpecRef, Regressed

Message = TypeVar("Message")
_NO_DEADLINE_SECONDS = 10**9
_SIGNATURE_DEF = "signature_def"


class Call(Protocol):
    """What a method may ask about the call it answers."""

    def time_remaining(self) -> float | None:
        """Seconds until the client's deadline; None without one."""

    def is_active(self) -> bool:
        """Whether the client still waits."""

    def peer(self) -> str:
        """Where the call comes from, as gRPC writes it."""

    def metadata(self) -> Mapping[str, str]:
        """What the client sent beside the message, by lower-case name."""


Method = Callable[[bytes, Call], bytes | Steps[bytes]]


@dataclass(frozen=True)
class ServiceSettings:
    """How answers are written and what a reload reports.

    Attributes:
        tensor_content: write output tensors as ``tensor_content`` instead of typed fields.
        reload: whose reloads are carried out.
        callers: who may ask; None = anybody.
        metric_value: current value of a metric by its name, for ``metric_names`` of a reload.
    """

    tensor_content: bool = False
    metric_value: Callable[[str], int] = lambda name: 0
    reload: ReloadPolicy = field(default_factory=ReloadPolicy)
    callers: Callers | None = None

    def caller(self, call: Call) -> Caller:
        """Who calls. Raises ``ServingError`` UNAUTHENTICATED."""
        return ANYBODY if self.callers is None else self.callers.caller(call.metadata().get("authorization", ""))


def limited(seconds: float | None) -> float | None:
    """Seconds to a deadline; None when gRPC reports its far future, which stands for no deadline."""
    return None if seconds is None or seconds > _NO_DEADLINE_SECONDS else seconds


def methods(engine: Engine, settings: ServiceSettings = ServiceSettings()) -> Mapping[str, Method]:
    """All methods by their full gRPC name."""
    prediction, model = _Prediction(engine, settings), _Management(engine, settings)
    return {
        "/tensorflow.serving.PredictionService/Predict": prediction.predict,
        "/tensorflow.serving.PredictionService/Classify": prediction.classify,
        "/tensorflow.serving.PredictionService/Regress": prediction.regress,
        "/tensorflow.serving.PredictionService/MultiInference": prediction.multi_inference,
        "/tensorflow.serving.PredictionService/GetModelMetadata": model.metadata,
        "/tensorflow.serving.ModelService/GetModelStatus": model.status,
        "/tensorflow.serving.ModelService/HandleReloadConfigRequest": model.reload,
    }


def parsed(kind: Callable[[], Message], data: bytes) -> Message:
    """A request message. Raises ``ServingError`` INTERNAL, as gRPC's C++ server answers bytes that do not parse."""
    message: Any = kind()
    try:
        message.ParseFromString(data)
    except (DecodeError, UnicodeDecodeError) as error:
        raise ServingError(Code.INTERNAL, f"the request is not a {type(message).__name__}: {error}") from None
    return message


def spec_ref(request: Any) -> ModelSpecRef:
    """The model spec of a request. Raises ``ServingError`` when there is none."""
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    return ref_of(request.model_spec)


def ref_of(spec: Any) -> ModelSpecRef:
    """A ModelSpec proto as a value."""
    choice = spec.WhichOneof("version_choice")
    return ModelSpecRef(
        spec.name,
        spec.version.value if choice == "version" else None,
        spec.version_label if choice == "version_label" else None,
        spec.signature_name,
    )


def _fill_spec(spec: Any, name: str, version: int, signature_name: str = "") -> None:
    spec.name = name
    spec.version.value = version
    if signature_name:
        spec.signature_name = signature_name


class _Prediction:
    """Inference calls. Each counts itself as a request; MultiInference does not, as in stock."""

    def __init__(self, engine: Engine, settings: ServiceSettings) -> None:
        self._engine, self._settings = engine, settings

    def predict(self, data: bytes, call: Call) -> Steps[bytes]:
        """PredictRequest -> PredictResponse."""
        caller = self._settings.caller(call)
        with self._engine.budget.hold_message(data, predict_pb2.PredictRequest.DESCRIPTOR):
            request = parsed(predict_pb2.PredictRequest, data)
            steps = self._predict(request, call, caller)
            return (yield from self._counted("Predict", request.model_spec.name, steps))

    def _predict(self, request: Any, call: Call, caller: Caller) -> Steps[bytes]:
        spec = spec_ref(request)
        caller.check(spec.name)
        with self._engine.acquire(spec) as handle:
            predicted = yield from self._engine.predict_on(
                handle, spec.signature_name, request.inputs, request.output_filter, call.time_remaining(), to_array
            )
        response = predict_pb2.PredictResponse()
        _fill_spec(response.model_spec, predicted.name, predicted.version, predicted.signature_name)
        for alias, array in predicted.outputs.items():
            fill_proto(response.outputs[alias], array, self._settings.tensor_content)
        return response.SerializeToString()

    def classify(self, data: bytes, call: Call) -> Steps[bytes]:
        """ClassificationRequest -> ClassificationResponse."""
        caller = self._settings.caller(call)
        with self._engine.budget.hold_message(data, classification_pb2.ClassificationRequest.DESCRIPTOR):
            request = parsed(classification_pb2.ClassificationRequest, data)
            steps = self._classify(request, call, caller)
            return (yield from self._counted("Classify", request.model_spec.name, steps))

    def _classify(self, request: Any, call: Call, caller: Caller) -> Steps[bytes]:
        spec = spec_ref(request)
        caller.check(spec.name)
        result = yield from self._engine.classify(spec, self._examples(request), call.time_remaining())
        response = classification_pb2.ClassificationResponse()
        _fill_spec(response.model_spec, result.name, result.version, result.signature_name)
        _fill_classes(response.result, result)
        return response.SerializeToString()

    def regress(self, data: bytes, call: Call) -> Steps[bytes]:
        """RegressionRequest -> RegressionResponse."""
        caller = self._settings.caller(call)
        with self._engine.budget.hold_message(data, regression_pb2.RegressionRequest.DESCRIPTOR):
            request = parsed(regression_pb2.RegressionRequest, data)
            steps = self._regress(request, call, caller)
            return (yield from self._counted("Regress", request.model_spec.name, steps))

    def _regress(self, request: Any, call: Call, caller: Caller) -> Steps[bytes]:
        spec = spec_ref(request)
        caller.check(spec.name)
        result = yield from self._engine.regress(spec, self._examples(request), call.time_remaining())
        response = regression_pb2.RegressionResponse()
        _fill_spec(response.model_spec, result.name, result.version, result.signature_name)
        _fill_values(response.result, result)
        return response.SerializeToString()

    def multi_inference(self, data: bytes, call: Call) -> Steps[bytes]:
        """MultiInferenceRequest -> MultiInferenceResponse."""
        caller = self._settings.caller(call)
        with self._engine.budget.hold_message(data, inference_pb2.MultiInferenceRequest.DESCRIPTOR):
            request = parsed(inference_pb2.MultiInferenceRequest, data)
            tasks = [InferenceTask(ref_of(task.model_spec), task.method_name) for task in request.tasks]
            for task in tasks:
                caller.check(task.spec.name)
            results = yield from self._engine.multi_inference(tasks, self._examples(request), call.time_remaining())
        response = inference_pb2.MultiInferenceResponse()
        for result in results:
            proto = response.results.add()
            _fill_spec(proto.model_spec, result.name, result.version, result.signature_name)
            if isinstance(result, Classified):
                _fill_classes(proto.classification_result, result)
            else:
                _fill_values(proto.regression_result, result)
        return response.SerializeToString()

    def _examples(self, request: Any) -> Sequence[bytes]:
        return serialized_examples(request.input, self._engine.budget.check)

    def _counted(self, api: str, model: str, steps: Steps[bytes]) -> Steps[bytes]:
        metrics = self._engine.metrics
        started = time.perf_counter()
        try:
            answer = yield from steps
        except ServingError as error:
            metrics.request(model, error.code.name)
            raise
        metrics.latency(model, api, "GRPC", (time.perf_counter() - started) * 1e6)
        metrics.request(model, Code.OK.name)
        return answer


def _fill_classes(proto: Any, result: Classified) -> None:
    proto.SetInParent()
    for row in result.classifications:
        classes = proto.classifications.add().classes
        for label, score in row:
            classes.add(label=label.decode("utf-8", "replace"), score=score)


def _fill_values(proto: Any, result: Regressed) -> None:
    proto.SetInParent()
    for value in result.values:
        proto.regressions.add(value=value)


class _Management:
    """Questions about the served models, and changing which are served."""

    def __init__(self, engine: Engine, settings: ServiceSettings) -> None:
        self._engine, self._settings = engine, settings

    def _parsed(self, kind: Any, data: bytes) -> Any:
        with self._engine.budget.hold_message(data, kind.DESCRIPTOR):
            return parsed(kind, data)

    def metadata(self, data: bytes, call: Call) -> bytes:
        """GetModelMetadataRequest -> GetModelMetadataResponse."""
        caller = self._settings.caller(call)
        request = self._parsed(get_model_metadata_pb2.GetModelMetadataRequest, data)
        spec = spec_ref(request)
        caller.check(spec.name)
        if not request.metadata_field:
            raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
        for name in request.metadata_field:
            if name != _SIGNATURE_DEF:
                raise invalid_argument(f"Metadata field {name} is not supported")
        metadata = self._engine.metadata(spec)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, proto in metadata.signature_defs.items():
            signatures.signature_def[name].CopyFrom(proto)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        _fill_spec(response.model_spec, metadata.name, metadata.version)
        response.metadata[_SIGNATURE_DEF].Pack(signatures)
        return response.SerializeToString()

    def status(self, data: bytes, call: Call) -> bytes:
        """GetModelStatusRequest -> GetModelStatusResponse."""
        caller = self._settings.caller(call)
        spec = spec_ref(self._parsed(get_model_status_pb2.GetModelStatusRequest, data))
        caller.check(spec.name)
        response = get_model_status_pb2.GetModelStatusResponse()
        for status in self._engine.status(spec):
            proto = response.model_version_status.add(
                version=status.version, state=get_model_status_pb2.ModelVersionStatus.State.Value(status.state)
            )
            proto.status.SetInParent()
            proto.status.error_code = int(status.code)
            proto.status.error_message = status.message
        return response.SerializeToString()

    def reload(self, data: bytes, call: Call) -> bytes:
        """ReloadConfigRequest -> ReloadConfigResponse; waits until new models are available."""
        self._settings.caller(call).check_reload()
        self._settings.reload.check(call)
        request = self._parsed(model_management_pb2.ReloadConfigRequest, data)
        before = {name: self._settings.metric_value(name) for name in request.metric_names}
        self._engine.core.reload(request.config, call.time_remaining(), lambda: not call.is_active())
        response = model_management_pb2.ReloadConfigResponse()
        response.status.SetInParent()
        for name, value in before.items():
            response.metric.add(name=name, int64_value_increase=self._settings.metric_value(name) - value)
        return response.SerializeToString()
