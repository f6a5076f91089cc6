"""What can be asked of a model server: each function makes a ``Call``, a request with the way to read its answer.

Nothing here touches the network; ``Client`` and ``AsyncClient`` carry the calls out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from kilnworks_client import examples as example_protos
from kilnworks_client import messages, tensors
from kilnworks_client.errors import RequestInvalid

R = TypeVar("R")

_PREDICTION = "/tensorflow.serving.PredictionService/"
_MODEL = "/tensorflow.serving.ModelService/"
_STATES = {0: "UNKNOWN", 10: "START", 20: "LOADING", 30: "AVAILABLE", 40: "UNLOADING", 50: "END"}


@dataclass(frozen=True)
class Call(Generic[R]):
    """One unary call.

    Attributes:
        path: full name of the method, e.g. ``/tensorflow.serving.PredictionService/Predict``.
        request: the message to send.
        answer: class of the message that comes back.
        read: turns that message into the result.
        timeout_seconds: time for this call, retries included; None = the client's.
    """

    path: str
    request: Any
    answer: Any
    read: Callable[[Any], R]
    timeout_seconds: float | None = None


@dataclass(frozen=True)
class Prediction:
    """Answer of ``predict``: outputs by alias; strings are object arrays of bytes."""

    model: str
    version: int
    signature: str
    outputs: Mapping[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class VersionState:
    """State of one version: ``START``, ``LOADING``, ``AVAILABLE``, ``UNLOADING`` or ``END`` with its error."""

    version: int
    state: str
    error_code: int
    error: str


@dataclass(frozen=True)
class TensorMeta:
    """One input or output: numpy's dtype name (``string`` for texts) and its shape (-1 = any, None = any rank)."""

    dtype: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class SignatureMeta:
    """Inputs and outputs of a signature by alias."""

    inputs: Mapping[str, TensorMeta]
    outputs: Mapping[str, TensorMeta]
    method: str


@dataclass(frozen=True)
class ModelMeta:
    """Answer of ``metadata``: the signatures of the version that answered."""

    model: str
    version: int
    signatures: Mapping[str, SignatureMeta]


def predict(
    model: str,
    inputs: Mapping[str, Any],
    *,
    version: int | None = None,
    label: str | None = None,
    signature: str = "",
    outputs: Sequence[str] = (),
    timeout_seconds: float | None = None,
) -> Call[Prediction]:
    """Run a signature.

    Args:
        model: name of the served model.
        inputs: by alias an array or nested lists. Python floats are sent as float32, ints as int64.
        version: a number; None with no label = the newest that is available.
        label: which version, by its label.
        signature: "" = ``serving_default``.
        outputs: only these; () = all.
        timeout_seconds: for this call, retries included; None = the client's.

    Raises:
        RequestInvalid: values that make no tensor, or a version beside a label.
    """
    request = messages.PredictRequest(output_filter=outputs)
    _fill_spec(request.model_spec, model, version, label, signature)
    for alias, value in inputs.items():
        tensors.to_proto(value, request.inputs[alias])
    return Call(_PREDICTION + "Predict", request, messages.PredictResponse, _read_prediction, timeout_seconds)


def classify(
    model: str,
    examples: Sequence[Mapping[str, Any] | bytes],
    *,
    version: int | None = None,
    label: str | None = None,
    signature: str = "",
    timeout_seconds: float | None = None,
) -> Call[list[list[tuple[str, float]]]]:
    """Classify examples, each a mapping of features or a serialized ``tf.Example``: (label, score) pairs of each."""
    request = messages.ClassificationRequest()
    _fill_spec(request.model_spec, model, version, label, signature)
    request.input.example_list.examples.extend(_serialized(examples))
    return Call(_PREDICTION + "Classify", request, messages.ClassificationResponse, _read_classes, timeout_seconds)


def regress(
    model: str,
    examples: Sequence[Mapping[str, Any] | bytes],
    *,
    version: int | None = None,
    label: str | None = None,
    signature: str = "",
    timeout_seconds: float | None = None,
) -> Call[np.ndarray[Any, Any]]:
    """Regress examples, each a mapping of features or a serialized ``tf.Example``: float32 ``[n]``."""
    request = messages.RegressionRequest()
    _fill_spec(request.model_spec, model, version, label, signature)
    request.input.example_list.examples.extend(_serialized(examples))
    return Call(_PREDICTION + "Regress", request, messages.RegressionResponse, _read_values, timeout_seconds)


def metadata(
    model: str, *, version: int | None = None, label: str | None = None, timeout_seconds: float | None = None
) -> Call[ModelMeta]:
    """Signatures of a version."""
    request = messages.GetModelMetadataRequest(metadata_field=["signature_def"])
    _fill_spec(request.model_spec, model, version, label, "")
    answer = messages.GetModelMetadataResponse
    return Call(_PREDICTION + "GetModelMetadata", request, answer, _read_metadata, timeout_seconds)


def status(
    model: str, *, version: int | None = None, timeout_seconds: float | None = None
) -> Call[tuple[VersionState, ...]]:
    """States of a model's versions, newest first; of one version if it is given."""
    request = messages.GetModelStatusRequest()
    _fill_spec(request.model_spec, model, version, None, "")
    answer = messages.GetModelStatusResponse
    return Call(_MODEL + "GetModelStatus", request, answer, _read_status, timeout_seconds)


def _fill_spec(spec: Any, model: str, version: int | None, label: str | None, signature: str) -> None:
    if version is not None and label is not None:
        raise RequestInvalid(f"version {version} and label {label!r}", "one of them", "leave the other out")
    spec.name = model
    spec.signature_name = signature
    if version is not None:
        spec.version.value = version
    if label is not None:
        spec.version_label = label


def _serialized(examples: Sequence[Mapping[str, Any] | bytes]) -> list[bytes]:
    return [e if isinstance(e, bytes) else example_protos.serialize(e) for e in examples]


def _read_prediction(answer: Any) -> Prediction:
    spec = answer.model_spec
    outputs = {alias: tensors.from_proto(proto) for alias, proto in answer.outputs.items()}
    return Prediction(spec.name, spec.version.value, spec.signature_name, outputs)


def _read_classes(answer: Any) -> list[list[tuple[str, float]]]:
    return [[(c.label, c.score) for c in found.classes] for found in answer.result.classifications]


def _read_values(answer: Any) -> np.ndarray[Any, Any]:
    return np.array([r.value for r in answer.result.regressions], np.float32)


def _read_metadata(answer: Any) -> ModelMeta:
    found = messages.SignatureDefMap.FromString(answer.metadata["signature_def"].value).signature_def
    signatures = {
        name: SignatureMeta(_tensor_metas(s.inputs), _tensor_metas(s.outputs), s.method_name)
        for name, s in sorted(found.items())
    }
    return ModelMeta(answer.model_spec.name, answer.model_spec.version.value, signatures)


def _tensor_metas(infos: Mapping[str, Any]) -> dict[str, TensorMeta]:
    return {alias: TensorMeta(_dtype_name(i.dtype), _shape(i.tensor_shape)) for alias, i in sorted(infos.items())}


def _dtype_name(number: int) -> str:
    return "string" if number == tensors.STRING else tensors.DTYPES.get(number, (f"dtype {number}", ""))[0]


def _shape(shape: Any) -> tuple[int, ...] | None:
    return None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)


def _read_status(answer: Any) -> tuple[VersionState, ...]:
    return tuple(
        VersionState(s.version, _STATES.get(s.state, str(s.state)), s.status.error_code, s.status.error_message)
        for s in answer.model_version_status
    )
