"""Bytes -> the JSON object of a request, read as TensorFlow Serving reads it, by two kept parsers.

1. orjson: everything that is strict JSON and has no duplicate keys.
2. the standard library: ``NaN`` and ``Infinity``, duplicate keys (the first wins), text after the object, bytes that
   are not UTF-8 (kept by ``surrogateescape``), and the words for what is no JSON.
"""

import json
import re
from typing import Any, NoReturn

import orjson

from kilnworks.components.serving.errors import ServingError, invalid_argument
from kilnworks.components.serving.json_tensors import debug

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SPACE = re.compile(r"[ \t\r\n]*")
_SPELLED_OTHERWISE = re.compile(rb"-NaN|Inf(?!inity)")
_ODD_WORDS = re.compile(rb'"(?:[^"\\]|\\.)*+"|-NaN|-?Inf(?:inity)?', re.DOTALL)
"""Strings, which stay, and the numbers that the standard library spells in one way only."""
_ODD_NUMBERS = re.compile(rb"[0-9]{19}|[eE]\+?[0-9]{3}")
"""Whole numbers that may not fit 64 bits, and numbers that may not fit a double."""
_SURROGATES = re.compile(r"\\u[dD][89a-fA-F]")
_PAIRS_AND_ESCAPES = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u(?![dD][89a-fA-F])|\\[^u]", re.DOTALL
)


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
        raise syntax_error("The document is empty")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return parse_loosely(body)
    if body.count(b":") != _keys(value):
        return parse_loosely(body)
    return value


def signature_name(document: dict[str, Any]) -> str:
    """The optional ``signature_name``; "" when it is not there."""
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise invalid_argument(
            f"JSON Value: {debug.quote(document)} not formatted correctly. 'signature_name' key must be a string value."
        )
    return name


def syntax_error(reason: str) -> ServingError:
    """The answer to a body that is not JSON."""
    return invalid_argument(f"JSON Parse error: {reason}")


def parse_loosely(body: bytes) -> Any:
    """As ``parse``, also what strict JSON forbids and the contract allows. Raises ``ServingError``."""
    if _SPELLED_OTHERWISE.search(body):
        body = _ODD_WORDS.sub(_as_the_library_spells, body)
    text = body.removeprefix(_BYTE_ORDER_MARK).decode("utf-8", "surrogateescape")
    start = _SPACE.match(text)
    assert start is not None
    decoder = _EXACT_NUMBERS if _ODD_NUMBERS.search(body) else _LOOSE
    try:
        value, end = decoder.raw_decode(text, start.end())
    except RecursionError:
        raise syntax_error("the document is nested too deep") from None
    except ValueError as error:
        raise syntax_error(str(error)) from None
    if _SURROGATES.search(text, 0, end) and _SURROGATES.search(_PAIRS_AND_ESCAPES.sub("", text[:end])):
        raise syntax_error("a surrogate without its other half in a string")
    return value


def _as_the_library_spells(found: "re.Match[bytes]") -> bytes:
    word = found[0]
    if word.startswith(b'"'):
        return word
    return b"NaN" if word == b"-NaN" else b"-Infinity" if word.startswith(b"-") else b"Infinity"


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        unique = dict(reversed(pairs))
        return {key: unique[key] for key, _ in pairs}
    return unique


def _whole(digits: str) -> int | float:
    """A whole number, or a double where 64 bits do not hold it."""
    if len(digits) <= 20:
        number = int(digits)
        if -(2**63) <= number < 2**64:
            return number
    return _double(digits)


def _double(digits: str) -> float:
    number = float(digits)
    return number if abs(number) != float("inf") else _too_big()


def _too_big() -> NoReturn:
    raise ValueError("a number that no double holds")


_LOOSE = json.JSONDecoder(object_pairs_hook=_first_wins)
_EXACT_NUMBERS = json.JSONDecoder(object_pairs_hook=_first_wins, parse_int=_whole, parse_float=_double)


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
