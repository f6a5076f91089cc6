"""What a serialized message takes once it is parsed, counted on its bytes before any of it is.

A message of two bytes becomes an object of forty and more: 40 MB of empty Examples took 1.9 GB. The wire format
(https://protobuf.dev/programming-guides/encoding) is walked along the message's description, parts in the order in
which a parser meets them. What a part costs was measured with protobuf 7 and is rounded up.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

WALKED_BYTES = 256 * 1024
"""Smaller messages need not be walked: they take less than forty times as much."""
_MESSAGE_BYTES = 64
_MAP_BYTES = 64
"""What a place in a map takes beside the message in it."""
_TEXT_BYTES = 48
_NUMBER_BYTES = 32
"""A number that stands alone, or the list of packed ones beside its numbers."""
_VARINT, _LENGTH = 0, 2
_WIDTHS = {1: 8, 3: 0, 4: 0, 5: 4}
"""Bytes behind the tag, by wire type; those of a group are parts like others."""
_CHUNK = 1024 * 1024


class _Field(NamedTuple):
    """``message``: the description of a message field; ``part``: bytes of each part; ``varint``: of a packed one."""

    message: Any = None
    part: int = _NUMBER_BYTES
    varint: int = 0


_UNKNOWN = _Field()


def parts_needed(data: bytes, descriptor: Any, most: int) -> int:
    """Bytes that the parts of a message take when it is parsed, beside those of ``data`` itself.

    Args:
        data: the serialized message. Where it is malformed the walk ends, as the parser will.
        descriptor: of the message.
        most: the walk ends once it has counted more.
    """
    size, at, end, fields = 0, 0, len(data), _fields(descriptor)
    outer: list[tuple[int, dict[int, _Field]]] = []  # of the messages around this one: where they end, their fields
    while size <= most and at <= end:
        if at == end:
            if not outer:
                break
            end, fields = outer.pop()
            continue
        tag = data[at]
        at += 1
        if tag > 0x7F:
            tag, at = varint(data, at - 1, end)
        field = fields.get(tag >> 3, _UNKNOWN)
        size += field.part
        kind = tag & 7
        if kind != _LENGTH:
            at = varint(data, at, end)[1] if kind == _VARINT else at + _WIDTHS.get(kind, len(data))
            continue
        length, at = (data[at], at + 1) if at < end and data[at] < 0x80 else varint(data, at, end)
        if field.message is not None and 0 < length <= end - at:
            outer.append((end, fields))
            end, fields = at + length, _fields(field.message)
            continue
        if field.varint:
            size += field.varint * _varints(data, at, min(length, end - at))
        at += length
    return size


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A varint and the place behind it; a place behind the end when there is none."""
    value = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    return 0, len(data) + 1


def _varints(data: bytes, at: int, length: int) -> int:
    """How many varints stand in a packed field: each ends with a byte below 128."""
    found = 0
    for start in range(at, at + length, _CHUNK):
        count = min(_CHUNK, at + length - start)
        found += int(np.count_nonzero(np.frombuffer(data, np.uint8, count, start) < 0x80))
    return found


@cache
def _fields(descriptor: Any) -> dict[int, _Field]:
    return {field.number: _field(field) for field in descriptor.fields}


def _field(field: Any) -> _Field:
    if field.message_type is not None:
        in_map = _MAP_BYTES if field.message_type.GetOptions().map_entry else 0
        return _Field(field.message_type, _MESSAGE_BYTES + in_map)
    if field.type in (field.TYPE_STRING, field.TYPE_BYTES):
        return _Field(None, _TEXT_BYTES)
    return _Field(None, _NUMBER_BYTES, _varint_width(field))


def _varint_width(field: Any) -> int:
    """Bytes that a number takes which is sent as a varint; 0 for one that takes what it is sent as."""
    if field.type in (field.TYPE_INT64, field.TYPE_UINT64, field.TYPE_SINT64):
        return 8
    return 4 if field.type in (field.TYPE_INT32, field.TYPE_UINT32, field.TYPE_SINT32, field.TYPE_ENUM) else 0
