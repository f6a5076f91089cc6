"""The verdicts of the contract's rules, read from ``validation.json`` or from the error of a failed step."""

from dataclasses import dataclass
from typing import Any

from kilnworks.components.charts.scale import label
from kilnworks.components.reporting.reading import RunRecord
from kilnworks.schemas.json_values import as_dict, as_list, as_number

SAMPLES = 5
"""Sample values shown by rule."""


@dataclass(frozen=True)
class Verdict:
    """One rule on one split.

    Attributes:
        state: ``kept``, ``broken`` (critical), ``warned`` (broken, and only a warning) or ``unchecked`` (the check
            itself crashed).
        column: None for a rule about the table.
        rule: in words, e.g. ``is between 0 and 120 months``.
        unexpected, checked: rows that break the rule, and rows that were looked at; 0 where the rule is not about
            single rows.
        observed: what was found, for rules about the whole column.
        problem: why it could not be checked.
    """

    state: str
    column: str | None
    rule: str
    split: str
    unexpected: float
    checked: float
    samples: tuple[str, ...]
    observed: str
    problem: str
    description: str


def read_verdicts(run: RunRecord) -> list[Verdict]:
    """Every rule on every split; where nothing was written, those that a failed step names in its error."""
    outcomes = as_list(run.find("validation.json").get("outcomes"))
    if not outcomes:
        outcomes = [f for step in run.steps for f in as_list(as_dict(step.error.get("details")).get("failures"))]
    return [_verdict(as_dict(outcome)) for outcome in outcomes]


def _verdict(outcome: dict[str, Any]) -> Verdict:
    samples = tuple(str(s) for s in as_list(outcome.get("samples"))[:SAMPLES])
    return Verdict(
        state=_state(outcome),
        column=None if outcome.get("column") is None else str(outcome["column"]),
        rule=str(outcome.get("text") or outcome.get("rule") or ""),
        split=str(outcome.get("split") or ""),
        unexpected=as_number(outcome.get("unexpected")) or 0,
        checked=as_number(outcome.get("checked")) or 0,
        samples=samples,
        observed="" if samples else _plain(outcome.get("observed")),
        problem=str(outcome.get("exception") or ""),
        description=str(outcome.get("description") or ""),
    )


def _state(outcome: dict[str, Any]) -> str:
    if outcome.get("could_not_check"):
        return "unchecked"
    if outcome.get("success"):
        return "kept"
    return "warned" if outcome.get("severity") == "warning" else "broken"


def _plain(value: Any) -> str:
    if value is None:
        return ""
    number = None if isinstance(value, str | bool) else as_number(value)
    return f"found {value if number is None else label(number)}"
