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

from kilnworks.components.serving.batching.turns import Later, answered
from kilnworks.components.serving.errors import Code, ServingError, invalid_argument
from kilnworks.components.serving.inference.engine import Engine
from kilnworks.components.serving.inference.example_inference import APIS, infer, multi_inference
from kilnworks.components.serving.inference.predict import CLASSIFY_METHOD, REGRESS_METHOD, predict
from kilnworks.components.serving.settings.callers import ANYBODY, Caller, CallersFile
from kilnworks.components.serving.settings.reload_policy import ReloadPolicy
from kilnworks.components.serving.wire.answers import fill_result, fill_spec
from kilnworks.components.serving.wire.example_input import serialized_examples
from kilnworks.components.serving.wire.message_parts import WALKED_BYTES
from kilnworks.components.serving.wire.tensor_codec import fill_proto, to_array
from kilnworks.components.serving.wire.values import Classified, InferenceTask, ModelSpecRef, Predicted, Regressed

Message = TypeVar("Message")
Result = TypeVar("Result")
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

    def step_back(self) -> None:
        """Called before work that may take long: another thread takes the next requests."""


Method = Callable[[bytes, Call], "bytes | Later[bytes]"]
"""An answer, or one that has to wait."""


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
    callers: CallersFile | None = None

    def caller(self, call: Call) -> Caller:
        """Who calls. Raises ``ServingError`` UNAUTHENTICATED."""
        return ANYBODY if self.callers is None else self.callers.caller(call.metadata().get("authorization", ""))


def limited(seconds: float | None) -> float | None:
    """Seconds to a deadline; None when gRPC reports its far future, which stands for no deadline."""
    return None if seconds is None or seconds > _NO_DEADLINE_SECONDS else seconds


def methods(engine: Engine, settings: ServiceSettings = ServiceSettings()) -> Mapping[str, Method]:
    """All methods by their full gRPC name."""
    prediction, model = _Prediction(engine, settings), _Management(engine, settings)
    classify = (CLASSIFY_METHOD, classification_pb2.ClassificationRequest, classification_pb2.ClassificationResponse)
    regress = (REGRESS_METHOD, regression_pb2.RegressionRequest, regression_pb2.RegressionResponse)
    return {
        "/tensorflow.serving.PredictionService/Predict": prediction.predict,
        "/tensorflow.serving.PredictionService/Classify": prediction.on_examples(*classify),
        "/tensorflow.serving.PredictionService/Regress": prediction.on_examples(*regress),
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


class _Prediction:
    """Inference calls. Each counts itself as a request; MultiInference does not, as in stock."""

    def __init__(self, engine: Engine, settings: ServiceSettings) -> None:
        self._engine, self._settings = engine, settings
        self._callers = settings.callers

    def _answered(
        self,
        call: Call,
        data: bytes,
        kind: Any,
        api: str,
        run: Callable[[Any, Caller | None], Result | Later[Result]],
        write: Callable[[Result], bytes],
    ) -> bytes | Later[bytes]:
        """Read a message, run it and write the answer; a call of an ``api`` is counted."""
        caller = None if self._callers is None else self._settings.caller(call)
        hold = None
        if len(data) > WALKED_BYTES:
            hold = self._engine.budget.hold_message(data, kind.DESCRIPTOR)
            hold.__enter__()
        metrics, started, request = self._engine.metrics, 0.0, None

        def begin() -> Result | Later[Result]:
            nonlocal started, request
            request = parsed(kind, data)
            started = time.perf_counter()
            return run(request, caller)

        def over(error: BaseException | None) -> None:
            """Give back what the request holds, and count how it ended."""
            if hold is not None:
                hold.__exit__(None, None, None)
            if not api or request is None:
                return
            model = request.model_spec.name
            if error is None:
                metrics.latency(model, api, "GRPC", (time.perf_counter() - started) * 1e6)
                metrics.request(model, Code.OK.name)
            elif isinstance(error, ServingError):
                metrics.request(model, error.code.name)

        return answered(begin, write, over)

    def predict(self, data: bytes, call: Call) -> bytes | Later[bytes]:
        """PredictRequest -> PredictResponse."""

        def run(request: Any, caller: Caller | None) -> Predicted | Later[Predicted]:
            """Predict, where the caller may."""
            spec = spec_ref(request)
            if caller is not None:
                caller.check(spec.name)
            inputs, outputs = request.inputs, request.output_filter
            held, name, seconds = self._engine.core.acquire(spec), spec.signature_name, call.time_remaining()
            return predict(self._engine, held, name, inputs, outputs, seconds, to_array, call.step_back)

        return self._answered(call, data, predict_pb2.PredictRequest, "Predict", run, self._predicted)

    def _predicted(self, found: Predicted) -> bytes:
        response = predict_pb2.PredictResponse()
        spec = response.model_spec
        spec.name, spec.version.value, spec.signature_name = found.name, found.version, found.signature_name
        for alias, array in found.outputs.items():
            fill_proto(response.outputs[alias], array, self._settings.tensor_content)
        return bytes(response.SerializeToString())

    def on_examples(self, method: str, request_kind: Any, response_kind: Any) -> Method:
        """ClassificationRequest -> ClassificationResponse, or the same of Regression."""

        def write(found: Classified | Regressed) -> bytes:
            response = response_kind()
            fill_spec(response.model_spec, found)
            fill_result(response.result, found)
            return bytes(response.SerializeToString())

        def answer(data: bytes, call: Call) -> bytes | Later[bytes]:
            """The call's answer."""

            def run(request: Any, caller: Caller | None) -> Any:
                """Do it, where the caller may."""
                spec = spec_ref(request)
                if caller is not None:
                    caller.check(spec.name)
                examples = self._examples(request)
                return infer(self._engine, spec, method, examples, call.time_remaining(), call.step_back)

            return self._answered(call, data, request_kind, APIS[method], run, write)

        return answer

    def multi_inference(self, data: bytes, call: Call) -> bytes | Later[bytes]:
        """MultiInferenceRequest -> MultiInferenceResponse."""

        def run(
            request: Any, caller: Caller | None
        ) -> list[Classified | Regressed] | Later[list[Classified | Regressed]]:
            """Every task, once the caller may ask each of their models."""
            tasks = [InferenceTask(ref_of(task.model_spec), task.method_name) for task in request.tasks]
            for task in tasks:
                if caller is not None:
                    caller.check(task.spec.name)
            examples = self._examples(request)
            return multi_inference(self._engine, tasks, examples, call.time_remaining(), call.step_back)

        return self._answered(call, data, inference_pb2.MultiInferenceRequest, "", run, _inferred)

    def _examples(self, request: Any) -> Sequence[bytes]:
        return serialized_examples(request.input, self._engine.budget.check)


def _inferred(results: Sequence[Classified | Regressed]) -> bytes:
    response = inference_pb2.MultiInferenceResponse()
    for result in results:
        proto = response.results.add()
        fill_spec(proto.model_spec, result)
        is_classified = isinstance(result, Classified)
        fill_result(proto.classification_result if is_classified else proto.regression_result, result)
    return bytes(response.SerializeToString())


class _Management:
    """Questions about the served models, and changing which are served."""

    def __init__(self, engine: Engine, settings: ServiceSettings) -> None:
        self._engine, self._settings = engine, settings

    def _parsed(self, kind: Any, data: bytes, call: Call) -> Any:
        call.step_back()
        with self._engine.budget.hold_message(data, kind.DESCRIPTOR):
            return parsed(kind, data)

    def metadata(self, data: bytes, call: Call) -> bytes:
        """GetModelMetadataRequest -> GetModelMetadataResponse."""
        caller = self._settings.caller(call)
        request = self._parsed(get_model_metadata_pb2.GetModelMetadataRequest, data, call)
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
        response.model_spec.name, response.model_spec.version.value = metadata.name, metadata.version
        response.metadata[_SIGNATURE_DEF].Pack(signatures)
        return response.SerializeToString()

    def status(self, data: bytes, call: Call) -> bytes:
        """GetModelStatusRequest -> GetModelStatusResponse."""
        caller = self._settings.caller(call)
        spec = spec_ref(self._parsed(get_model_status_pb2.GetModelStatusRequest, data, call))
        caller.check(spec.name)
        response = get_model_status_pb2.GetModelStatusResponse()
        for status in self._engine.core.status(spec):
            proto = response.model_version_status.add(
                version=status.version, state=get_model_status_pb2.ModelVersionStatus.State.Value(status.state)
            )
            proto.status.SetInParent()
            proto.status.error_code = int(status.code)
            proto.status.error_message = status.message
        return response.SerializeToString()

    def reload(self, data: bytes, call: Call) -> bytes:
        """ReloadConfigRequest -> ReloadConfigResponse; waits until new models are available."""
        call.step_back()
        self._settings.caller(call).check_reload()
        self._settings.reload.check(call.peer(), call.metadata().get("authorization", ""))
        request = self._parsed(model_management_pb2.ReloadConfigRequest, data, call)
        before = {name: self._settings.metric_value(name) for name in request.metric_names}
        self._engine.core.reload(request.config, call.time_remaining(), lambda: not call.is_active())
        response = model_management_pb2.ReloadConfigResponse()
        response.status.SetInParent()
        for name, value in before.items():
            response.metric.add(name=name, int64_value_increase=self._settings.metric_value(name) - value)
        return response.SerializeToString()
