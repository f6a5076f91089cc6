"""The top of the report: what ran, how it ended, and the few numbers that matter most."""

import textwrap
from typing import Any

from kilnworks.components.charts.scale import label, seconds_text
from kilnworks.components.reporting.reading import RunRecord, StepRecord
from kilnworks.components.reporting.results import headlines
from kilnworks.components.reporting.sections.wording import metric_label, moment
from kilnworks.components.reporting.summary import is_champion
from kilnworks.schemas.json_values import as_dict, as_number
from kilnworks.schemas.words import figure

HEADLINES = {
    "done": "finished",
    "failed": "failed",
    "skipped": "stopped at a gate",
    "running": "running",
    "unfinished": "not finished",
    "empty": "not started",
}

UNPUBLISHED = {"trial": "a trial, finished", "train only": "trained, as asked"}
"""The gates that close because nobody asked for more, and how a run that ends there has ended."""


def overview(run: RunRecord) -> dict[str, Any]:
    """Title, outcome, command and tiles."""
    unpublished = _unpublished(run)
    return {
        "pipeline": str(run.run.get("pipeline") or run.path.parent.name),
        "run_id": str(run.run.get("run_id") or run.path.name),
        "started": moment(str(run.run.get("started") or "")),
        "trigger": str(run.run.get("trigger") or ""),
        "command": str(run.run.get("command") or ""),
        "overrides": {str(k): str(v) for k, v in as_dict(run.run.get("overrides")).items()},
        "outcome": run.outcome,
        "headline": unpublished or HEADLINES[run.outcome],
        "resumes": run.outcome in ("failed", "skipped", "unfinished") and not unpublished,
        "description": str(run.contract.get("description") or ""),
        "tiles": _tiles(run),
        "live": run.outcome == "running",
    }


def _unpublished(run: RunRecord) -> str:
    """How a run has ended that did all that was asked and was not to publish; empty for every other run."""
    gates = [str(as_dict(as_dict(s.error).get("details")).get("gate")) for s in run.steps if s.outcome == "skipped"
             and not s.record.get("blocked_by")]  # fmt: skip
    ended = run.outcome == "skipped" and bool(gates) and all(gate in UNPUBLISHED for gate in gates)
    return UNPUBLISHED[gates[0]] if ended else ""


def problems(run: RunRecord) -> list[dict[str, Any]]:
    """Every step that failed or closed a gate: what was got, wanted, and what to do."""
    found = []
    for step in run.steps:
        if step.outcome in ("failed", "skipped") and step.error:
            first, _, rest = str(step.error.get("got") or step.reason).partition("\n")
            found.append(
                {
                    "step": step.name,
                    "outcome": step.outcome,
                    "type": str(step.error.get("type") or ""),
                    "got": first,
                    "more": textwrap.dedent(rest),
                    "wanted": str(step.error.get("wanted") or ""),
                    "fix": str(step.error.get("fix") or ""),
                }
            )
    return found


def progress(step: StepRecord) -> dict[str, Any] | None:
    """How far a running step has come, for a bar; None where it has not said."""
    given = as_dict(step.record.get("progress"))
    done, total = as_number(given.get("done")), as_number(given.get("total"))
    if step.outcome != "running" or done is None:
        return None
    eta = as_number(given.get("eta_seconds"))
    worked, left = as_number(given.get("worked")), as_number(given.get("left"))
    if eta is None and worked and left is not None and step.seconds:
        eta = step.seconds * left / worked
    elif eta is None and total and done > 0 and step.seconds:
        eta = step.seconds * max(total - done, 0) / done
    share = min(max(done / total, 0.0), 1.0) if total else None
    counted = f"{label(done)} of {label(total)}" if total else label(done)
    note = " · ".join(
        filter(None, (counted, str(given.get("note") or ""), f"{seconds_text(eta)} left" if eta else None))
    )
    return {"share": share, "note": note}


def _tiles(run: RunRecord) -> list[dict[str, str]]:
    tiles = []
    evaluation = run.find("evaluation.json")
    metrics = as_dict(evaluation.get("metrics"))
    for name in headlines(evaluation):
        metric = as_dict(metrics.get(name))
        value, low, high = (as_number(metric.get(k)) for k in ("value", "low", "high"))
        if value is not None:
            note = f"{label(round(low, 4))} to {label(round(high, 4))}" if low is not None and high is not None else ""
            tiles.append({"label": metric_label(name), "value": figure(value), "note": note})
    share, positive = as_number(evaluation.get("prevalence")), evaluation.get("positive")
    if share is not None and positive:
        note = f"of the {evaluation.get('split', '')} rows; the metrics are about it"
        tiles.append({"label": str(positive), "value": f"{share:.1%}", "note": note})
    rows = {
        name: as_number(as_dict(s).get("rows")) for name, s in as_dict(run.find("examples.json").get("splits")).items()
    }
    if rows:
        note = " · ".join(f"{name} {label(count or 0)}" for name, count in rows.items())
        tiles.append({"label": "Rows", "value": f"{sum(r or 0 for r in rows.values()):,.0f}", "note": note})
    deployment = run.find("deployment.json")
    if deployment:
        note = "champion" if is_champion(run) else "no longer the champion"
        tiles.append({"label": "Version", "value": str(deployment.get("version", "")), "note": note})
    counts = {
        o: sum(s.outcome == o for s in run.steps) for o in ("done", "cached", "skipped", "failed", "running", "waiting")
    }
    note = " · ".join(f"{n} {o}" for o, n in counts.items() if n)
    tiles.append({"label": "Time", "value": seconds_text(run.seconds), "note": note})
    return tiles
