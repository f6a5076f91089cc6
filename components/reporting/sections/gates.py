"""The gates: what each decided, by which rule and on which numbers."""

from typing import Any

from components.charts.scale import label
from components.reporting.reading import RunRecord, read_object
from schemas.decision import FILE_NAME
from schemas.json_values import as_dict, as_list, as_number


def gates(run: RunRecord) -> list[dict[str, Any]]:
    """Every decision record of the run, in the order of the steps."""
    found = []
    for step, path in reversed(list(run.holding(FILE_NAME))):
        record = read_object(path)
        if record:
            found.append(
                {
                    "step": step.name,
                    "gate": str(record.get("gate") or step.name),
                    "passed": bool(record.get("passed")),
                    "headline": str(record.get("headline") or ""),
                    "rule": str(record.get("rule") or ""),
                    "reason": str(record.get("reason") or ""),
                    "next_action": str(record.get("next_action") or ""),
                    "checks": [_check(as_dict(c)) for c in as_list(record.get("checks"))],
                    "inputs": {str(k): str(v)[:12] for k, v in as_dict(record.get("inputs")).items()},
                }
            )
    return found


def _check(check: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": str(check.get("name") or ""),
        "measured": _plain(check.get("measured")),
        "comparison": {">=": "≥", "<=": "≤", "==": "="}.get(
            str(check.get("comparison")), str(check.get("comparison") or "")
        ),
        "wanted": _plain(check.get("wanted")),
        "passed": bool(check.get("passed")),
        "note": str(check.get("note") or ""),
    }


def _plain(value: Any) -> str:
    if value is None:
        return "undefined"
    number = as_number(value)
    return str(value) if isinstance(value, str | bool) or number is None else label(number)
