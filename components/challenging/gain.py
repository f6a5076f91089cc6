"""A difference between two models on the same rows, as every way of measuring it tells it; without numpy."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Gain:
    """By how much the new model is better, in the unit of the metric; negative: worse.

    Attributes:
        value: measured.
        low, high: the gain is at least, and at most, so large; each with the confidence asked for.
        method: how the bounds came about.
    """

    value: float
    low: float
    high: float
    method: str
