"""The gates: what each decided, by which rule and on which numbers."""

from typing import Any

from kilnworks.components.charts.scale import label
from kilnworks.components.reporting.reading import RunRecord, read_object
from kilnworks.components.reporting.sections.wording import metric_label, moment
from kilnworks.schemas.decision import FILE_NAME
from kilnworks.schemas.json_values import as_dict, as_list, as_number
from kilnworks.schemas.words import figure, signed


def gates(run: RunRecord) -> list[dict[str, Any]]:
    """Every decision record of the run, in the order of the steps: the challenge, a person's answer, the step's own.

    Of two records of one gate the later one.
    """
    kept = {step.name: path for step, path in run.holding(FILE_NAME)}
    found = []
    for step in run.steps:
        aside = [run.path / folder / f"{step.name}.json" for folder in ("challenges", "approvals")]
        read = [read_object(path) for path in (*aside, kept.get(step.name)) if path is not None]
        by_gate = {str(record.get("gate")): record for record in read if record}
        found += [_decision(step.name, record) for record in by_gate.values()]
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
        "models": _models(as_dict(record.get("details"))) if record.get("gate") == "challenge" else None,
        "answer": _answer(record) if record.get("gate") == "approval" else [],
        "checks": [_check(as_dict(c)) for c in as_list(record.get("checks"))],
        "inputs": {str(k): str(v)[:12] for k, v in as_dict(record.get("inputs")).items()},
    }


def _models(found: dict[str, Any]) -> dict[str, Any] | None:
    """The champion and its challenger side by side; None where they could not be measured."""
    names = ("champion", "challenger", "difference", "low", "high", "margin", "level", "rows")
    values = {name: number for name in names if (number := as_number(found.get(name))) is not None}
    if len(values) < len(names):
        return None
    against = as_dict(found.get("against"))
    return {
        "metric": metric_label(str(found.get("metric"))),
        "champion": figure(values["champion"]),
        "challenger": figure(values["challenger"]),
        "difference": signed(values["difference"], 4),
        "bounds": f"{signed(values['low'], 4)} to {signed(values['high'], 4)}",
        "margin": figure(values["margin"], 3),
        "level": f"{100 * values['level']:g} %",
        "rows": f"{values['rows']:,.0f}",
        "unit": str(found.get("unit") or "rows"),
        "live": f"version {against.get('version')}, run {against.get('run_id')}",
        "verdict": str(found.get("verdict") or ""),
        "method": str(found.get("method") or ""),
        "slices": [told for one in as_list(found.get("slices")) if (told := _slice(as_dict(one)))],
    }


def _slice(one: dict[str, Any]) -> dict[str, Any] | None:
    """Both models on a slice of the rows; None where its record is damaged."""
    names = ("champion", "challenger", "difference", "low", "high", "rows", "shows")
    values = {name: number for name in names if (number := as_number(one.get(name))) is not None}
    if len(values) < len(names):
        return None
    return {
        "where": f"{one.get('column')}: {one.get('value')}",
        "rows": f"{values['rows']:,.0f}",
        "champion": figure(values["champion"]),
        "challenger": figure(values["challenger"]),
        "difference": signed(values["difference"], 4),
        "bounds": f"{signed(values['low'], 4)} to {signed(values['high'], 4)}",
        "shows": figure(values["shows"], 2),
        "verdict": str(one.get("verdict") or ""),
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
