"""Features of a row -> serialized ``tf.Example``, without TensorFlow."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from components.serving.client import messages
from schemas.errors import RequestInvalid


def serialize(row: Mapping[str, Any]) -> bytes:
    """One Example. Floats become ``float_list``, ints and bools ``int64_list``, texts and bytes ``bytes_list``.

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
    array = np.atleast_1d(np.asarray(value)).ravel()
    if array.dtype.kind in "biu":
        feature.int64_list.value.extend(array.tolist())
    elif array.dtype.kind == "f":
        feature.float_list.value.extend(array.tolist())
    elif array.dtype.kind in "USO" and all(isinstance(v, str | bytes) for v in array.tolist()):
        feature.bytes_list.value.extend(v.encode() if isinstance(v, str) else v for v in array.tolist())
    else:
        raise RequestInvalid(
            f"feature {name!r} holds {value!r}", "numbers, or texts, and no mix of them", "convert the value", {}
        )
