"""JSON values -> arrays, by the rules of each dtype.

The whole value is tried at once (flatten level by level, look at the set of leaf types, one numpy conversion). Only
when that does not fit are the elements walked one by one, to word the error that TensorFlow Serving would give.
"""

import base64
import binascii
from itertools import chain
from math import prod
from typing import Any

import numpy as np

from kilnworks.components.serving.errors import ServingError, invalid_argument, unimplemented
from kilnworks.components.serving.json_tensors import debug
from kilnworks.components.serving.json_tensors.dense import RANGES, Array, from_flat
from kilnworks.components.serving.wire.values import TensorInfo

MAX_RANK = 64
"""numpy's limit; a deeper list is not a tensor here."""

_LEAVES: dict[str, frozenset[type]] = {
    "float": frozenset({int, float}),
    "double": frozenset({int, float}),
    "bool": frozenset({bool}),
    "string": frozenset({str, dict}),
    **{name: frozenset({int}) for name in RANGES},
}


def shape_of(value: Any) -> tuple[int, ...]:
    """Shape of a nested list as its first elements show it; () for anything that is not a list."""
    sizes = []
    while isinstance(value, list):
        sizes.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(sizes)


def to_array(value: Any, info: TensorInfo, alias: str) -> Array:
    """One tensor from a JSON value of any rank: column form.

    Raises:
        ServingError: INVALID_ARGUMENT with the words for the first element that does not fit;
            UNIMPLEMENTED for a dtype that has no JSON form.
    """
    shape = shape_of(value)
    _refuse_deep(shape, alias)
    array = _all_at_once(value, shape, info)
    if array is not None:
        return array
    leaves: list[Any] = []
    _walk(value, 0, shape, info, leaves)
    return from_leaves(leaves, shape, info)


def stack(items: list[Any], info: TensorInfo) -> Array | None:
    """One tensor ``[n, ...]`` from n JSON values: row form; None when not all of them fit (see ``walk_item``)."""
    shape = (len(items), *shape_of(items[0]))
    return None if len(shape) > MAX_RANK else _all_at_once(items, shape, info)


def walk_item(item: Any, first: Any, info: TensorInfo, alias: str) -> list[Any]:
    """Converted leaves of one value of a row list, in C order.

    All must have the size and shape of ``first``, the first value of the list.

    Raises:
        ServingError: in the words for the first leaf or list that does not fit.
    """
    leaves: list[Any] = []
    shape, wanted = shape_of(item), shape_of(first)
    _refuse_deep((1, *shape), alias)
    _walk(item, 0, shape, info, leaves)
    if len(leaves) != prod(wanted):
        raise invalid_argument(f"Expecting tensor size: {prod(wanted)} but got: {len(leaves)}")
    if shape != wanted:
        raise invalid_argument(f"Expecting shape {_shape_text(wanted)} but got: {_shape_text(shape)}")
    return leaves


def from_leaves(leaves: list[Any], shape: tuple[int, ...], info: TensorInfo) -> Array:
    """Array of leaves that a walk accepted one by one."""
    array = np.empty(len(leaves), object)
    array[:] = leaves
    if info.dtype_name == "string":
        return array.reshape(shape)
    wide = np.int64 if RANGES.get(info.dtype_name) == RANGES["int32"] else info.numpy_dtype
    return array.astype(wide).astype(info.numpy_dtype).reshape(shape)


def is_base64(value: Any) -> bool:
    """Whether a value is ``{"b64": "..."}`` and nothing else."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def decode_base64(text: str) -> bytes:
    """Bytes of standard base64; white space is skipped, padding optional."""
    compact = "".join(text.split()).replace(".", "=")
    digits = compact.rstrip("=")
    padding = -len(digits) % 4
    if len(compact) - len(digits) not in (0, padding):
        raise invalid_argument("Unable to base64 decode")
    try:
        return base64.b64decode(digits + "=" * padding, validate=True)
    except (binascii.Error, ValueError):
        raise invalid_argument("Unable to base64 decode") from None


def encode_text(text: str) -> bytes:
    """UTF-8; bytes that were not UTF-8 in the request come out as they were."""
    return text.encode("utf-8", "surrogateescape")


def _refuse_deep(shape: tuple[int, ...], alias: str) -> None:
    if len(shape) > MAX_RANK:
        raise invalid_argument(f"tensor parsing error: {alias}")


def _all_at_once(value: Any, shape: tuple[int, ...], info: TensorInfo) -> Array | None:
    """The array when the value is regular and every leaf fits; None when a walk must find out what is wrong."""
    flat = _flatten(value, shape)
    allowed = _LEAVES.get(info.dtype_name)
    if flat is None or allowed is None or not set(map(type, flat)) <= allowed:
        return None
    array = _strings(flat) if info.dtype_name == "string" else from_flat(flat, info)
    return None if array is None else array.reshape(shape)


def _flatten(value: Any, shape: tuple[int, ...]) -> list[Any] | None:
    """Leaves in C order; None when the lists are not all of ``shape``."""
    if not shape:
        return None if isinstance(value, list) else [value]
    if len(value) != shape[0]:
        return None
    flat: list[Any] = value
    for size in shape[1:]:
        if set(map(type, flat)) != {list} or set(map(len, flat)) != {size}:
            return None
        flat = list(chain.from_iterable(flat))
    return flat


def _strings(flat: list[Any]) -> Array | None:
    array = np.empty(len(flat), object)
    try:
        array[:] = [encode_text(v) if isinstance(v, str) else decode_base64(_text_of(v)) for v in flat]
    except ServingError:
        return None
    return array


def _text_of(value: dict[str, Any]) -> str:
    if not is_base64(value):
        raise invalid_argument(f"JSON Value: {debug.quote(value)} not formatted correctly for base64 data")
    return str(value["b64"])


def _walk(value: Any, level: int, shape: tuple[int, ...], info: TensorInfo, leaves: list[Any]) -> None:
    """Collect converted leaves in C order, or raise the error of the first that does not fit."""
    rank = len(shape)
    if not isinstance(value, list):
        if level != rank:
            raise invalid_argument(
                f"JSON Value: {debug.quote(value)} found at incorrect level: {level + 1} "
                f"in the JSON DOM. Expected at level: {rank}"
            )
        leaves.append(_leaf(value, info))
        return
    if level >= rank:
        raise invalid_argument(f"Encountered list at unexpected level: {level} expected < {rank}")
    if len(value) != shape[level]:
        raise invalid_argument(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for item in value:
        _walk(item, level + 1, shape, info, leaves)


def _leaf(value: Any, info: TensorInfo) -> Any:
    """One leaf as Python value; strings as bytes."""
    dtype = info.dtype_name
    if isinstance(value, dict):
        if dtype != "string":
            raise _type_error(value, dtype)
        return decode_base64(_text_of(value))
    if dtype not in _LEAVES:
        raise unimplemented(f"Conversion of JSON Value: {debug.quote(value)} to type: {dtype}")
    if type(value) not in _LEAVES[dtype]:
        raise _type_error(value, dtype)
    if dtype in RANGES:
        low, high = RANGES[dtype]
        if not low <= value <= high:
            raise _type_error(value, dtype)
    return encode_text(value) if dtype == "string" else value


def _type_error(value: Any, dtype: str) -> ServingError:
    return invalid_argument(
        f"JSON Value: {debug.quote(value)} Type: {debug.kind(value)} is not of expected type: {dtype}"
    )


def _shape_text(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"
