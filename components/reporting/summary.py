"""A run in a few values, for tables on the command line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kilnworks.components.reporting.reading import RunRecord, read_object, read_run
from kilnworks.schemas.json_values import as_dict, as_list, as_number

METRICS = 5
"""Most metrics in a line."""


def run_summary(run_dir: Path) -> dict[str, Any]:
    """The run in ``run_dir`` in a few JSON-serializable values.

    Returns:
        ``{"pipeline", "run_id", "started", "outcome", "seconds", "steps": {name: outcome}, "metrics": {name: value},
        "champion": bool, "version": int | None, "challenge": str, "reason": str, "report": path | None}``. Of these
        ``outcome`` is done, skipped, failed, running, unfinished or empty; ``champion`` is true while the model of this
        run is the live one; ``challenge`` is what came of comparing it with the champion of its time, e.g. ``worse``.
    """
    run = read_run(run_dir)
    deployment = run.find("deployment.json")
    report = run_dir / "report.html"
    return {
        "pipeline": str(run.run.get("pipeline") or run_dir.parent.name),
        "run_id": str(run.run.get("run_id") or run_dir.name),
        "started": str(run.run.get("started") or ""),
        "outcome": run.outcome,
        "seconds": round(run.seconds, 3),
        "steps": {step.name: step.outcome for step in run.steps},
        "metrics": metric_values(run),
        "champion": is_champion(run),
        "version": deployment.get("version"),
        "challenge": _challenge(run),
        "verdict": verdict(run),
        "headline": headline(run),
        "reason": next((s.reason for s in run.steps if s.outcome in ("failed", "skipped") and s.reason), ""),
        "report": str(report) if report.is_file() else None,
    }


def _challenge(run: RunRecord) -> str:
    """The verdict of the last challenge that the model of a run has made; empty where it made none."""
    records = [read_object(run.path / "challenges" / f"{step.name}.json") for step in run.steps]
    verdicts = [str(as_dict(record.get("details")).get("verdict") or "") for record in records if record]
    return verdicts[-1] if verdicts else ""


def verdict(run: RunRecord) -> str:
    """What became of a run in a word or two: live, published, failed, a gate that stopped it, or what it waits for."""
    if is_champion(run):
        return "live"
    if run.outcome in ("failed", "running", "empty"):
        return {"empty": "not begun"}.get(run.outcome, run.outcome)
    if run.find("deployment.json").get("version") is not None:
        return "published"
    if waits_for_approval(run):
        return "waits for approval"
    closed = [record for record in _decisions(run) if record.get("passed") is False]
    gate = str(closed[0].get("gate") or "a gate") if closed else ""
    return f"stopped: {gate}" if gate else {"done": "trained"}.get(run.outcome, run.outcome)


def waits_for_approval(run: RunRecord) -> bool:
    """Whether a person was asked for a step that has neither an answer nor an outcome."""
    asked = [s.name for s in run.steps if s.outcome == "waiting" and _aside(run, f"{s.name}.asked")]
    return any(not _aside(run, name) for name in asked)


def headline(run: RunRecord) -> str:
    """The metric that a run is told by: the first that its gate judged, else the first that was measured."""
    measured = metric_values(run)
    judged = [as_dict(check).get("name") for r in _decisions(run) for check in as_list(r.get("checks"))]
    return next((str(name) for name in [*judged, *measured] if name in measured), "")


def result_line(summary: Mapping[str, Any]) -> str:
    """Verdict, version and metrics in one line, for a log or a note; empty where there is nothing to tell.

    >>> result_line({"verdict": "live", "version": 3, "metrics": {"auc": 0.81234}, "headline": "auc"})
    'live, version 3, auc 0.8123'
    """
    version = [] if summary["version"] is None else [f"version {summary['version']}"]
    names = [name for name in (summary["headline"], *summary["metrics"]) if name]
    metrics = [f"{name} {summary['metrics'][name]:.4f}" for name in list(dict.fromkeys(names))[:METRICS]]
    told = [*version, *metrics]
    return ", ".join([summary["verdict"], *told]) if told else ""


def _decisions(run: RunRecord) -> list[dict[str, Any]]:
    """The records of the gates, in the order of the steps; a person's answer after that of its step."""
    kept = [read_object(step.folder / "decision.json") if step.folder is not None else {} for step in run.steps]
    answers = [_aside(run, step.name) for step in run.steps]
    return [record for pair in zip(kept, answers, strict=True) for record in pair if record]


def _aside(run: RunRecord, name: str) -> dict[str, Any]:
    return read_object(run.path / "approvals" / f"{name}.json")


def metric_values(run: RunRecord) -> dict[str, float]:
    """The measured metrics that are defined."""
    found = as_dict(run.find("evaluation.json").get("metrics"))
    values = {name: as_number(as_dict(metric).get("value")) for name, metric in found.items()}
    return {name: value for name, value in values.items() if value is not None}


def is_champion(run: RunRecord) -> bool:
    """Whether the pipeline's champion pointer names this run, or the version that this run has published."""
    pipeline = str(run.run.get("pipeline") or run.path.parent.name)
    pointer = read_object(run.path.parents[2] / "champions" / f"{pipeline}.json")
    if not pointer:
        return False
    deployment = run.find("deployment.json")
    same_run = pointer.get("run_id") in (run.run.get("run_id"), run.path.name)
    return same_run or (bool(deployment) and pointer.get("path") == deployment.get("path"))
