"""The gates: what each decided, by which rule and on which numbers."""

from typing import Any

from components.charts.scale import label
from components.reporting.reading import RunRecord, read_object
from components.reporting.sections.wording import moment
from schemas.decision import FILE_NAME
from schemas.json_values import as_dict, as_list, as_number


def gates(run: RunRecord) -> list[dict[str, Any]]:
    """Every decision record of the run, in the order of the steps; a person's answer before what its step decided."""
    kept = {step.name: path for step, path in run.holding(FILE_NAME)}
    found = []
    for step in run.steps:
        for path in (run.path / "approvals" / f"{step.name}.json", kept.get(step.name)):
            record = {} if path is None else read_object(path)
            if record:
                found.append(_decision(step.name, record))
    return found


def _decision(step: str, record: dict[str, Any]) -> dict[str, Any]:
    return {
        "step": step,
        "gate": str(record.get("gate") or step),
        "passed": bool(record.get("passed")),
        "headline": str(record.get("headline") or ""),
        "rule": str(record.get("rule") or ""),
        "reason": str(record.get("reason") or ""),
        "next_action": str(record.get("next_action") or ""),
        "answer": _answer(record) if record.get("gate") == "approval" else [],
        "checks": [_check(as_dict(c)) for c in as_list(record.get("checks"))],
        "inputs": {str(k): str(v)[:12] for k, v in as_dict(record.get("inputs")).items()},
    }


def _answer(record: dict[str, Any]) -> list[tuple[str, str]]:
    """Who gave an answer and when, in which words, and the settings that were changed in it."""
    details = as_dict(record.get("details"))
    settings = [f"{name} = {value}" for name, value in as_dict(details.get("settings")).items()]
    told = {
        "by": str(details.get("by") or ""),
        "at": moment(str(record.get("at") or "")),
        "comment": str(details.get("comment") or ""),
        "changed": ", ".join(settings),
    }
    return [(name, text) for name, text in told.items() if text]


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
