"""Answers as JSON: predictions in row or column form, classifications, regressions, errors.

Integers and booleans are written by orjson straight from the array, floats as in ``dense``, and strings that are not
UTF-8 byte for byte as they are.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from kilnworks.components.serving.errors import invalid_argument
from kilnworks.components.serving.json_tensors.dense import WRITTEN, Array, Form, lists
from kilnworks.components.serving.wire.values import Classified, Regressed

_TENSORFLOW_NAMES = {"float16": "half"}
_ESCAPES = {0x22: b'\\"', 0x5C: b"\\\\", 8: b"\\b", 9: b"\\t", 10: b"\\n", 12: b"\\f", 13: b"\\r"}


def predictions(outputs: Mapping[str, Array], form: Form) -> bytes:
    """Body of an answer to ``:predict``.

    Raises:
        ServingError: INVALID_ARGUMENT for an output whose dtype has no JSON form, or, in row form, one without
            a batch dimension or with another batch size than the others.
    """
    if not outputs:
        raise invalid_argument("Cannot convert empty tensor map to JSON")
    if form == "column":
        values = {alias: _value(array, alias) for alias, array in outputs.items()}
        return _dump({"outputs": values if len(values) > 1 else next(iter(values.values()))})
    _refuse_unequal_batches(outputs)
    if len(outputs) == 1:
        ((alias, array),) = outputs.items()
        return _dump({"predictions": _value(array, alias)})
    columns = [_items(array, alias) for alias, array in outputs.items()]
    names = tuple(outputs)
    return _dump({"predictions": [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]})


def classifications(results: Sequence[Sequence[tuple[bytes, float]]]) -> bytes:
    """Body of an answer to ``:classify``: ``[label, score]`` pairs of each example."""
    if not results:
        raise invalid_argument("Cannot convert empty ClassificationResults to JSON")
    pairs = [[[_text(label), _number(score)] for label, score in result] for result in results]
    return _dump({"results": pairs})


def regressions(values: Sequence[float]) -> bytes:
    """Body of an answer to ``:regress``: one float32 for each example."""
    if not values:
        raise invalid_argument("Cannot convert empty RegressionResults to JSON")
    return _dump({"results": _value(np.asarray(values, np.float32), "")})


def results(found: Classified | Regressed) -> bytes:
    """Body of an answer to ``:classify`` or ``:regress``."""
    return classifications(found.classifications) if isinstance(found, Classified) else regressions(found.values)


def error(text: str) -> bytes:
    """Body of every error."""
    return _dump({"error": _text(text.encode("utf-8", "surrogateescape"))})


def _dump(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def _refuse_unequal_batches(outputs: Mapping[str, Array]) -> None:
    batch: int | None = None
    for alias, array in outputs.items():
        if array.ndim == 0:
            raise invalid_argument(f"Tensor name: {alias} has no shape information ")
        if batch is not None and len(array) != batch:
            raise invalid_argument(f"Tensor name: {alias} has inconsistent batch size: {len(array)} expecting: {batch}")
        batch = len(array)


def _value(array: Array, alias: str) -> Any:
    """A whole tensor in a form that ``_dump`` takes."""
    if array.dtype == object:
        return _strings(array.tolist(), alias.endswith("_bytes"))
    name = array.dtype.name
    if name not in WRITTEN:
        raise invalid_argument(f"Failed to write JSON value for tensor type: {_TENSORFLOW_NAMES.get(name, name)}")
    if array.dtype.kind == "f":
        return orjson.Fragment(lists(array, 0)[0])
    return np.ascontiguousarray(array) if array.ndim else array[()]


def _items(array: Array, alias: str) -> Sequence[Any]:
    """The rows of a tensor ``[n, ...]``, each in a form that ``_dump`` takes."""
    value = _value(array, alias)
    if isinstance(value, orjson.Fragment):
        return [orjson.Fragment(row) for row in lists(array, 1)]
    return list(value)


def _strings(value: Any, as_base64: bool) -> Any:
    """Nested lists of bytes -> of JSON strings."""
    if isinstance(value, list):
        return [_strings(item, as_base64) for item in value]
    raw = value if isinstance(value, bytes) else str(value).encode()
    return {"b64": base64.b64encode(raw).decode()} if as_base64 else _text(raw)


def _text(raw: bytes) -> Any:
    """A string; bytes that are not UTF-8 go out as they are, as from TensorFlow Serving."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        escaped = (_ESCAPES.get(b) or (b"\\u%04X" % b if b < 32 else bytes((b,))) for b in raw)
        return orjson.Fragment(b'"' + b"".join(escaped) + b'"')


def _number(score: float) -> Any:
    return _value(np.asarray(score, np.float32), "")
