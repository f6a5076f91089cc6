"""Bytes -> the JSON object of a request, by the fastest parser that reads it as TensorFlow Serving does.

1. orjson: everything that is strict JSON and has no duplicate keys.
2. the standard library: ``NaN`` and ``Infinity``, duplicate keys (the first wins), text after the object.
3. ``exact``: the rest, and the wording of syntax errors.
"""

import json
import re
from contextlib import suppress
from typing import Any

import orjson

from components.serving.errors import invalid_argument
from components.serving.json_tensors import debug, exact

_NOT_FOR_THE_STANDARD_LIBRARY = re.compile(rb"[eE]\+?[0-9]{3}|[0-9]{19}|\\u[dD][89a-fA-F]|\x00")
"""Numbers that may not fit 64 bits and lone surrogates, which the standard library reads in its own way."""


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``.

    Raises:
        ServingError: INVALID_ARGUMENT ``JSON Parse error: ...`` or ``JSON Value: ... Is not object``.
    """
    value = parse(body)
    if not isinstance(value, dict):
        raise invalid_argument(f"JSON Value: {debug.quote(value)} Is not object")
    return value


def parse(body: bytes) -> Any:
    """The first JSON value in ``body``: dict, list, str, int, float, bool or None."""
    if not body:
        raise invalid_argument("JSON Parse error: The document is empty")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parse_loosely(body)
    if body.count(b":") != _keys(value):
        return _parse_loosely(body)
    return value


def signature_name(document: dict[str, Any]) -> str:
    """The optional ``signature_name``; "" when it is not there."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid_argument(
            f"JSON Value: {debug.quote(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def _parse_loosely(body: bytes) -> Any:
    """Read what strict JSON forbids and the contract allows."""
    if _NOT_FOR_THE_STANDARD_LIBRARY.search(body) is None:
        with suppress(ValueError, RecursionError):
            return _LOOSE.raw_decode(body.decode().lstrip(" \t\r\n"))[0]
    return exact.parse(body)


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        unique = dict(reversed(pairs))
        return {key: unique[key] for key, _ in pairs}
    return unique


_LOOSE = json.JSONDecoder(object_pairs_hook=_first_wins)


def _keys(value: Any) -> int:
    """A lower bound of the number of keys in a parsed value, exact where lists hold like with like.

    Each key has its colon, so as many colons as keys means: no duplicate, and no colon in a string.
    """
    count = 0
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            count += len(item)
            waiting.extend(v for v in item.values() if isinstance(v, dict | list))
        elif isinstance(item, list) and item and isinstance(item[0], dict | list):
            waiting.extend(item)
    return count
