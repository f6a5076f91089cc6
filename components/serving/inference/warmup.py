"""Replays a model's warm-up file before the version becomes available; any error fails the load.

The file is ``<version>/assets.extra/tf_serving_warmup_requests``: at most 1000 ``PredictionLog`` records, of which
only the requests count; model names and versions in them are ignored, signatures are honoured. Importing this module
imports TensorFlow.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from kilnworks.components.serving.batching.turns import waited
from kilnworks.components.serving.errors import Code, ServingError, invalid_argument, unimplemented
from kilnworks.components.serving.inference.example_inference import run_example_signatures
from kilnworks.components.serving.inference.example_signatures import UNKNOWN_TASK, ExampleSignature, fit
from kilnworks.components.serving.inference.metrics import PrometheusMetrics
from kilnworks.components.serving.inference.predict import (
    CLASSIFY_METHOD,
    REGRESS_METHOD,
    input_arrays,
    output_aliases,
    run_signature,
)
from kilnworks.components.serving.versions.servable import LoadedServable
from kilnworks.components.serving.wire.example_input import serialized_examples
from kilnworks.schemas.wire import WARMUP_FILE

MOST_RECORDS = 1000
_METHODS = {"classify_log": CLASSIFY_METHOD, "regress_log": REGRESS_METHOD}


def warm_up(servable: LoadedServable, iterations: int, metrics: PrometheusMetrics) -> None:
    """Run every request of a version's warm-up file; nothing happens without a file.

    Args:
        servable: the version, not yet reachable.
        iterations: how often each request is run.
        metrics: told how long it took.

    Raises: ServingError when the file or one of its requests fails.
    """
    path = Path(servable.path) / WARMUP_FILE
    if not path.is_file():
        return
    started, records = time.perf_counter(), 0
    status = Code.OK
    try:
        for log in _records(path):
            for _ in range(iterations):
                _replay(servable, log)
            records += 1
            if records > MOST_RECORDS:
                raise invalid_argument(f"Number of warmup records exceeds the maximum ({MOST_RECORDS}) at {path}")
    except ServingError as error:
        status = error.code
        raise
    finally:
        metrics.warmup(servable.path, status.name, records, (time.perf_counter() - started) * 1e6)


def _records(path: Path) -> Iterator[Any]:
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            try:
                yield prediction_log_pb2.PredictionLog.FromString(record)
            except DecodeError:
                raise invalid_argument(f"Failed to parse warmup record: {record!r} from {path}") from None
    except tf.errors.DataLossError as error:
        raise ServingError(
            Code.DATA_LOSS, f"{error.message}. Please verify your warmup data is in TFRecord format."
        ) from None
    except tf.errors.OpError as error:
        raise ServingError(Code(error.error_code), error.message) from None


def _replay(servable: LoadedServable, log: Any) -> None:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        signature = servable.signature(request.model_spec.signature_name)
        aliases = output_aliases(signature, request.output_filter)
        waited(run_signature(servable, signature, input_arrays(signature, request.inputs), aliases))
    elif kind in _METHODS:
        request = getattr(log, kind).request
        _run(servable, request, [fit(servable.signatures, request.model_spec.signature_name, _METHODS[kind])])
    elif kind == "multi_inference_log":
        request = log.multi_inference_log.request
        tasks = [(task.model_spec.signature_name, task.method_name) for task in request.tasks]
        _run(servable, request, [fit(servable.signatures, *task, unknown=UNKNOWN_TASK) for task in tasks])
    elif kind is not None:
        number = log.DESCRIPTOR.fields_by_name[kind].number
        raise unimplemented(f"Unsupported log_type for warmup: {number}")


def _run(servable: LoadedServable, request: Any, fitted: list[ExampleSignature]) -> None:
    waited(run_example_signatures(servable, fitted, serialized_examples(request.input)))
