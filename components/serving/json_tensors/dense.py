"""The short cut for one regular list of numbers, both ways: ``{"instances": [[1.5, 2], [3, 4]]}``.

A nested list of 2,048 numbers costs ten times more to build as Python lists and to flatten again than to parse flat.
So the brackets are checked on the bytes alone (the text with numbers taken out must be the text of a regular nested
list), and the numbers are parsed as one flat list. Whatever does not fit is left to ``document`` and ``tensors``,
which give the same values and word the errors. An answer of one output that holds numbers is written here, too; its
floats digit for digit as by TensorFlow Serving, integers and booleans by orjson straight from the array.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal

import numpy as np
import orjson

from kilnworks.components.serving.wire.values import TensorInfo

Array = np.ndarray[Any, Any]
Form = Literal["row", "column"]

_INT32 = (-(2**31), 2**31 - 1)
RANGES: dict[str, tuple[int, int]] = {
    "int8": _INT32,
    "int16": _INT32,
    "int32": _INT32,
    "uint8": _INT32,
    "int64": (-(2**63), 2**63 - 1),
    "uint32": (0, 2**32 - 1),
    "uint64": (0, 2**64 - 1),
}
"""JSON integers that a dtype takes; what is beyond 8 or 16 bits wraps, as in TensorFlow Serving."""
WRITTEN = frozenset({"float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint32", "uint64", "bool"})
"""Arrays of these dtypes have a JSON form of numbers."""

_HEAD = re.compile(
    rb'[ \t\r\n]*\{[ \t\r\n]*(?:"signature_name"[ \t\r\n]*:[ \t\r\n]*"([A-Za-z0-9_./ -]*)"[ \t\r\n]*,[ \t\r\n]*)?'
    rb'"(instances|inputs)"[ \t\r\n]*:[ \t\r\n]*(?=\[)'
)
_TAIL = re.compile(
    rb'[ \t\r\n]*(?:,[ \t\r\n]*"signature_name"[ \t\r\n]*:[ \t\r\n]*"([A-Za-z0-9_./ -]*)"[ \t\r\n]*)?\}[ \t\r\n]*\Z'
)
_SPACE = b" \t\r\n"
_NUMBERS_TO_ZERO = bytes.maketrans(b"123456789.-+eE", b"0" * 14)
_BRACKETS_TO_SPACE = bytes.maketrans(b"[]", b"  ")
_FORMS: dict[str, Form] = {"instances": "row", "inputs": "column"}
MAX_RANK = 32
"""Deeper lists take the general way."""
CHUNK = 256 * 1024
"""Bytes of a long text that are parsed at once: millions of Python numbers never exist together."""
_AT_ONCE = 16_384
"""Floats that are formatted together: the numbers of a large tensor never all exist as Python floats, and in between
others get the interpreter."""
_NON_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


@dataclass(frozen=True, slots=True)
class Dense:
    """A regular list of numbers, found without building nested lists.

    Attributes:
        key: ``"instances"`` or ``"inputs"``.
        signature_name: "" when the body has none.
        values: the numbers in C order; of a long body as an array, int64 if all are such, float64 otherwise.
        shape: sizes of the nested lists, outermost first; none is 0.
        body: the bytes, read again if the numbers turn out not to fit the signature.
    """

    key: str
    signature_name: str
    values: list[int | float] | Array
    shape: tuple[int, ...]
    body: bytes = field(default=b"", compare=False, repr=False)

    def arrays(self, inputs: Mapping[str, TensorInfo]) -> tuple[dict[str, Array], Form] | None:
        """The one input by its alias, and the form that the answer must have; None where the numbers do not fit."""
        if len(inputs) != 1:
            return None
        ((alias, info),) = inputs.items()
        values, whole_only = self.values, info.dtype_name in RANGES
        if not whole_only and info.dtype_name not in ("float", "double"):
            return None
        whole = values.dtype == np.int64 if isinstance(values, np.ndarray) else set(map(type, values)) == {int}
        array = None if whole_only and not whole else from_flat(values, info)
        return None if array is None else ({alias: array.reshape(self.shape)}, _FORMS[self.key])


def parse(body: bytes) -> Dense | None:
    """``body`` as one regular list of numbers; None when it is anything else, be it right or wrong."""
    head = _HEAD.match(body)
    if head is None:
        return None
    start, end = head.end(), body.rfind(b"]") + 1
    tail = _TAIL.match(body, end)
    if tail is None or (head[1] is not None and tail[1] is not None):
        return None
    text = body[start:end]
    shape = _shape(text)
    if shape is None:
        return None
    flat = text.translate(_BRACKETS_TO_SPACE)
    try:
        values = orjson.loads(b"[" + flat + b"]") if len(flat) <= CHUNK else _parse_long(flat)
    except orjson.JSONDecodeError:
        return None
    if len(values) != prod(shape):
        return None
    name = head[1] or tail[1] or b""
    return Dense(head[2].decode(), name.decode(), values, shape, body)


def from_flat(flat: list[Any] | Array, info: TensorInfo) -> Array | None:
    """One conversion of numbers (or booleans), whose types are known to fit; None when a value does not."""
    try:
        if info.dtype_name in RANGES:
            return _integers(flat, info)
        with np.errstate(over="ignore"):
            return np.asarray(flat, info.numpy_dtype)
    except OverflowError:
        return None


def _integers(flat: list[int] | Array, info: TensorInfo) -> Array | None:
    low, high = RANGES[info.dtype_name]
    if isinstance(flat, np.ndarray) and low == 0 and flat.size and flat.min() < 0:
        return None
    wide = np.array(flat, np.uint64 if high > 2**63 else np.int64)
    if wide.size and (high <= 2**32 and (wide.min() < low or wide.max() > high)):
        return None
    return wide.astype(info.numpy_dtype, copy=False)


def _parse_long(flat: bytes) -> Array:
    """Numbers between commas as one array, cut at commas into texts of about ``CHUNK`` bytes."""
    parts = []
    start = 0
    while start <= len(flat):
        comma = flat.find(b",", start + CHUNK)
        end = len(flat) if comma < 0 else comma
        part = np.array(orjson.loads(b"[" + flat[start:end] + b"]"))
        parts.append(part if part.dtype == np.int64 else part.astype(np.float64))
        start = end + 1
    return np.concatenate(parts)


def _shape(text: bytes) -> tuple[int, ...] | None:
    """Shape of a nested list from its brackets and commas; None when it is not regular or holds other things.

    The list is regular when its skeleton (numbers and white space taken out) is what ``[2, 3]`` would give:
    ``[[,,],[,,]]``. That no number stands behind a ``]`` or in front of a ``[`` is checked before they go.
    """
    zeros = text.translate(_NUMBERS_TO_ZERO, _SPACE)
    if b"]0" in zeros or b"0[" in zeros:
        return None
    skeleton = zeros.translate(None, b"0")
    rank = len(skeleton) - len(skeleton.lstrip(b"["))
    if rank > MAX_RANK:
        return None
    shape: list[int] = []
    unit = b""
    for level in range(1, rank + 1):
        end = skeleton.find(b"]" * level)
        size, rest = divmod(end + level - (rank - level) - 1, len(unit) + 1) if end >= 0 else (0, 1)
        if rest or size < 1:
            return None
        unit = b"[" + unit + (b"," + unit) * (size - 1) + b"]"
        shape.append(size)
    return tuple(reversed(shape)) if unit == skeleton else None


def write(outputs: Mapping[str, Array], form: Form) -> bytes | None:
    """Body of an answer to ``:predict`` whose one output holds numbers; None for any other, also one that is wrong."""
    if len(outputs) != 1:
        return None
    (array,) = outputs.values()
    if array.dtype.name not in WRITTEN or (form == "row" and not array.ndim):
        return None
    return b'{"%b":%b}' % (b"outputs" if form == "column" else b"predictions", _text(array))


def _text(array: Array) -> bytes:
    if array.dtype.kind == "f":
        return lists(array, 0)[0].encode()
    return orjson.dumps(np.ascontiguousarray(array) if array.ndim else array[()], option=orjson.OPT_SERIALIZE_NUMPY)


def lists(array: Array, depth: int) -> list[str]:
    """The texts of the float arrays that stand ``depth`` dimensions deep."""
    texts = decimals(array.ravel())
    for level in range(array.ndim - 1, depth - 1, -1):
        size, count = array.shape[level], prod(array.shape[:level])
        texts = [f"[{','.join(texts[i * size : (i + 1) * size])}]" for i in range(count)]
    return texts


def decimals(flat: Array) -> list[str]:
    """Floats [n] as TensorFlow Serving writes them: ``%g``, or 9 (float64: 17) digits where that loses some."""
    texts: list[str] = []
    for start in range(0, flat.size, _AT_ONCE):
        texts += _decimals(flat[start : start + _AT_ONCE])
    return texts


def _decimals(flat: Array) -> list[str]:
    numbers = tuple(flat.tolist())
    texts = _formatted("%g,", numbers)
    with np.errstate(over="ignore"):
        kept = np.array([float(text) for text in texts]).astype(flat.dtype) == flat
    if not kept.all():
        full = _formatted("%.9g," if flat.itemsize == 4 else "%.17g,", numbers)
        texts = [short if same else long for short, long, same in zip(texts, full, kept.tolist(), strict=True)]
    for i in np.flatnonzero((np.trunc(flat) == flat) | np.isnan(flat)).tolist():
        texts[i] = _NON_FINITE.get(texts[i]) or (texts[i] if "e" in texts[i] else texts[i] + ".0")
    return texts


def _formatted(form: str, numbers: tuple[float, ...]) -> list[str]:
    return (form * len(numbers) % numbers).split(",")[:-1]
