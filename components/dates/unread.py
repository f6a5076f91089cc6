"""Texts about time that are not read as dates: what they are, in words, so that a column is not lost silently."""

from __future__ import annotations

import re

import polars as pl

from kilnworks.components.dates.spelling import spellings
from kilnworks.schemas.words import shown

SHARE = 0.95
"""Share of the values that must be of one kind."""
LOOKED_AT = 500
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?"
_UNIT = r"(?:milliseconds?|ms|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|months?|years?|yrs?|[smhd])"
_KINDS = (
    (re.compile(rf"{_CLOCK}\s?(?:[ap]\.?\s?m\.?)?|\d{{1,2}}\s?[ap]\.?\s?m\.?", re.I), "times of day or durations"),
    (re.compile(r"-?P(?=[\dT])(?:\d+(?:\.\d+)?[YMWD])*(?:T(?:\d+(?:\.\d+)?[HMS])+)?", re.I), "durations (ISO 8601)"),
    (re.compile(r"\d{1,2}h\d{2}|\d{1,2}[.:h]\d{2} ?(?:uhr|h)|\d{1,2} ?uhr", re.I), "times of day"),
    (re.compile(r"\d{1,4}:\d{2}(?:[.,]\d+)?"), "times of day or durations"),
    (re.compile(rf"-?\d+:{_CLOCK}|-?\d+ days?,? {_CLOCK}(?:\.\d+)?|-?\d{{3,}}:\d{{2}}", re.I), "durations"),
    (re.compile(rf"(?:-?\d+(?:[.,]\d+)?\s?{_UNIT}[ ,]*)+", re.I), "durations with their unit"),
)
_ZONED = re.compile(r"(?:^|.*\D)\d{1,2}:\d{2}.*(?:\s[A-Z]{2,5}|[\s\[][A-Z][a-z]+/[A-Z][A-Za-z_]+\]?)$")
_OTHER = (
    (re.compile(r"\d{4}[-/ ]?Q[1-4]|Q[1-4][-/ ]?\d{4}", re.I), "quarters"),
    (
        re.compile(
            r"(?:.*[^\d.])?(?:\d{4}[-/.\u5e74]\s?\d{1,2}[-/.\u6708]\s?\d{1,2}|\d{1,2}([-/.])\d{1,2}\1(?:\d{4}|\d{2}))"
            r"(?:[^\d.].*)?"
        ),
        "texts like dates",
    ),
)
_WORD = re.compile(r"^\D{0,12}\d{1,4}[ .\-/]+(?:de )?([^\W\d_]{3,12})\.?[ .,\-/]+(?:de )?\d{2,4}\b")


def unread(texts: pl.Series) -> str:
    """What a column of texts about time holds, with an example; empty where it is about something else.

    Args:
        texts: filled values that ``find_dates`` does not read.
    """
    looked = _looked_at(texts)
    for pattern, words in _KINDS:
        if looked and _share(looked, lambda text, p=pattern: p.fullmatch(text)) >= SHARE:
            return f"{words} ({shown(looked[0])}), which are not read as numbers: write them as seconds or hours"
    return _dates(looked)


def unread_dates(texts: pl.Series) -> str:
    """The same of dates and moments alone, not of times of day and durations."""
    looked = _looked_at(texts)
    lasts = any(_share(looked, lambda text, p=pattern: p.fullmatch(text)) >= SHARE for pattern, _ in _KINDS if looked)
    return "" if lasts else _dates(looked)


def _looked_at(texts: pl.Series) -> list[str]:
    """Some of the different values; none where there is but one."""
    found: list[str] = texts.drop_nulls().unique(maintain_order=True).head(LOOKED_AT).str.strip_chars().to_list()
    return found if len(found) > 1 else []


def _dates(looked: list[str]) -> str:
    if not looked:
        return ""
    months = {m.group(1).lower() for m in map(_WORD.match, looked) if m}
    if months and len(months) <= 36 and _share(looked, _WORD.match) >= SHARE and not _share(looked, spellings) >= SHARE:
        return f"dates ({shown(looked[0])}) with names of months that are not English: write them as 2024-01-31"
    if _share(looked, _ZONED.match) >= SHARE:
        told = f"times ({shown(looked[0])}) with a time zone by name, which is not read"
        return f"{told}: write an offset, as in 2024-01-31 05:00+01:00"
    several = _several(looked)
    if several:
        return several
    for pattern, words in _OTHER:
        if _share(looked, pattern.fullmatch) >= SHARE:
            return f"{words} ({shown(looked[0])}) in a form that is not read"
    return ""


def _share(looked: list[str], test: object) -> float:
    return sum(bool(test(text)) for text in looked) / len(looked)  # type: ignore[operator]


def _several(looked: list[str]) -> str:
    """Words for dates that are written in several ways."""
    kinds: dict[str, str] = {}
    written = [spellings(text) for text in looked]
    if sum(map(bool, written)) < SHARE * len(looked):
        return ""
    for text, forms in zip(looked, written, strict=True):
        if forms:
            kinds.setdefault(re.sub(r"%[ymdY]", "#", forms[0]), text)
    ways = " and ".join(shown(text) for text in list(kinds.values())[:3])
    return f"dates that are written in several ways or do not exist ({ways})" if kinds else ""
