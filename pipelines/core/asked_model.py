"""The live model that a person asks for, or why there is none and what to do about it."""

from collections.abc import Mapping
from typing import Any

from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.promotion import UNASKED
from kilnworks.pipelines.core.store import Run, Store
from kilnworks.schemas.champion import ChampionRecord, read_champion
from kilnworks.schemas.errors import ConfigError, UnknownName


def live_model(store: Store, pipeline: Pipeline) -> ChampionRecord:
    """The model of a pipeline that answers now.

    Raises:
        UnknownName: none is live, and there was no run.
        ConfigError: none is live; says at which gate the newest run ended and by what, or which step failed.
    """
    store.pull(f"champions/{pipeline.name}.json")
    try:
        return read_champion(store.root, pipeline.name)
    except UnknownName:
        runs = store.runs(pipeline.name)
        if not runs:
            raise
        why, fix = why_not_live(pipeline, runs[-1])
        wanted = "a run whose gates are open, or a person who lets its model go live"
        raise ConfigError(f"no model of {pipeline.name!r} is live: {why}", wanted, fix) from None


def why_not_live(pipeline: Pipeline, run: Run) -> tuple[str, str]:
    """What kept the model of a run from going live, and what to do.

    By the first step that a gate stopped or that failed; where there is none, the run did not come to its end.
    """
    resume = f"kilnworks run {pipeline.name} --run-id {run.run_id}"
    for step in pipeline.steps:
        outcome = run.outcome(step.name) or {}
        error, status = dict(outcome.get("error") or {}), outcome.get("outcome")
        if status == "failed":
            failed = f"{step.name} of run {run.run_id} failed: {error.get('got', '')}"
            return failed, f"{error.get('fix') or 'mend it'}; then {resume}"
        if status == "skipped" and not outcome.get("blocked_by"):
            closed = f"run {run.run_id} ended at {step.name}: {outcome.get('reason', '')}"
            return closed, _past(error, pipeline.name, step.name, run)
    return f"run {run.run_id} has not come to its end", f"let it end, or resume it: {resume}"


def _past(error: Mapping[str, Any], pipeline: str, step: str, run: Run) -> str:
    """What gets a model past a gate: what the gate itself says, and how that is done."""
    fix = str(error.get("fix") or "")
    if fix.startswith("kilnworks "):
        unasked = str((error.get("details") or {}).get("gate", "")) in UNASKED
        return f"{fix} makes it live{'' if unasked else ' all the same'}"
    steps = (
        *([fix] if fix else []),
        f"kilnworks report {pipeline} --run {run.run_id} shows what was measured",
        f"settings of {step} are changed in the definition, or for once: "
        f"kilnworks run {pipeline} --set {step}.FIELD=VALUE --promote --reason WHY",
    )
    return "; ".join(steps)
