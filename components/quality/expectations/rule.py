"""One rule, and the kinds of rules on a column.

A rule is named by an expectation of Great Expectations and its arguments, and knows nothing else of that library.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kilnworks.schemas.contract import Severity
from kilnworks.schemas.magnitudes import FINITE, FLOAT32_MAX, plain
from kilnworks.schemas.words import named

WHOLE = "all"
"""The name under which rules on the whole data set (all splits together) are reported."""

FRAME_TYPES = {"float": "float64", "int": "int64", "bool": "bool", "string": "str", "datetime": "datetime64[us]"}
"""Dtype of the contract -> type of the values in the checked frame, as pandas and NumPy name it."""

CATEGORY = "CategoricalDtypeType"
"""The type of the values where texts are held as categories."""


@dataclass(frozen=True)
class Rule:
    """One thing that must hold.

    Attributes:
        name: unique within a suite, e.g. ``tenure: min to max``.
        expectation: snake-case name in Great Expectations.
        kwargs: its arguments.
        column: the column of the contract that the rule is about; None for the table.
        text: the rule in words, e.g. ``is between 0 and 120``.
        splits: the splits that it holds for; empty for each.
    """

    name: str
    expectation: str
    kwargs: dict[str, Any]
    column: str | None
    text: str
    severity: Severity = "critical"
    description: str = ""
    splits: tuple[str, ...] = field(default=())

    def applies_to(self, split: str) -> bool:
        """Whether the rule is checked on a split."""
        return split in self.splits if self.splits else split != WHOLE


def of_type(name: str, dtype: str, few_valued: bool, severity: Severity, about: str) -> Rule:
    """The values are stored as the contract's dtype; texts held as categories where ``few_valued``."""
    kwargs = {"column": name, "type_": CATEGORY if few_valued else FRAME_TYPES[dtype]}
    return Rule(
        f"{name}: dtype", "expect_column_values_to_be_of_type", kwargs, name, f"is stored as {dtype}", severity, about
    )


def present(name: str, severity: Severity, about: str) -> Rule:
    """No value is missing."""
    return Rule(
        f"{name}: present",
        "expect_column_values_to_not_be_null",
        {"column": name},
        name,
        "is never missing",
        severity,
        about,
    )


def unique(name: str, severity: Severity, about: str) -> Rule:
    """No value stands twice."""
    return Rule(
        f"{name}: unique",
        "expect_column_values_to_be_unique",
        {"column": name},
        name,
        "is never there twice",
        severity,
        about,
    )


def in_set(name: str, allowed: tuple[Any, ...], severity: Severity, about: str) -> Rule:
    """Each value is one of ``allowed``."""
    kwargs = {"column": name, "value_set": list(allowed)}
    return Rule(
        f"{name}: allowed",
        "expect_column_values_to_be_in_set",
        kwargs,
        name,
        f"is one of {listed(allowed)}",
        severity,
        about,
    )


def between(
    name: str, low: float | None, high: float | None, dtype: str, unit: str, severity: Severity, about: str
) -> Iterator[Rule]:
    """A range, inclusive; floats are finite besides, and whole numbers have whole ends.

    Where a broken range is only a warning, that they are finite is a rule of its own.
    """
    apart = severity == "warning" or max(abs(low or 0), abs(high or 0)) > FLOAT32_MAX
    if dtype == "float" and apart:
        yield _finite(name, about)
    finite = dtype == "float" and not apart
    if low is None and high is None and not finite:
        return
    if dtype != "float":
        low, high = None if low is None else math.ceil(low), None if high is None else math.floor(high)
    text = f"is {range_words(low, high, unit)}" if low is not None or high is not None else f"is {FINITE}"
    kwargs = {
        "column": name,
        "min_value": -FLOAT32_MAX if low is None and finite else low,
        "max_value": FLOAT32_MAX if high is None and finite else high,
    }
    yield Rule(f"{name}: range", "expect_column_values_to_be_between", kwargs, name, text, severity, about)


def _finite(name: str, about: str) -> Rule:
    """Always critical: a model cannot answer for an infinite number, whatever is thought of the feature's range."""
    kwargs = {"column": name, "min_value": -FLOAT32_MAX, "max_value": FLOAT32_MAX}
    text = f"is {FINITE}"
    return Rule(f"{name}: finite", "expect_column_values_to_be_between", kwargs, name, text, "critical", about)


def range_words(low: float | None, high: float | None, unit: str) -> str:
    """The ends of a range in words, with what is counted; empty without ends."""
    tail = f" {unit}" if unit else ""
    if low is not None and low == high:
        return f"{plain(low)}{tail}"
    if low is not None and high is not None:
        return f"between {plain(low)} and {plain(high)}{tail}"
    if low is not None:
        return f"at least {plain(low)}{tail}"
    return f"at most {plain(high)}{tail}" if high is not None else ""


def listed(values: tuple[Any, ...]) -> str:
    """Values in words; of many the first twelve and their number."""
    shown = ", ".join(named(str(value)) for value in values[:12])
    return f"{shown}, ... ({len(values)} values)" if len(values) > 12 else shown
