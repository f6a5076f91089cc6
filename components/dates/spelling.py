"""From one text to the strptime formats that it may be written in, the usual one first."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_DAY = r"(?:mon(?:day)?|tues?(?:day)?|wed(?:s|nesday)?|thu(?:rs?|rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)"
_AM = r"[ap]\.?\s?m\b\.?"
_ZONE = r"(?:Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)(?![\w:])"
_CLOCK = re.compile(
    rf"(?<!\d)(?P<hour>\d{{1,2}})(?:(?P<minute>:\d{{2}})(?P<second>:\d{{2}}(?:[.,]\d{{1,9}})?)?(?P<blank>\s?)(?P<am>{_AM})?"
    rf"|(?P<gap>\s?)(?P<only>{_AM}))(?P<far>\s?)(?P<zone>{_ZONE})?",
    re.I,
)
_BASIC = re.compile(r"\d{8}T\d{4}(?P<second>\d{2})?(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?")
_HOUR = re.compile(r"\d{4}-\d{1,2}-\d{1,2}(?:(?P<mark>[T ])\d{1,2}|T\d{1,2}(?P<zone>Z|[+-]\d{2}(?::?\d{2})?))")
_WORD = re.compile(rf"(?<![A-Za-z])(?:(?P<month>{_MONTH})|(?P<day>{_DAY}))(?![A-Za-z])", re.I)
_NUMBER = re.compile(r"\d+(?:(?:st|nd|rd|th)(?![A-Za-z]))?")
_SLOT, _TIME = "\x00", "\x01"
_LITERAL = re.compile(f"%[bA]|\\bat\\b|T(?={_TIME})|W(?={_SLOT})")
"""Letters that may stand in a date."""
_LONG = {8: ("%Y%m%d", "%d%m%Y", "%m%d%Y"), 12: ("%Y%m%d%H%M",), 14: ("%Y%m%d%H%M%S",)}
"""Numbers of so many digits that are dates without anything between their parts."""


def spellings(text: str) -> list[str]:
    """Formats of dates that have the outline of the text, in the order in which they are likely; most have none.

    ``01/02/2024`` gives ``%m/%d/%Y`` and ``%d/%m/%Y``; which of them holds is for the other rows to say.
    """
    text = " ".join(text.split())
    if not 4 <= len(text) <= 60 or not any(ch.isdigit() for ch in text):
        return []
    basic = _BASIC.fullmatch(text)
    if basic:
        return [f"%Y%m%dT%H%M{'%S' if basic['second'] else ''}{'%z' if basic['zone'] else ''}"]
    hour = _HOUR.fullmatch(text)
    if hour:
        return [f"%Y-%m-%d{hour['mark'] or 'T'}%H{'%z' if hour['zone'] else ''}"]
    text = text.replace("%", "%%")
    clock = _CLOCK.search(text)
    template = _WORD.sub(_named, text if clock is None else text[: clock.start()] + _TIME + text[clock.end() :])
    numbers = [match.group() for match in _NUMBER.finditer(template)]
    template = _NUMBER.sub(_SLOT, template)
    if re.search(r"[^\W_]", _LITERAL.sub("", template)):
        return []
    orders = _orders(
        [len(re.sub(r"\D", "", n)) for n in numbers], template, american=_TIME in template and _is_am(clock)
    )
    return [_filled(template, order, clock) for order in orders]


def _named(match: re.Match[str]) -> str:
    return "%b" if match["month"] else "%A"


def _is_am(clock: re.Match[str] | None) -> bool:
    return clock is not None and bool(clock["am"] or clock["only"])


def _filled(template: str, order: tuple[str, ...], clock: re.Match[str] | None) -> str:
    """The template with its numbers and its clock as directives."""
    slots = iter(order)
    form = "".join(next(slots) if ch == _SLOT else ch for ch in template)
    return form if clock is None else form.replace(_TIME, _clock_format(clock))


def _clock_format(clock: re.Match[str]) -> str:
    hour = "%I" if _is_am(clock) else "%H"
    form = hour + ("%M" if clock["minute"] else "").replace("%M", ":%M") + (":%S%.f" if clock["second"] else "")
    if _is_am(clock):
        form += (clock["blank"] or clock["gap"] or "") + "%p"
        return form + (clock["far"] + "%z" if clock["zone"] else clock["far"])
    blank = (clock["blank"] or "") + clock["far"]
    return form + blank + ("%z" if clock["zone"] else "")


def _orders(digits: list[int], template: str, *, american: bool) -> Iterator[tuple[str, ...]]:
    """What the numbers may be, by how many digits each has."""
    if "W" in template:
        if digits[:2] == [4, 2] and len(digits) <= 3:
            yield ("%G", "%V", "%u")[: len(digits)]
    elif "%b" in template:
        yield from _beside_month(digits, template)
    elif len(digits) == 3:
        yield from _three(digits, template, american=american)
    elif len(digits) == 2:
        if digits[0] == 4 and digits[1] <= 3:
            yield "%Y", "%j" if digits[1] == 3 else "%m"
        elif digits[1] == 4 and digits[0] <= 2:
            yield "%m", "%Y"
    elif len(digits) == 1 and digits[0] in _LONG:
        yield from ((form,) for form in _LONG[digits[0]])


def _beside_month(digits: list[int], template: str) -> Iterator[tuple[str, ...]]:
    """Day and year, or a year alone, beside the name of a month."""
    if len(digits) == 1:
        after = template.find("%b") < template.find(_SLOT)
        if digits[0] == 4:
            yield ("%Y",)
        elif digits[0] == 2 and after and re.search(f"%b[-/]{_SLOT}|%b ?['\u2019] ?{_SLOT}", template):
            yield ("%y",)
    elif len(digits) == 2 and max(digits) == 4 and min(digits) <= 2:
        yield ("%Y", "%d") if digits[0] == 4 else ("%d", "%Y")
    elif len(digits) == 2 and max(digits) <= 2:
        if digits[1] == 2:
            yield "%d", "%y"
        if digits[0] == 2 and template.find("%b") > template.find(_SLOT):
            yield "%y", "%d"


def _three(digits: list[int], template: str, *, american: bool) -> Iterator[tuple[str, ...]]:
    first, _, last = digits
    between = template[template.find(_SLOT) + 1 :].partition(_SLOT)[0].strip()
    if max(digits[1], min(first, last)) > 2:
        return
    month_first = american or between == "/"
    if first == 4:
        yield from (("%Y", "%m", "%d"), ("%Y", "%d", "%m"))
    elif last in (2, 4):
        year = "%Y" if last == 4 else "%y"
        orders = [("%m", "%d", year), ("%d", "%m", year)]
        yield from orders if month_first else reversed(orders)
    if first == 2 and last <= 2:
        yield "%y", "%m", "%d"
