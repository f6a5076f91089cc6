"""Which hundred years a two-digit year stands for."""

from __future__ import annotations

import re
from datetime import date

from kilnworks.schemas.dates import POSIX_FIRST_YEAR

_BIRTH = re.compile(r"birth|born|(^|[_\W])(dob|bday)([_\W]|$)|geburt|naissance|nacimiento", re.I)
_AHEAD = re.compile(
    r"expir|due|until|valid|matur|deadline|plan|forecast|target|schedul|renew|next|warranty|retire|(^|[_\W])(end|to)"
    r"([_\W]|$)|end_?date",
    re.I,
)


def first_year(name: str, latest: int, today: date) -> int:
    """The first of the hundred years: that of POSIX, 1969, or earlier where years in the future are absurd.

    Args:
        name: of the column. A date of birth is not in the future; a date of expiry may be.
        latest: the latest year as POSIX reads the column.
        today: the day on which this is asked.
    """
    if _BIRTH.search(name):
        return today.year - 99
    if latest > today.year + 1 and not _AHEAD.search(name):
        return today.year - 98
    return POSIX_FIRST_YEAR
