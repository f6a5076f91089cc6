"""TensorProto to numpy array and back, by the rules of ``Tensor::FromProto`` and ``Tensor::AsProtoField``.

A TensorProto holds its elements as raw ``tensor_content``, as one typed value an element, or as fewer typed values
of which the last one is repeated over the shape.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from kilnworks.components.serving.wire import dtypes
from kilnworks.components.serving.wire.message_parts import varint
from kilnworks.components.serving.wire.tensor_budget import TEXT_BYTES

_MOST_BYTES = 2**31 - 1
_MOST_EXPANDED_BYTES = 2**29
_AT_ONCE = 65_536
"""Values that are copied out of a message together."""
_FIELDS = {
    dtypes.FLOAT: "float_val",
    dtypes.DOUBLE: "double_val",
    dtypes.INT32: "int_val",
    dtypes.UINT8: "int_val",
    dtypes.INT16: "int_val",
    dtypes.INT8: "int_val",
    dtypes.UINT16: "int_val",
    dtypes.STRING: "string_val",
    dtypes.INT64: "int64_val",
    dtypes.BOOL: "bool_val",
    dtypes.BFLOAT16: "half_val",
    dtypes.HALF: "half_val",
    dtypes.UINT32: "uint32_val",
    dtypes.UINT64: "uint64_val",
    dtypes.COMPLEX64: "scomplex_val",
    dtypes.COMPLEX128: "dcomplex_val",
}
# Types whose array is, byte for byte, the packed typed field on the wire: (field number << 3 | length-delimited).
_PACKED_TAGS = {
    dtypes.FLOAT: b"\x2a",
    dtypes.DOUBLE: b"\x32",
    dtypes.BOOL: b"\x5a",
    dtypes.COMPLEX64: b"\x4a",
    dtypes.COMPLEX128: b"\x62",
}


class TensorParseError(ValueError):
    """A TensorProto that holds no tensor: unknown type, bad shape, or content that does not fill it."""


def to_array(proto: Any) -> "np.ndarray[Any, Any]":
    """Decode a TensorProto. Strings become an object array of bytes.

    Raises: TensorParseError.
    """
    number = proto.dtype
    if number not in _FIELDS:
        raise TensorParseError(f"type {number}")
    shape = _shape(proto.tensor_shape)
    count = math.prod(shape)
    if max(shape, default=1) > _MOST_BYTES or count * dtypes.NUMPY[number].itemsize > _MOST_BYTES:
        raise TensorParseError(f"shape {shape}")
    if proto.tensor_content:
        flat = _from_content(number, proto.tensor_content, count)
    else:
        flat = _from_values(number, getattr(proto, _FIELDS[number]), count)
    try:
        return flat.reshape(shape)
    except ValueError:  # sizes beside a 0 whose product is beyond what numpy can index
        raise TensorParseError(f"shape {shape}") from None


def _shape(proto: Any) -> tuple[int, ...]:
    if proto.unknown_rank:
        raise TensorParseError("unknown rank")
    shape = tuple(dim.size for dim in proto.dim)
    if any(size < 0 for size in shape):
        raise TensorParseError("negative size")
    return shape


def _from_content(number: int, content: bytes, count: int) -> "np.ndarray[Any, Any]":
    if number == dtypes.STRING:
        return _strings_from_content(content, count)
    dtype = dtypes.NUMPY[number]
    if len(content) != count * dtype.itemsize:
        raise TensorParseError(f"{len(content)} bytes for {count} elements")
    return np.frombuffer(content, dtype)


def _strings_from_content(content: bytes, count: int) -> "np.ndarray[Any, Any]":
    """Strings in ``tensor_content``: all lengths as varints, then all bytes."""
    lengths, at = [], 0
    if count > len(content):
        raise TensorParseError("lengths are cut off")
    for _ in range(count):
        length, at = varint(content, at, len(content))
        lengths.append(length)
    if at + sum(lengths) != len(content):
        raise TensorParseError("strings do not fill the content")
    array = np.empty(count, object)
    for i, length in enumerate(lengths):
        array[i] = content[at : at + length]
        at += length
    return array


def _from_values(number: int, values: Any, count: int) -> "np.ndarray[Any, Any]":
    """Typed values; missing ones repeat the last (or are zero when there is none), surplus ones are ignored.

    A few bytes must not become gigabytes: what is repeated stays below half a gigabyte.
    """
    dtype = dtypes.NUMPY[number]
    given = _typed(number, values, dtype)
    if len(given) == count:
        return given
    if len(given) > count:
        return given[:count]
    if count * dtype.itemsize > _MOST_EXPANDED_BYTES:
        raise TensorParseError(f"{len(given)} values for {count} elements")
    array = np.empty(count, dtype)
    array[: len(given)] = given
    array[len(given) :] = given[-1] if len(given) else b"" if number == dtypes.STRING else 0
    return array


def _typed(number: int, values: Any, dtype: "np.dtype[Any]") -> "np.ndarray[Any, Any]":
    if number == dtypes.STRING:
        return _copied(values, dtype)
    if number in (dtypes.HALF, dtypes.BFLOAT16):
        return _copied(values, np.dtype(np.int32)).astype(np.uint16).view(dtype)
    if number == dtypes.COMPLEX64:
        return np.array(values[: len(values) // 2 * 2], np.float32).view(dtype)
    if number == dtypes.COMPLEX128:
        return np.array(values[: len(values) // 2 * 2], np.float64).view(dtype)
    if number in (dtypes.INT8, dtypes.INT16, dtypes.UINT8, dtypes.UINT16):
        return _copied(values, np.dtype(np.int32)).astype(dtype)
    return _copied(values, dtype)


def _copied(values: Any, dtype: "np.dtype[Any]") -> "np.ndarray[Any, Any]":
    """Values of a message as an array, part by part: in between others get the interpreter."""
    array = np.empty(len(values), dtype)
    for start in range(0, len(values), _AT_ONCE):
        array[start : start + _AT_ONCE] = values[start : start + _AT_ONCE]
    return array


def fill_proto(proto: Any, array: "np.ndarray[Any, Any]", as_content: bool = False) -> None:
    """Write an array into an empty TensorProto, one typed value an element (or as ``tensor_content``).

    Raises: TensorParseError when the array's type is not one of TensorFlow's.
    """
    number = dtypes.NUMBERS.get(array.dtype) or dtypes.number_of(array.dtype)
    if number == 0:
        raise TensorParseError(f"numpy type {array.dtype}")
    proto.dtype = number
    dims = proto.tensor_shape.dim
    for size in array.shape:
        dims.add().size = size
    flat = array.ravel()
    if number == dtypes.STRING:
        proto.string_val.extend([_as_bytes(value) for value in flat.tolist()])
    elif as_content:
        proto.tensor_content = flat.tobytes()
    elif number in _PACKED_TAGS:
        proto.MergeFromString(_PACKED_TAGS[number] + _varint_bytes(flat.nbytes) + flat.tobytes())
    else:
        getattr(proto, _FIELDS[number]).extend(_values(number, flat))


def _varint_bytes(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _values(number: int, flat: "np.ndarray[Any, Any]") -> list[Any]:
    return flat.view(np.uint16).tolist() if number in (dtypes.HALF, dtypes.BFLOAT16) else flat.tolist()


def needed(inputs: Mapping[str, Any]) -> int:
    """Bytes that the inputs of a request take as tensors: TensorProtos not read yet, or arrays and single values."""
    values = inputs.values()
    return sum([_of_proto(v) if hasattr(v, "tensor_shape") else _of_array(np.asarray(v)) for v in values])


def _of_array(array: "np.ndarray[Any, Any]") -> int:
    if array.dtype != object:
        return array.nbytes
    return array.size * TEXT_BYTES + sum(map(_length, array.flat))


def _length(value: Any) -> int:
    return len(value) if isinstance(value, bytes | str) else 0


def _of_proto(proto: Any) -> int:
    """Bytes of a TensorProto; 0 for one that no tensor can be made of, which says so when it is read."""
    sizes = [dim.size for dim in proto.tensor_shape.dim]
    if any(not 0 <= size <= _MOST_BYTES for size in sizes) or proto.tensor_shape.unknown_rank:
        return 0
    count = math.prod(sizes)
    if proto.dtype != dtypes.STRING:
        return count * dtypes.NUMPY[proto.dtype].itemsize if proto.dtype in dtypes.NUMPY else 0
    return count * TEXT_BYTES + _of_texts(proto, count)


def _of_texts(proto: Any, count: int) -> int:
    """Bytes of the texts themselves; the last one counts as often as it is repeated."""
    if proto.tensor_content:
        return len(proto.tensor_content)
    texts = proto.string_val
    if not texts:
        return 0
    return sum(map(len, texts)) + max(0, count - len(texts)) * len(texts[-1])
