"""The one place that hides secrets in what is printed or written down: by where they stand, and by what they are.

A text passes ``masked`` before a person, a log or a file gets it. It hides what stands where secrets stand (the
password of a URL, ``?password=``, ``PWD=``, ``Authorization:``), and every secret that this process has used, also
URL-quoted, in base64 or escaped. References such as ``${PASSWORD}`` name a secret without holding it and stay.
"""

import base64
import html
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

from kilnworks.schemas.wire import HIDDEN

LEAST_CHARACTERS = 5
"""Shorter secrets are hidden only by where they stand: texts are full of their characters."""
LEAST_INSIDE = 8
"""Shorter secrets are hidden only as whole words."""

_REFERENCE = r"(?:\$\{[^{}]*\}|\$[A-Za-z_]\w*)"
_ONLY_REFERENCES = re.compile(rf"{_REFERENCE}+|{re.escape(HIDDEN)}")
_USER = re.compile(
    r"""(?P<head>://[^\s:/@?#"'<>]{0,256}:)(?!\d{1,5}(?:[/?#\s"'),;]|$))(?P<secret>(?:(?!://)[^\s"<>]){0,1024})@"""
    r"""|(?P<token>://)[^\s:/@?#"'<>]{20,1024}@"""
)
_LONG_NAMES = (
    "password|passwd|passphrase|pwd|secret|signature|credentials?|"
    "(?:access|session|security|refresh|auth|bearer|sas|id|api)[_-]?token|"
    "(?:api|access|account|private|secret|shared|signing)[_-]?key"
)
_VALUE = r"""(?P<secret>"[^"\n]*"|'[^'\n]*'|\{[^{}\s]*\}|(?:(?!%3B|%26)[^\s&;,"'<>()\[\]#])+)"""
_NAMED = re.compile(rf"(?P<head>(?:{_LONG_NAMES}|(?<![A-Za-z0-9_])token)\s?(?:=|%3D)\s?){_VALUE}", re.IGNORECASE)
_IN_QUERY = re.compile(rf"(?P<head>[?&;](?:key|sig|pass|auth|token|code|apikey)=){_VALUE}", re.IGNORECASE)
_HEADER = re.compile(
    r"""(?P<head>authorization["']?\s?[:=]\s?["']?(?:(?:basic|bearer|token)\s)?)(?P<secret>[^\s"',}]+)""", re.IGNORECASE
)
_ITEM = re.compile(
    rf"""(?P<head>(?P<q>["'])[\w.\-]{{0,60}}?(?:{_LONG_NAMES}|(?<![A-Za-z0-9])token)(?P=q)\s?:\s?(?P<v>["']))"""
    r"""(?P<secret>(?:(?!(?P=v))[^\\\n]|\\.)*)(?=(?P=v))""",
    re.IGNORECASE,
)
_KEY = re.compile(rf"(?:.*[_.\-]|)(?:{_LONG_NAMES}|token)|.*[a-z](?-i:Password|Secret|Token)", re.IGNORECASE)
_KEY_OF_TOKENS = re.compile(r".*(?:pad|oov|unk|mask|start|end|bos|eos|cls|sep|split)[_-]?token", re.IGNORECASE)

_PERCENT = re.compile(r"%[0-9A-F]{2}")
_HEX = re.compile(r"(\\(?:x(?=[0-9a-f]{2})|u(?=[0-9a-f]{4})|U(?=[0-9a-f]{8})))((?<=x)..|(?<=u).{4}|(?<=U).{8})")

_known: dict[str, None] = {}
_hearers: list[Callable[[str], object]] = []


def masked(text: str) -> str:
    """The text without secrets, in time linear in its length.

    >>> masked("postgresql://reader:s3cret@host/shop?sslpassword=x failed")
    'postgresql://reader:***@host/shop?sslpassword=*** failed'
    >>> masked("postgresql://reader:${PASSWORD}@host/shop")
    'postgresql://reader:${PASSWORD}@host/shop'
    """
    found = _without_known(text)
    if "://" in found:
        found = _USER.sub(_hide_user, found)
    if "=" in found or ":" in found or "%3" in found:
        for pattern in (_NAMED, _IN_QUERY, _HEADER, _ITEM):
            found = pattern.sub(_hide, found)
    return found


def masked_tree(value: Any, name: str = "") -> Any:
    """JSON-like values in which every text is masked, and whole where its name is that of a secret."""
    if isinstance(value, str):
        return HIDDEN if value and names_secret(name) and not only_references(value) else masked(value)
    if isinstance(value, Mapping):
        return {key: masked_tree(inside, str(key)) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return [masked_tree(inside, name) for inside in value]
    return value


def names_secret(name: str) -> bool:
    """Whether a setting of this name holds a secret: ``password``, ``model.api_key``, ``AccountKey``."""
    return bool(_KEY.fullmatch(name)) and not _KEY_OF_TOKENS.fullmatch(name)


def only_references(text: str) -> bool:
    """Whether a text names secrets, such as ``${PASSWORD}``, and holds none."""
    return bool(_ONLY_REFERENCES.fullmatch(text))


def remember(secret: str) -> None:
    """Hide this text from now on, wherever this process shows or writes something."""
    if len(secret) < LEAST_CHARACTERS or secret in _known or HIDDEN in secret:
        return
    _known[secret] = None
    _pattern.cache_clear()
    for hear in _hearers:
        hear(secret)


def remember_pair(user: str, secret: str) -> None:
    """Hide a password, and what a header of basic authentication makes of it."""
    remember(secret)
    if user and len(secret) >= LEAST_CHARACTERS:
        remember(f"{user}:{secret}")


def tell_secrets(hear: Callable[[str], object]) -> None:
    """Let another masker, such as that of Airflow, hear of every secret, of those known by now as well."""
    if hear not in _hearers:
        _hearers.append(hear)
        for secret in _known:
            hear(secret)


def scrub(error: BaseException) -> BaseException:
    """The error itself, with secrets hidden in the texts that it and its causes were made with."""
    seen: set[int] = set()
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if any(isinstance(part, str) and masked(part) != part for part in one.args):
            one.args = tuple(masked(part) if isinstance(part, str) else part for part in one.args)
        todo += [one.__cause__, one.__context__]
    return error


def _hide_user(match: re.Match[str]) -> str:
    if match["token"]:
        return f"{match['token']}{HIDDEN}@"
    return f"{match['head']}{_or_reference(match['secret'])}@"


def _hide(match: re.Match[str]) -> str:
    return f"{match['head']}{_or_reference(match['secret'])}"


def _or_reference(secret: str) -> str:
    return secret if not secret or only_references(secret) else HIDDEN


def _without_known(text: str) -> str:
    pattern = _pattern()
    return pattern.sub(HIDDEN, text) if pattern is not None else text


@lru_cache(maxsize=1)
def _pattern() -> re.Pattern[str] | None:
    """Every spelling of every known secret, the longest first."""
    spelled = {spelling: None for secret in _known for spelling in _spellings(secret)}
    if not spelled:
        return None
    parts = []
    for spelling in sorted(spelled, key=len, reverse=True):
        text = re.escape(spelling)
        parts.append(text if len(spelling) >= LEAST_INSIDE else rf"(?<!\w){text}(?!\w)")
    return re.compile("|".join(parts))


def _spellings(secret: str) -> set[str]:
    """How a secret may be written: as it is, quoted for a URL, in base64, escaped for JSON, Python, YAML or HTML.

    A letter outside of ASCII has several forms: composed or not, as it is or by number, in large or small digits.
    """
    forms = {secret, *(unicodedata.normalize(form, secret) for form in ("NFC", "NFD"))}
    return {spelling for form in forms for spelling in _spelled(form)}


def _spelled(secret: str) -> set[str]:
    raw = secret.encode("utf-8", "surrogatepass")
    coded = {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
    quoted = {quote(raw, safe=""), quote(raw), quote_plus(raw)}
    quoted |= {_PERCENT.sub(lambda code: code[0].lower(), text) for text in quoted}
    found = {secret, html.escape(secret), *(_numbered(text) for text in (secret, html.escape(secret)))}
    escaped = {repr(secret)[1:-1], ascii(secret)[1:-1]}
    plain = json.dumps(secret, ensure_ascii=False)[1:-1]
    escaped |= {json.dumps(secret)[1:-1], plain, "".join(c if c.isascii() else ascii(c)[1:-1] for c in plain)}
    escaped |= {_HEX.sub(lambda code: code[1] + code[2].upper(), text) for text in escaped}
    escaped |= {json.dumps(text, ensure_ascii=False)[1:-1] for text in escaped}  # a text in JSON inside of JSON
    return found | quoted | escaped | coded | {code.rstrip("=") for code in coded}


def _numbered(text: str) -> str:
    return text.encode("ascii", "xmlcharrefreplace").decode()
