"""TensorFlow Serving's messages <-> the JSON of its REST interface.

Each function takes the message that gRPC would send and ``ask``, which carries out one exchange; it gives the message
that gRPC would answer. So every call, every retry and every error is written once, whatever the transport.

Requests are sent in column form (``inputs``). JSON does not tell float32 from float64, so the dtypes of an answer are
those of the model's metadata. Source of the form: https://www.tensorflow.org/tfx/serving/api_rest
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from urllib.parse import quote

import numpy as np
from google.protobuf.json_format import ParseDict

from kilnworks_client import messages, tensors
from kilnworks_client.codes import Code

_STATES = {"UNKNOWN": 0, "START": 10, "LOADING": 20, "AVAILABLE": 30, "UNLOADING": 40, "END": 50}
_DTYPES = {
    **{"DT_FLOAT": 1, "DT_DOUBLE": 2, "DT_INT32": 3, "DT_UINT8": 4, "DT_INT16": 5, "DT_INT8": 6, "DT_STRING": 7},
    **{"DT_COMPLEX64": 8, "DT_INT64": 9, "DT_BOOL": 10, "DT_BFLOAT16": 14, "DT_UINT16": 17, "DT_COMPLEX128": 18},
    **{"DT_HALF": 19, "DT_RESOURCE": 20, "DT_VARIANT": 21, "DT_UINT32": 22, "DT_UINT64": 23},
}
"""TensorFlow's ``DataType`` by name, as metadata spell it."""


class Misfit(ValueError):
    """An answer that does not fit the metadata of the model that were read before."""


class Ask(Protocol):
    """One exchange: method, path and JSON body (None = none); the JSON that came back."""

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        """Raises ``rest.Refused`` for every status but 200, and where nothing answers."""


Signatures = Callable[[Any], Mapping[str, Any]]
"""Model spec -> signatures by name, as ``SignatureDef`` messages."""


def predict(ask: Ask, signatures: Signatures, request: Any) -> Any:
    """``:predict``. The version of the answer is the one that was asked for, else 0: REST does not say it."""
    spec = request.model_spec
    told = signatures(spec).get(spec.signature_name or "serving_default")
    body = {"inputs": {alias: _values(proto) for alias, proto in request.inputs.items()}}
    found = ask("POST", _path(spec, ":predict"), _signed(body, spec))["outputs"]
    if told is None:
        raise Misfit(f"an answer of signature {spec.signature_name!r}, which the metadata do not hold")
    by_alias = {next(iter(told.outputs)): found} if len(told.outputs) == 1 else found
    wanted = list(request.output_filter) or sorted(told.outputs)
    answer = messages.PredictResponse(model_spec=spec)
    answer.model_spec.signature_name = spec.signature_name or "serving_default"
    for alias in wanted:
        tensors.to_proto(_array(by_alias, alias, told.outputs), answer.outputs[alias])
    return answer


def classify(ask: Ask, _signatures: Signatures, request: Any) -> Any:
    """``:classify``."""
    answer = messages.ClassificationResponse(model_spec=request.model_spec)
    for pairs in ask("POST", _path(request.model_spec, ":classify"), _examples(request))["results"]:
        found = answer.result.classifications.add()
        for label, score in pairs:
            found.classes.add(label=label, score=score)
    return answer


def regress(ask: Ask, _signatures: Signatures, request: Any) -> Any:
    """``:regress``."""
    answer = messages.RegressionResponse(model_spec=request.model_spec)
    for value in ask("POST", _path(request.model_spec, ":regress"), _examples(request))["results"]:
        answer.result.regressions.add(value=value)
    return answer


def metadata(ask: Ask, _signatures: Signatures, request: Any) -> Any:
    """``/metadata``."""
    found = ask("GET", _path(request.model_spec, "/metadata"))
    signatures = found["metadata"]["signature_def"]
    for signature in signatures["signature_def"].values():
        for info in (*signature.get("inputs", {}).values(), *signature.get("outputs", {}).values()):
            info["dtype"] = _DTYPES.get(info.get("dtype"), 0)
    told = ParseDict(signatures, messages.SignatureDefMap(), ignore_unknown_fields=True)
    answer = messages.GetModelMetadataResponse()
    answer.model_spec.name = found["model_spec"]["name"]
    answer.model_spec.version.value = int(found["model_spec"]["version"])
    answer.metadata["signature_def"].value = told.SerializeToString()
    return answer


def status(ask: Ask, _signatures: Signatures, request: Any) -> Any:
    """State of every version, or of the one that was asked for."""
    answer = messages.GetModelStatusResponse()
    for one in ask("GET", _path(request.model_spec))["model_version_status"]:
        added = answer.model_version_status.add(version=int(one["version"]), state=_STATES.get(one["state"], 0))
        code = one.get("status", {}).get("error_code", "OK")
        added.status.error_code = Code[code] if code in Code.__members__ else Code.UNKNOWN
        added.status.error_message = one.get("status", {}).get("error_message", "")
    return answer


METHODS: Mapping[str, Callable[[Ask, Signatures, Any], Any]] = {
    "/tensorflow.serving.PredictionService/Predict": predict,
    "/tensorflow.serving.PredictionService/Classify": classify,
    "/tensorflow.serving.PredictionService/Regress": regress,
    "/tensorflow.serving.PredictionService/GetModelMetadata": metadata,
    "/tensorflow.serving.ModelService/GetModelStatus": status,
}
"""Name of a gRPC method -> the same over REST."""


def _path(spec: Any, verb: str = "") -> str:
    which = {
        "version": f"/versions/{spec.version.value}",
        "version_label": f"/labels/{quote(spec.version_label, safe='')}",
    }.get(spec.WhichOneof("version_choice") or "", "")
    return f"/v1/models/{quote(spec.name, safe='')}{which}{verb}"


def _signed(body: dict[str, Any], spec: Any) -> dict[str, Any]:
    return {"signature_name": spec.signature_name, **body} if spec.signature_name else body


def _values(proto: Any) -> Any:
    array = tensors.from_proto(proto)
    return _map(array.tolist(), _text) if array.dtype == object else array.tolist()


def _map(value: Any, of: Callable[[Any], Any]) -> Any:
    """Nested lists with each leaf changed."""
    return [_map(item, of) for item in value] if isinstance(value, list) else of(value)


def _text(raw: bytes) -> Any:
    """Bytes as JSON: a text, or ``{"b64": ...}`` where they are none."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(raw).decode()}


def _bytes(leaf: Any) -> bytes:
    if isinstance(leaf, dict) and leaf.keys() == {"b64"}:
        return base64.b64decode(leaf["b64"])
    if not isinstance(leaf, str):
        raise Misfit(f"a text in the metadata, {leaf!r} in the answer")
    return leaf.encode("utf-8", "surrogateescape")


def _array(by_alias: Any, alias: str, told: Mapping[str, Any]) -> "np.ndarray[Any, Any]":
    """An output ``[...]`` in the dtype of the metadata."""
    if not isinstance(by_alias, dict) or alias not in by_alias or alias not in told:
        raise Misfit(f"no output {alias!r}; the metadata have {', '.join(sorted(told))}")
    value, info = by_alias[alias], told[alias]
    if info.dtype == tensors.STRING:
        array = np.array(_map(value, _bytes), object)
    else:
        name = tensors.DTYPES.get(info.dtype, ("", ""))[0]
        if not name or not _fits(value, np.dtype(name).kind):
            raise Misfit(f"output {alias!r} of dtype {name or info.dtype} came as {_first(value)!r}")
        array = np.array(value, name)
    if not array.size and array.ndim < len(info.tensor_shape.dim):
        array = array.reshape([*array.shape, *(max(dim.size, 0) for dim in info.tensor_shape.dim[array.ndim :])])
    return array


def _first(value: Any) -> Any:
    while isinstance(value, list):
        if not value:
            return None
        value = value[0]
    return value


def _fits(value: Any, kind: str) -> bool:
    """Whether the first number is of a kind of dtype; numpy would cut 1.5 to 1 without a word."""
    first = _first(value)
    if first is None:
        return True
    if kind == "b":
        return isinstance(first, bool)
    return isinstance(first, float | int) and not isinstance(first, bool) and (kind == "f" or isinstance(first, int))


def _examples(request: Any) -> dict[str, Any]:
    rows = [_row(messages.Example.FromString(text)) for text in request.input.example_list.examples]
    return _signed({"examples": rows}, request.model_spec)


def _row(example: Any) -> dict[str, Any]:
    row = {}
    for name, feature in example.features.feature.items():
        kind = feature.WhichOneof("kind")
        values = list(getattr(feature, kind).value) if kind else []
        row[name] = [_text(value) for value in values] if kind == "bytes_list" else values
    return row
