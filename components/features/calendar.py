"""Calendar parts of a moment, by whole-number arithmetic that NumPy arrays and Keras tensors share.

Dates from days since 1970 by the civil calendar algorithm of Hinnant (2013): years begin in March, so that the leap day
comes last.
"""

from typing import Any, Literal

CalendarPart = Literal["moment", "month", "day", "weekday", "time of day"]

PARTS: tuple[CalendarPart, ...] = ("month", "day", "weekday", "time of day")
"""Parts that come again; ``moment`` itself does not."""
DAY = 86_400
DAYS_FROM_YEAR_0 = 719_468
"""Days from 1 March of year 0 to 1 January 1970."""
ERA = 146_097
"""Days of 400 years."""


def calendar_part(seconds: Any, part: CalendarPart) -> Any:
    """One part of each moment.

    Args:
        seconds: since 1970 in UTC, int64 [N]: a NumPy array or a Keras tensor.
        part: ``month`` 1 to 12, ``day`` of the month 1 to 31, ``weekday`` 0 (Monday) to 6, ``time of day`` in seconds
            0 to 86,399, ``moment`` the seconds as they are.

    Returns:
        int64 [N], of the kind that came in.
    """
    days = seconds // DAY
    match part:
        case "moment":
            return seconds
        case "time of day":
            return seconds - days * DAY
        case "weekday":
            return days + 3 - (days + 3) // 7 * 7
    day_of_year = _day_of_year(days)
    shifted = (5 * day_of_year + 2) // 153
    if part == "day":
        return day_of_year - (153 * shifted + 2) // 5 + 1
    return shifted + 3 - shifted // 10 * 12


def _day_of_year(days: Any) -> Any:
    """Days since 1 March, 0 to 365."""
    of_era = days + DAYS_FROM_YEAR_0 - (days + DAYS_FROM_YEAR_0) // ERA * ERA
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    return of_era - (365 * year + year // 4 - year // 100)
