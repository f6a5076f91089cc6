"""The verdicts of the contract's rules, read from ``validation.json`` or from the error of a failed step."""

from dataclasses import dataclass
from typing import Any

from components.reporting.reading import as_dict, as_list, as_number

SAMPLES = 5
"""Sample values shown by rule."""


@dataclass(frozen=True)
class Verdict:
    """One rule on one split.

    Attributes:
        state: ``kept``, ``broken`` (critical), ``warned`` (broken, and only a warning) or ``unchecked`` (the check
            itself crashed).
        column: None for a rule about the table.
        unexpected, checked: rows that break the rule, and rows that were looked at.
        note: anything else a reader needs, such as the measured value or why it could not be checked.
    """

    state: str
    column: str | None
    rule: str
    split: str
    severity: str
    unexpected: float
    checked: float
    samples: list[str]
    note: str
    description: str


def read_verdicts(content: dict[str, Any], state: str | None = None) -> list[Verdict]:
    """Every verdict of a ``validation.json``, whose entries lie in a list or by split.

    Args:
        content: the file.
        state: taken for entries that do not say how they ended.
    """
    found = next((content[k] for k in ("results", "rules", "verdicts", "checks") if content.get(k)), None)
    if found is not None:
        return [_verdict(as_dict(e), "", state) for e in as_list(found)]
    verdicts = []
    for split, entries in as_dict(content.get("splits") or content).items():
        inside = as_dict(entries)
        listed = as_list(entries) or as_list(inside.get("results")) or as_list(inside.get("rules"))
        verdicts += [_verdict(as_dict(e), str(split), state) for e in listed if isinstance(e, dict)]
    return verdicts


def _verdict(entry: dict[str, Any], split: str, state: str | None) -> Verdict:
    severity = str(entry.get("severity") or "critical")
    return Verdict(
        state=_state(entry, severity, state),
        column=str(entry["column"]) if entry.get("column") is not None else None,
        rule=str(entry.get("rule") or entry.get("expectation") or entry.get("type") or "rule"),
        split=str(entry.get("split") or split),
        severity=severity,
        unexpected=as_number(entry.get("unexpected", entry.get("unexpected_count"))) or 0,
        checked=as_number(entry.get("checked", entry.get("element_count"))) or 0,
        samples=[str(s) for s in as_list(entry.get("samples"))[:SAMPLES]],
        note=str(
            entry.get("problem")
            or entry.get("error")
            or entry.get("exception")
            or entry.get("note")
            or _observed(entry)
        ),
        description=str(entry.get("description") or ""),
    )


def _state(entry: dict[str, Any], severity: str, default: str | None) -> str:
    outcome = str(entry.get("outcome") or entry.get("status") or entry.get("verdict") or "").lower()
    crashed = (
        entry.get("crashed")
        or entry.get("exception")
        or outcome in ("error", "crashed", "unchecked", "could not check")
    )
    if crashed:
        return "unchecked"
    success = entry.get("success", entry.get("passed", entry.get("ok")))
    if success is None:
        success = outcome in ("passed", "kept", "ok", "success") if outcome else default == "kept"
    if success:
        return "kept"
    return "warned" if severity != "critical" else "broken"


def _observed(entry: dict[str, Any]) -> str:
    observed = entry.get("observed", entry.get("observed_value"))
    return f"observed {observed}" if observed is not None else ""
