"""An expectation of our own: whole numbers lie between whole ends, digit for digit.

The library's own holds its ends as floats, so that beyond 2**53 an end moves by one and more.
"""

from __future__ import annotations

from functools import cache
from typing import Any

BETWEEN = "expect_column_values_to_be_between"


def needs_whole_ends(expectation: str, kwargs: dict[str, Any]) -> bool:
    """Whether one of the ends is a whole number that no float is equal to."""
    ends = (kwargs.get("min_value"), kwargs.get("max_value"))
    return expectation == BETWEEN and any(isinstance(end, int) and float(end) != end for end in ends)


@cache
def whole_between() -> Any:
    """The expectation; Great Expectations registers a class when it is made, once a process."""
    from great_expectations.expectations.core import ExpectColumnValuesToBeBetween

    class ExpectColumnValuesToBeWholeBetween(ExpectColumnValuesToBeBetween):
        """Expect each whole number to lie between two whole numbers, these included."""

        min_value: int | None = None
        max_value: int | None = None

    return ExpectColumnValuesToBeWholeBetween
