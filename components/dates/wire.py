"""Moments as a served model takes them: their unit, and numbers that are in another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

YEAR = 365 * 86_400
MARGIN = 10 * YEAR
"""Seconds before the first and after the last training moment that are in order anyway."""
FIRST, LAST = -62_135_596_800, 253_402_300_799
"""Seconds since 1970 of the first moment of year 1 and the last of year 9999."""
USUAL = (-2_208_988_800, 7_258_118_400)
"""1900 to 2199, where nothing is known of the training rows."""
UNITS = (
    (1e-3, "milliseconds"),
    (1e-6, "microseconds"),
    (1e-9, "nanoseconds"),
    (86_400.0, "days"),
    (1e3, "thousands of seconds"),
    (1e6, "millions of seconds"),
)
"""What a number of another unit is multiplied by to be in seconds."""


@dataclass(frozen=True)
class Span:
    """The moments that the model has seen, in seconds since 1970 UTC.

    Attributes:
        first: the first training moment.
        last: the last one.
    """

    first: int
    last: int

    @property
    def usual(self) -> tuple[int, int]:
        """Moments that surprise nobody: as long before and after as the training rows span, ten years at least."""
        margin = max(MARGIN, self.last - self.first)
        return self.first - margin, self.last + margin


def off_unit(values: np.ndarray[Any, Any], span: Span | None) -> np.ndarray[Any, Any]:
    """Which numbers are no seconds since 1970: outside of the years 1 to 9999, or usual moments in another unit.

    Args:
        values: whole numbers [n].
        span: of the training rows, where it is known.
    """
    seconds = values.astype(np.float64)
    wrong = (seconds < FIRST) | (seconds > LAST)
    if span is not None:
        unusual = ~_within(seconds, span.usual)
        wrong |= unusual & np.any([_within(seconds * factor, span.usual) for factor, _ in UNITS], axis=0)
    return np.asarray(wrong)


def unit_of(value: float, span: Span | None) -> str:
    """The unit in which a number would be a usual moment, as a word; empty where there is none."""
    low, high = span.usual if span is not None else USUAL
    return next((unit for factor, unit in UNITS if low <= value * factor <= high), "")


def _within(seconds: np.ndarray[Any, Any], usual: tuple[int, int]) -> np.ndarray[Any, Any]:
    return np.asarray((seconds >= usual[0]) & (seconds <= usual[1]))
