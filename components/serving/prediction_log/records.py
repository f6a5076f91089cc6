"""Requests and answers as ``PredictionLog`` messages."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kilnworks.components.serving.wire.values import Classified, Predicted, Regressed
from kilnworks_client import messages, tensors
from kilnworks_client.errors import ClientError

Array = np.ndarray[Any, Any]
Answer = Predicted | Classified | Regressed


def predict_record(inputs: Mapping[str, Array], predicted: Predicted) -> Any:
    """A Predict request, as arrays, and its answer."""
    record = messages.PredictionLog()
    request, response = record.predict_log.request, record.predict_log.response
    _fill_spec(request.model_spec, predicted)
    _fill_spec(response.model_spec, predicted)
    for alias, array in inputs.items():
        _fill_tensor(request.inputs[alias], array)
    for alias, array in predicted.outputs.items():
        _fill_tensor(response.outputs[alias], array)
    return record


def classify_record(examples: Sequence[bytes], classified: Classified) -> Any:
    """A Classify request, as serialized Examples, and its answer."""
    record = messages.PredictionLog()
    request, response = record.classify_log.request, record.classify_log.response
    _fill_spec(request.model_spec, classified)
    _fill_spec(response.model_spec, classified)
    request.input.example_list.examples.extend(examples)
    for pairs in classified.classifications:
        found = response.result.classifications.add()
        for label, score in pairs:
            found.classes.add(label=label.decode("utf-8", "replace"), score=score)
    return record


def regress_record(examples: Sequence[bytes], regressed: Regressed) -> Any:
    """A Regress request, as serialized Examples, and its answer."""
    record = messages.PredictionLog()
    request, response = record.regress_log.request, record.regress_log.response
    _fill_spec(request.model_spec, regressed)
    _fill_spec(response.model_spec, regressed)
    request.input.example_list.examples.extend(examples)
    for value in regressed.values:
        response.result.regressions.add(value=value)
    return record


def describe(record: Any, answer: Answer, sampling_rate: float, second: int) -> None:
    """Fill in which model answered, the share of requests that is logged, and when (seconds since 1970)."""
    _fill_spec(record.log_metadata.model_spec, answer)
    record.log_metadata.sampling_config.sampling_rate = sampling_rate
    record.log_metadata.timestamp_secs = second


def _fill_spec(spec: Any, answer: Answer) -> None:
    spec.name = answer.name
    spec.version.value = answer.version
    spec.signature_name = answer.signature_name


def _fill_tensor(proto: Any, array: Array) -> None:
    """A tensor of a dtype that has no plain values (bfloat16, complex) is left empty."""
    try:
        tensors.to_proto(array, proto)
    except ClientError:
        proto.Clear()
