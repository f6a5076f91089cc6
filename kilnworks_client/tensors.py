"""numpy arrays <-> TensorProto, without TensorFlow.

Numbers are sent as ``tensor_content`` (one copy); both spellings are read, because stock servers answer with typed
fields. A typed field that is shorter than the tensor repeats its last value, as TensorFlow reads it.
"""

from typing import Any

import numpy as np

from kilnworks_client import messages
from kilnworks_client.errors import RequestInvalid
from kilnworks_client.moments import as_seconds

Array = np.ndarray[Any, Any]

DTYPES: dict[int, tuple[str, str]] = {
    1: ("float32", "float_val"),
    2: ("float64", "double_val"),
    3: ("int32", "int_val"),
    4: ("uint8", "int_val"),
    5: ("int16", "int_val"),
    6: ("int8", "int_val"),
    9: ("int64", "int64_val"),
    10: ("bool", "bool_val"),
    17: ("uint16", "int_val"),
    19: ("float16", "half_val"),
    22: ("uint32", "uint32_val"),
    23: ("uint64", "uint64_val"),
}
"""TensorFlow's number of a dtype -> numpy's name and the typed field that holds its values."""

STRING = 7
_NUMBERS = {name: number for number, (name, _) in DTYPES.items()}


def to_proto(value: Any, proto: Any = None) -> Any:
    """A TensorProto of anything that numpy takes; texts are sent as UTF-8, bytes as they are.

    Args:
        value: array, number, text, bytes, date or nested lists of these; Python floats become float32, ints int64,
            dates (also ``datetime64``) int64 seconds since 1970 UTC.
        proto: filled and returned if given (an entry of a map field).

    Raises:
        RequestInvalid: a dtype that TensorFlow Serving does not take, or lists that are not regular.
    """
    array = as_array(value)
    proto = messages.TensorProto() if proto is None else proto
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if array.dtype == object:
        proto.dtype = STRING
        proto.string_val.extend(v if isinstance(v, bytes) else str(v).encode() for v in array.ravel().tolist())
        return proto
    proto.dtype = _NUMBERS[array.dtype.name]
    little = array.dtype.newbyteorder("<")
    proto.tensor_content = np.ascontiguousarray(array, little).tobytes()
    return proto


def as_array(value: Any) -> Array:
    """``value`` as an array of a dtype that can be sent; strings as objects.

    Raises:
        RequestInvalid: as ``to_proto``.
    """
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.array(value, object)
    array = as_seconds(array)
    if array.dtype.kind in "USO":
        return _as_texts(value, array)
    if array.dtype == np.float64 and not isinstance(value, np.ndarray | np.generic):
        array = array.astype(np.float32)
    if array.dtype.name not in _NUMBERS:
        raise RequestInvalid(f"a tensor of dtype {array.dtype}", f"one of {', '.join(_NUMBERS)} or texts", "cast it")
    return array


def _as_texts(value: Any, array: Array) -> Array:
    """Texts as objects. Lists are read again: numpy's own strings lose NULs at the end and take numbers for text."""
    texts = array.astype(object) if isinstance(value, np.ndarray | np.generic) else np.array(value, object)
    leaves = texts.ravel().tolist()
    if any(isinstance(leaf, list | tuple | np.ndarray) for leaf in leaves):
        raise RequestInvalid("a ragged nested list", "lists of equal lengths", "pad or split the rows")
    if not all(isinstance(leaf, str | bytes) for leaf in leaves):
        raise RequestInvalid("mixed values in one tensor", "only numbers or only texts", "convert them first")
    return texts


def from_proto(proto: Any) -> Array:
    """The array in a TensorProto; strings as an object array of bytes."""
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    count = int(np.prod(shape, dtype=np.int64))
    if proto.dtype == STRING:
        array = np.empty(count, object)
        array[:] = _repeat_last(list(proto.string_val), count, b"")
        return array.reshape(shape)
    if proto.dtype not in DTYPES:
        raise RequestInvalid(
            f"an output of TensorFlow dtype {proto.dtype}",
            f"one of {', '.join(_NUMBERS)} or strings",
            "ask for other outputs",
        )
    name, field = DTYPES[proto.dtype]
    if proto.tensor_content:
        return np.frombuffer(proto.tensor_content, np.dtype(name).newbyteorder("<")).astype(name).reshape(shape)
    values = _repeat_last(list(getattr(proto, field)), count, 0)
    if name == "float16":
        return np.array(values, np.uint16).view(np.float16).reshape(shape)
    return np.array(values, name).reshape(shape)


def _repeat_last(values: list[Any], count: int, empty: Any) -> list[Any]:
    last = values[-1] if values else empty
    return values + [last] * (count - len(values)) if len(values) < count else values[:count]
