"""Requests and answers as ``PredictionLog`` messages."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kilnworks.components.serving.wire.answers import Answer, fill_result, fill_spec
from kilnworks.components.serving.wire.values import Classified, Predicted, Regressed
from kilnworks_client import messages, tensors
from kilnworks_client.errors import ClientError

Array = np.ndarray[Any, Any]


def predict_record(inputs: Mapping[str, Array], predicted: Predicted) -> Any:
    """A Predict request, as arrays, and its answer."""
    record = messages.PredictionLog()
    request, response = record.predict_log.request, record.predict_log.response
    fill_spec(request.model_spec, predicted)
    fill_spec(response.model_spec, predicted)
    for alias, array in inputs.items():
        _fill_tensor(request.inputs[alias], array)
    for alias, array in predicted.outputs.items():
        _fill_tensor(response.outputs[alias], array)
    return record


def examples_record(examples: Sequence[bytes], answer: Classified | Regressed) -> Any:
    """A Classify or Regress request, as serialized Examples, and its answer."""
    record = messages.PredictionLog()
    log = record.classify_log if isinstance(answer, Classified) else record.regress_log
    fill_spec(log.request.model_spec, answer)
    fill_spec(log.response.model_spec, answer)
    log.request.input.example_list.examples.extend(examples)
    fill_result(log.response.result, answer)
    return record


def describe(record: Any, answer: Answer, sampling_rate: float, second: int) -> None:
    """Fill in which model answered, the share of requests that is logged, and when (seconds since 1970)."""
    fill_spec(record.log_metadata.model_spec, answer)
    record.log_metadata.sampling_config.sampling_rate = sampling_rate
    record.log_metadata.timestamp_secs = second


def _fill_tensor(proto: Any, array: Array) -> None:
    """A tensor of a dtype that has no plain values (bfloat16, complex) is left empty."""
    try:
        tensors.to_proto(array, proto)
    except ClientError:
        proto.Clear()
