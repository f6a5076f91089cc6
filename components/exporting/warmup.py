"""The warm-up file: real requests that a server runs before it says that the version is AVAILABLE."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kilnworks.components.exporting.signatures import CLASSIFY, EXAMPLES, PREDICT, REGRESS
from kilnworks.components.exporting.tf_example import serialize
from kilnworks.components.features.raw import raw_inputs
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.wire import WARMUP_FILE

Array = np.ndarray


def write_warmup(
    saved_model: Path, contract: Contract, name: str, raw: Mapping[str, Array], batches: Sequence[int]
) -> int:
    """Write one request of each batch size for each signature; returns how many records there are.

    Args:
        saved_model: directory of the SavedModel.
        contract: of the model.
        name: model name to put in the requests; servers ignore it.
        raw: rows to take, arrays by feature name; repeated where a batch is larger. Values of sensitive features do
            not get into the file: texts are empty there and numbers 0.
        batches: rows of the requests.
    """
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    makers: dict[str, Callable[..., None]] = {
        PREDICT: _predict,
        EXAMPLES: _predict_examples,
        CLASSIFY: _classify,
        REGRESS: _regress,
    }
    served = _signatures(saved_model)
    path = saved_model / WARMUP_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = {n: _blank(v) if contract.features[n].sensitive else v for n, v in raw.items()}
    records = 0
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature in (s for s in makers if s in served):
            for size in batches:
                log = PredictionLog()
                makers[signature](log, contract, _rows(raw, size), signature, name)
                writer.write(log.SerializeToString(deterministic=True))
                records += 1
    return records


def _blank(values: Array) -> Array:
    return np.full_like(values, "" if values.dtype.kind == "O" else 0)


def _signatures(saved_model: Path) -> set[str]:
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString((saved_model / "saved_model.pb").read_bytes())
    return set(saved.meta_graphs[0].signature_def)


def _rows(raw: Mapping[str, Array], size: int) -> dict[str, Array]:
    return {name: np.resize(values, (size, *values.shape[1:])) for name, values in raw.items()}


def _predict(log: Any, contract: Contract, raw: Mapping[str, Array], signature: str, model: str) -> None:
    request = _spec(log.predict_log.request, model, signature)
    for name, (dtype, _) in raw_inputs(contract).items():
        values = raw[name].tolist() if dtype == "string" else raw[name]
        request.inputs[name].CopyFrom(tf.make_tensor_proto(values, dtype=dtype))


def _predict_examples(log: Any, contract: Contract, raw: Mapping[str, Array], signature: str, model: str) -> None:
    request = _spec(log.predict_log.request, model, signature)
    request.inputs["examples"].CopyFrom(tf.make_tensor_proto(serialize(contract, raw), dtype="string"))


def _classify(log: Any, contract: Contract, raw: Mapping[str, Array], signature: str, model: str) -> None:
    _fill(_spec(log.classify_log.request, model, signature), contract, raw)


def _regress(log: Any, contract: Contract, raw: Mapping[str, Array], signature: str, model: str) -> None:
    _fill(_spec(log.regress_log.request, model, signature), contract, raw)


def _spec(request: Any, model: str, signature: str) -> Any:
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    return request


def _fill(request: Any, contract: Contract, raw: Mapping[str, Array]) -> None:
    for serialized in serialize(contract, raw):
        request.input.example_list.examples.add().ParseFromString(serialized)
