"""URLs of the REST interface: which model, version or label a path names, and what is asked of it."""

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_to_bytes

from kilnworks.components.serving.errors import invalid_argument

Api = Literal["predict", "classify", "regress", "status", "metadata"]

_FLAGS = re.ASCII | re.IGNORECASE
_WHICH = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_POST = re.compile(rf"/v1/models/(?P<name>[^/:]+){_WHICH}:(?P<api>classify|regress|predict)", _FLAGS)
_GET = re.compile(rf"/v1/models(?:/(?P<name>[^/:]+))?{_WHICH}(?:/(?P<api>metadata))?", _FLAGS)
_API_ROOT = re.compile(r"/v1/", _FLAGS)


@dataclass(frozen=True, slots=True)
class Target:
    """What a URL names. ``name`` is "" when it names no model; ``version`` and ``label`` exclude each other."""

    name: str
    version: int | None
    label: str | None
    api: Api


def is_api(path: str) -> bool:
    """Whether a path belongs to the API at all."""
    return _API_ROOT.match(path) is not None


def parse(method: str, path: str) -> Target:
    """The target of an API request; ``path`` includes the query string, which no URL of the API has.

    Raises:
        ServingError: INVALID_ARGUMENT for a method or path that the API does not have.
    """
    pattern = {"POST": _POST, "GET": _GET}.get(method)
    found = pattern.fullmatch(path) if pattern else None
    if found is None:
        raise invalid_argument(f"Malformed request: {method} {path}")
    name = _decode(found["name"] or "")
    if not name:
        raise invalid_argument("Missing model name in request.")
    api: Api = (found["api"] or "status").lower()  # type: ignore[assignment]
    label = None if found["label"] is None else _decode(found["label"])
    return Target(name, _version(found["version"]), label, api)


def _version(digits: str | None) -> int | None:
    if digits is None:
        return None
    number = digits.lstrip("0") or "0"
    if len(number) > 19 or int(number) >= 2**63:
        raise invalid_argument(f"Failed to convert version: {digits} to numeric.")
    return int(number)


def _decode(text: str) -> str:
    if "%" not in text:
        return text
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
