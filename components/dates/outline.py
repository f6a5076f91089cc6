"""Strptime formats as regular expressions, and texts brought into the one form that the parser of Polars reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

_PARTS = re.compile(r"%\.f|%[A-Za-z%]|.", re.S)
_WIDTH = {"%Y": (4, 4), "%G": (4, 4), "%y": (2, 2), "%j": (3, 3), "%V": (2, 2), "%u": (1, 1), "%f": (1, 9)}
_NAMES = {"%B", "%b", "%A", "%a"}
_NUMBERS = {"%m", "%d", "%H", "%I", "%M", "%S"}
_ZONE = r"(?:Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)"


def parts(form: str) -> list[str]:
    """A format as its directives and single characters."""
    return [str(part) for part in _PARTS.findall(readable(form))]


def outline(form: str) -> str:
    """A regular expression (of Rust) that whole texts of this format match; values may still be out of range."""
    return "^" + "".join(_patterns(parts(form))) + "$"


def _patterns(found: list[str]) -> Iterator[str]:
    for i, part in enumerate(found):
        beside = [*found[max(0, i - 1) : i], *found[i + 1 : i + 2]]
        yield _pattern(part, packed=any(p in _NUMBERS | set(_WIDTH) for p in beside))


def _pattern(part: str, packed: bool) -> str:
    """One directive; ``packed`` numbers, without anything between them and the next, have all their digits."""
    if part in _WIDTH:
        low, high = _WIDTH[part]
        return rf"\d{{{low},{high}}}"
    if part in _NUMBERS:
        return r"\d{2}" if packed else r"\d{1,2}"
    if part in _NAMES:
        return "[A-Za-z]{3,9}"
    if part == "%.f":
        return r"(?:\.\d{1,9})?"
    if part == "%p":
        return r"(?i:[ap]m)"
    return _ZONE if part == "%z" else re.escape("%" if part == "%%" else part)


def readable(form: str) -> str:
    """The format of tidy texts: no dot behind names (``Jan.``, ``p.m.``), no blank before ``%p`` and ``%z``."""
    form = re.sub(r"(%[BbAap])\.", r"\1", form).replace("%b", "%B").replace("%a", "%A")
    return re.sub(r"\s+(%[pz])", r"\1", re.sub(r"\s+", " ", form))


def tidy(texts: pl.Series, form: str) -> pl.Series:
    """Texts with single blanks, names without dots and in their usual letters, and a point before fractions."""
    texts = texts.str.strip_chars()
    if " " in form or "%p" in form:
        texts = texts.str.replace_all(r"\s+", " ")
    if any(name in form for name in (*_NAMES, "%p")):
        texts = texts.str.replace_all(r"([A-Za-z])\.", "$1")
    if "%p" in form:
        texts = texts.str.replace(r"(?i)\s?([ap]) ?m\b", "${1}m")
    if "%z" in form:
        texts = texts.str.replace(rf"\s({_ZONE})(\s|$)", "$1$2")
    if any(name in form for name in _NAMES):
        texts = texts.str.replace_all(r"(?i)\bsept\b", "Sep").str.replace_all(r"(?i)(\d)(?:st|nd|rd|th)\b", "$1")
        texts = texts.str.replace_all(r"(?i)\b(tue|wed|thu)(?:s|r|rs)\b", "$1")
    return texts.str.replace_all(r"(:\d{2}),(\d)", "$1.$2") if "%.f" in form else texts


def around(form: str, directive: str, value: str) -> str:
    """The outline with this directive as ``value``, between two groups: what stands before it, and what behind."""
    found = parts(form)
    at = found.index(directive)
    patterns = list(_patterns(found))
    return f"^({''.join(patterns[:at])}){value}({''.join(patterns[at + 1 :])})$"


def end_of_day(form: str) -> str:
    """The outline of texts that say 24:00, between the same two groups."""
    nought = {"%M": "0{1,2}", "%S": "0{1,2}", "%.f": r"(?:\.0+)?"}
    found = parts(form)
    at = found.index("%H")
    patterns = [nought.get(p, pattern) for p, pattern in zip(found, _patterns(found), strict=True)]
    return f"^({''.join(patterns[:at])})24({''.join(patterns[at + 1 :])})$"
