"""The absolute gate: a model that is not good enough in itself goes no further."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from kilnworks.schemas.decision import Comparand, DecisionRecord
from kilnworks.schemas.words import figure

Use = Literal["value", "low"]


def decide(
    measured: Mapping[str, Mapping[str, Any]],
    lower: Mapping[str, float],
    upper: Mapping[str, float],
    use: Use,
    inputs: Mapping[str, str],
    split: str,
    more: Sequence[Comparand] = (),
) -> DecisionRecord:
    """Hold metrics against limits.

    Args:
        measured: ``{name: {"value", "low", "high"}}`` with every limited name; an undefined one closes the gate.
        lower: smallest value that passes, inclusive, by metric.
        upper: largest value that passes, inclusive, by metric.
        use: ``value`` judges the measured value; ``low`` the worse end of its 95 % interval: the low end
            against a smallest value, the high end against a largest one.
        inputs: fingerprints of what is judged, by name.
        split: where it was measured.
        more: comparisons with other models that were made on the same rows.
    """
    checks = [_check(n, measured[n], limit, use, at_least=True) for n, limit in lower.items()]
    checks += [_check(n, measured[n], limit, use, at_least=False) for n, limit in upper.items()]
    checks += more
    passed = all(check.passed for check in checks)
    limits = [f"{name} at least {limit:g}" for name, limit in lower.items()]
    limits += [f"{name} at most {limit:g}" for name, limit in upper.items()]
    by = "the measured value" if use == "value" else "the worse end of the 95 % interval"
    rules = [f"{' and '.join(limits)} on {split}, judged by {by}"] if limits else []
    rules += [f"on {split}: {', '.join(map(_rule, more))}"] if more else []
    return DecisionRecord(
        gate="evaluation",
        passed=passed,
        rule="; ".join(rules) or "no limits are set",
        checks=tuple(checks),
        next_action=(
            "the model may be exported"
            if passed
            else "nothing is exported; improve the data or the model, or change the evaluation's limits `min` and `max`"
            + (", or `better_than` and `gap`" if more else "")
        ),
        inputs=dict(inputs),
    )


def _rule(check: Comparand) -> str:
    """What a comparison asks for; one that need not be worse or better says so in its note."""
    return f"{check.name} at most {check.wanted}" if check.comparison == "<=" else check.name


def _check(name: str, metric: Mapping[str, Any], limit: float, use: Use, *, at_least: bool) -> Comparand:
    value, low, high = metric["value"], metric["low"], metric["high"]
    if value is None:
        judged, note = None, str(metric.get("reason", ""))
    elif use == "value":
        judged, note = value, f"95 % interval {figure(low)} to {figure(high)}"
    else:
        judged, note = (
            (low if at_least else high),
            f"measured {figure(value)}, the worse end of its 95 % interval counts",
        )
    passed = judged is not None and (judged >= limit if at_least else judged <= limit)
    return Comparand(
        name=name, measured=judged, comparison=">=" if at_least else "<=", wanted=limit, passed=passed, note=note
    )
