"""How a JSON value is quoted in an error text: the first 256 bytes, objects over several lines, lists on one."""

import math
from typing import Any

import orjson

LIMIT = 256

_KINDS: dict[type, str] = {dict: "Object", list: "Array", str: "String", int: "Number", float: "Number"}


def kind(value: Any) -> str:
    """Name of a value's JSON type: ``Null``, ``False``, ``True``, ``Object``, ``Array``, ``String`` or ``Number``."""
    if value is None or value is True or value is False:
        return {None: "Null", True: "True", False: "False"}[value]
    return _KINDS[type(value)]


def quote(value: Any) -> str:
    """The value as JSON, cut after the token that passes 256 bytes. Depth and size of ``value`` do not matter."""
    out: list[str] = []
    size = 0
    stack: list[Any] = [iter(_tokens(value, 0))]
    while stack:
        token = next(stack[-1], None)
        if token is None:
            stack.pop()
        elif isinstance(token, str):
            if size >= LIMIT:
                break
            out.append(token)
            size += len(token)
        else:
            stack.append(iter(_tokens(*token)))
    return "".join(out)


def _tokens(value: Any, depth: int) -> Any:
    """Texts to write for ``value``, with ``(child, depth)`` where a child comes."""
    if isinstance(value, dict) and value:
        inner, outer = "\n" + "    " * (depth + 1), "\n" + "    " * depth
        for i, (key, child) in enumerate(value.items()):
            yield f"{'{' if i == 0 else ','}{inner}{_string(key)}: "
            yield child, depth + 1
        yield outer + "}"
    elif isinstance(value, dict):
        yield "{}"
    elif isinstance(value, list):
        yield "["
        for i, child in enumerate(value):
            if i:
                yield ", "
            yield child, depth + 1
        yield "]"
    else:
        yield _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, float) and not math.isfinite(value):
        return ""
    return orjson.dumps(value).decode()


def _string(text: str) -> str:
    """A JSON string; bytes that were not UTF-8 are shown by the replacement character."""
    return orjson.dumps(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")).decode()
