"""Rows as serialized ``tf.train.Example``: what the graph parses, and how a client writes one.

float -> float_list, int, bool and datetime -> int64_list, string -> bytes_list; a nullable int or bool -> float_list,
because it is sent as float32 with NaN; tensors flattened in C order; an image -> bytes_list with its H*W*C bytes.
A missing value of a nullable feature may be left out.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from kilnworks.components.features.raw import RawInput, raw_input, raw_inputs
from kilnworks.schemas.contract import Contract, Feature
from kilnworks.schemas.wire import MISSING, MISSING_INT

Array = np.ndarray


def feature_spec(contract: Contract) -> dict[str, Any]:
    """The ``tf.io.FixedLenFeature`` of each feature by name."""
    return {name: _spec(feature) for name, feature in contract.features.items()}


def parsed_to_raw(contract: Contract, parsed: Mapping[str, Any]) -> dict[str, Any]:
    """Parsed tensors as the raw inputs of the served model: the dtypes and shapes of ``raw_inputs``."""
    return {name: _to_raw(spec, parsed[name]) for name, spec in raw_inputs(contract).items()}


def serialize(contract: Contract, raw: Mapping[str, Array]) -> list[bytes]:
    """One serialized Example a row of ``raw`` (arrays by feature name, as ``raw_arrays`` gives them).

    A missing value of a nullable feature is left out, as a sparing client does.
    """
    rows = len(next(iter(raw.values())))
    columns = {name: _features(contract.features[name], values) for name, values in raw.items()}
    return [_example({name: column[i] for name, column in columns.items()}) for i in range(rows)]


def _spec(feature: Feature) -> Any:
    dtype, shape = raw_input(feature)
    if dtype == "uint8":
        return tf.io.FixedLenFeature([], tf.string, default_value=_missing_image(feature))
    parsed = {"float32": tf.float32, "string": tf.string}.get(dtype, tf.int64)
    if not feature.nullable:
        return tf.io.FixedLenFeature(shape, parsed)
    missing = MISSING[dtype]
    return tf.io.FixedLenFeature(shape, parsed, default_value=np.full(shape, missing) if shape else missing)


def _missing_image(feature: Feature) -> bytes | None:
    return bytes(int(np.prod(feature.shape))) if feature.nullable else None


def _to_raw(spec: RawInput, parsed: Any) -> Any:
    if spec.dtype == "uint8":
        pixels = tf.io.decode_raw(parsed, tf.uint8, fixed_length=int(np.prod(spec.shape)))
        return tf.reshape(pixels, (-1, *spec.shape))
    return tf.cast(parsed, spec.dtype) if spec.dtype == "bool" else parsed


def _features(feature: Feature, values: Array) -> list[tf.train.Feature | None]:
    """One proto a row; None where a nullable value is missing."""
    dtype, _ = raw_input(feature)
    flat = (values.astype(np.int64) if dtype == "bool" else values).reshape(len(values), -1).tolist()
    if dtype == "uint8":
        return [tf.train.Feature(bytes_list=tf.train.BytesList(value=[bytes(row)])) for row in flat]
    if dtype == "string":
        protos = [tf.train.Feature(bytes_list=tf.train.BytesList(value=[v.encode() for v in row])) for row in flat]
        missing = values == ""
    elif dtype == "float32":
        protos = [tf.train.Feature(float_list=tf.train.FloatList(value=row)) for row in flat]
        missing = np.isnan(values.reshape(len(values), -1)).all(axis=1)
    else:
        protos = [tf.train.Feature(int64_list=tf.train.Int64List(value=row)) for row in flat]
        missing = (values == MISSING_INT).reshape(len(values), -1).all(axis=1)
    if not feature.nullable:
        return list(protos)
    return [None if absent else proto for proto, absent in zip(protos, missing, strict=True)]


def _example(features: Mapping[str, tf.train.Feature | None]) -> bytes:
    present = {name: proto for name, proto in features.items() if proto is not None}
    return bytes(tf.train.Example(features=tf.train.Features(feature=present)).SerializeToString())
