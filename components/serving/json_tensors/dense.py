"""The short cut for one regular list of numbers: ``{"instances": [[1.5, 2], [3, 4]]}``.

A nested list of 2,048 numbers costs ten times more to build as Python lists and to flatten again than to parse flat.
So the brackets are checked on the bytes alone (the text with numbers taken out must be the text of a regular nested
list), and the numbers are parsed as one flat list. Whatever does not fit is left to ``document`` and ``tensors``,
which give the same values and word the errors.
"""

import re
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import orjson

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
MAX_RANK = 32
"""Deeper lists take the general way."""
CHUNK = 256 * 1024
"""Bytes of a long text that are parsed at once: millions of Python numbers never exist together."""


@dataclass(frozen=True, slots=True)
class Dense:
    """A regular list of numbers, found without building nested lists.

    Attributes:
        key: ``"instances"`` or ``"inputs"``.
        signature_name: "" when the body has none.
        values: the numbers in C order; of a long body as an array, int64 if all are such, float64 otherwise.
        shape: sizes of the nested lists, outermost first; none is 0.
    """

    key: str
    signature_name: str
    values: "list[int | float] | np.ndarray[Any, Any]"
    shape: tuple[int, ...]


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
    return Dense(head[2].decode(), name.decode(), values, shape)


def _parse_long(flat: bytes) -> "np.ndarray[Any, Any]":
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
