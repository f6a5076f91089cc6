"""The rules that a contract states on one value, each as one object: written once here, read by every back end.

Back ends: frames (``quality/row_rules.py``, which ``contract check`` and quarantine use), arrays of a request
(``serving/request_check.py``), Great Expectations (``quality/rules.py``). Each takes a rule by its class and ends with
``assert_never``, so that a new kind of rule is an error of the type checker wherever it is not known yet.

All but ``Present`` hold for the values that are there; a missing value (null, NaN, an empty text) breaks only
``Present``. Of a value with a shape every element counts.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from kilnworks.schemas.columns import NUMERIC
from kilnworks.schemas.contract import Contract, Feature, Scalar, Severity
from kilnworks.schemas.magnitudes import FINITE, plain
from kilnworks.schemas.words import named

SHOWN = 10
"""Most allowed values that words list."""


@dataclass(frozen=True)
class Present:
    """A value is there."""


@dataclass(frozen=True)
class Finite:
    """No number is infinite or beyond float32, in which a model computes; always critical."""


@dataclass(frozen=True)
class AtLeast:
    """Smallest number, inclusive."""

    value: float
    unit: str = ""


@dataclass(frozen=True)
class AtMost:
    """Largest number, inclusive."""

    value: float
    unit: str = ""


@dataclass(frozen=True)
class OneOf:
    """The only values."""

    values: tuple[Scalar, ...]


@dataclass(frozen=True)
class LongEnough:
    """Fewest characters (code points) of a text."""

    length: int


@dataclass(frozen=True)
class ShortEnough:
    """Most characters (code points) of a text."""

    length: int


@dataclass(frozen=True)
class Matches:
    """A regular expression that a text matches from its start; see ``patterns``."""

    pattern: str


ValueRule = Present | Finite | AtLeast | AtMost | OneOf | LongEnough | ShortEnough | Matches


def value_rules(feature: Feature) -> Iterator[ValueRule]:
    """The rules of a feature that one value can break by itself, in the order in which they are reported."""
    if feature.dtype == "float":
        yield Finite()
    if not feature.nullable:
        yield Present()
    if feature.dtype in NUMERIC and feature.min is not None:
        yield AtLeast(feature.min, feature.unit)
    if feature.dtype in NUMERIC and feature.max is not None:
        yield AtMost(feature.max, feature.unit)
    if feature.allowed is not None:
        yield OneOf(feature.allowed)
    if feature.min_length is not None:
        yield LongEnough(feature.min_length)
    if feature.max_length is not None:
        yield ShortEnough(feature.max_length)
    if feature.regex is not None:
        yield Matches(feature.regex)


def severity_of(rule: ValueRule, feature: Feature) -> Severity:
    """How bad it is to break a rule of a feature: no model can answer for an infinite number, whatever it says."""
    return "critical" if isinstance(rule, Finite) else feature.severity


def words(rule: ValueRule) -> str:
    """What a rule asks, e.g. ``at least 18 years``."""
    match rule:
        case Present():
            return "not missing"
        case Finite():
            return FINITE
        case AtLeast(value, unit):
            return f"at least {plain(value)}{_unit(unit)}"
        case AtMost(value, unit):
            return f"at most {plain(value)}{_unit(unit)}"
        case OneOf(values):
            shown = ", ".join(named(str(v)) for v in values[:SHOWN])
            return f"one of {shown}" + (", ..." if len(values) > SHOWN else "")
        case LongEnough(length):
            return f"at least {length} characters"
        case ShortEnough(length):
            return f"at most {length} characters"
        case Matches(pattern):
            return f"matching {pattern}"


def learned_columns(contract: Contract) -> dict[str, Feature]:
    """The columns of a row that a model learns from, as features: key and time, the features, the label.

    Key, time and label are never missing, and always critical; a row without one is a bad row like any other.
    """
    columns: dict[str, Feature] = {}
    for name in (contract.key, contract.time):
        if name is not None:
            columns[name] = Feature(dtype="string")
    columns |= contract.features
    if contract.label is not None:
        label = contract.label
        if label.several:
            columns[label.name] = Feature(dtype="string", regex=label.pattern, description=label.description)
            return columns
        columns[label.name] = Feature(
            dtype=label.dtype,
            allowed=label.classes,
            min=label.min,
            max=label.max,
            unit=label.unit,
            description=label.description,
        )
    return columns


def _unit(unit: str) -> str:
    return f" {unit}" if unit else ""
