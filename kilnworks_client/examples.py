"""Features of a row -> serialized ``tf.Example``, without TensorFlow."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kilnworks_client import messages
from kilnworks_client.errors import RequestInvalid
from kilnworks_client.moments import as_seconds


def serialize(row: Mapping[str, Any]) -> bytes:
    """One Example. Floats become ``float_list``, ints, bools and dates ``int64_list``, texts and bytes ``bytes_list``.

    Args:
        row: by feature a value, a list of values or an array (flattened in C order).

    Raises:
        RequestInvalid: a feature that is none of these, or mixes them.
    """
    example = messages.Example()
    features = example.features.feature
    for name, value in row.items():
        _fill(features[name], name, value)
    return bytes(example.SerializeToString(deterministic=True))


def _fill(feature: Any, name: str, value: Any) -> None:
    array = _flat(value)
    if array.dtype.kind in "biu" and (array.size == 0 or int(array.max()) < 2**63):
        feature.int64_list.value.extend(array.astype(np.int64).tolist())
    elif array.dtype.kind == "f":
        feature.float_list.value.extend(array.tolist())
    elif array.dtype == object and all(isinstance(v, str | bytes) for v in array.tolist()):
        feature.bytes_list.value.extend(v.encode() if isinstance(v, str) else v for v in array.tolist())
    else:
        raise RequestInvalid(
            f"feature {name!r} holds {value!r}", "numbers, or texts, and no mix of them", "convert the value", {}
        )


def _flat(value: Any) -> "np.ndarray[Any, Any]":
    """All values of a feature; texts as objects, because numpy's own strings lose NUL bytes at the end."""
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.array(value, object)
    if array.dtype.kind in "US":
        array = array.astype(object) if isinstance(value, np.ndarray | np.generic) else np.array(value, object)
    return as_seconds(np.atleast_1d(array).ravel())
