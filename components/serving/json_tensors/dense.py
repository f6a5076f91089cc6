"""The short cut for one regular list of numbers: ``{"instances": [[1.5, 2], [3, 4]]}``.

A nested list of 2,048 numbers costs ten times more to build as Python lists and to flatten again than to parse flat.
So the brackets are checked on the bytes alone (the text with numbers taken out must be the text of a regular nested
list), and the numbers are parsed as one flat list. Whatever does not fit is left to ``document`` and ``tensors``,
which give the same values and word the errors.
"""

import re
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Dense:
    """A regular list of numbers, found without building nested lists.

    Attributes:
        key: ``"instances"`` or ``"inputs"``.
        signature_name: "" when the body has none.
        values: the numbers in C order.
        shape: sizes of the nested lists, outermost first; none is 0.
    """

    key: str
    signature_name: str
    values: list[int | float]
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
    try:
        values = orjson.loads(b"[" + text.translate(_BRACKETS_TO_SPACE) + b"]")
    except orjson.JSONDecodeError:
        return None
    if not values:
        return None
    name = head[1] or tail[1] or b""
    return Dense(head[2].decode(), name.decode(), values, shape)


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
