"""ISO 8601 texts as seconds, one at a time and with the standard library alone: what a model server needs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1)
_ZONE = r"\s?(?P<zone>Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)"
_TEXT = re.compile(
    r"\s*(?P<year>\d{4})(?P<between>[-/])(?P<month>\d{1,2})(?P=between)(?P<day>\d{1,2})"
    rf"(?P<clock>(?P<mark>[T ]|\s+)(?P<hour>\d{{1,2}})(?::(?P<minute>\d{{1,2}})"
    rf"(?::(?P<second>\d{{1,2}})(?:[.,]\d{{1,9}})?)?)?(?:{_ZONE})?)?\s*",
    re.ASCII,
)


def iso_seconds(text: str) -> int | None:
    """Whole seconds since 1970 UTC, a fraction cut off; None for what is no moment, as ``read_dates`` reads ``iso``."""
    match = _TEXT.fullmatch(text)
    if match is None or (match["between"] == "/" and match["clock"] and (match["zone"] or match["mark"] == "T")):
        return None
    hours_alone = match["clock"] and match["minute"] is None
    if hours_alone and (match["between"] == "/" or (match["zone"] and match["mark"] != "T")):
        return None
    hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second"))
    late = (hour, minute, second) == (24, 0, 0)
    if not late and (hour > 23 or minute > 59 or second > 60):
        return None
    try:
        day = datetime(int(match["year"]), int(match["month"]), int(match["day"]))
    except ValueError:
        return None
    seconds = int((day - EPOCH) / timedelta(seconds=1)) + 3600 * hour + 60 * minute + second
    return seconds - _offset(match["zone"] or "Z")


def _offset(zone: str) -> int:
    """Seconds east of UTC."""
    if zone[0] not in "+-":
        return 0
    minutes = 60 * int(zone[1:3]) + int(zone[-2:] if len(zone) > 3 else 0)
    return 60 * (minutes if zone[0] == "+" else -minutes)


def moment_text(seconds: float) -> str:
    """A moment for a reader, the time left out where it is midnight; the number itself outside of years 1 to 9999."""
    try:
        moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=float(seconds))
    except (OverflowError, ValueError):
        return f"{seconds:g}"
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ").removesuffix("T00:00:00Z")
