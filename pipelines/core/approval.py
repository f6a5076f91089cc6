"""A person's yes or no before a step: what is asked, and the record of the answer.

The answer lies in the run as ``approvals/<step>.json``: a decision record with who said it, and the settings that were
changed in saying it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.core.graph import Pipeline
from pipelines.core.owner import require_owner
from pipelines.core.store import Run, now
from schemas.artifacts import Evaluation
from schemas.champion import ChampionRecord, read_champion
from schemas.decision import DecisionRecord
from schemas.errors import UnknownName
from schemas.files import read_json, write_json

FOLDER = "approvals"


def question(pipeline: Pipeline, run: Run) -> str:
    """What the person is shown, in Markdown: each metric of the champion beside that of this run, with its interval."""
    mine = _metrics(pipeline, run)
    champion = _champion(pipeline, run)
    theirs = {} if champion is None else _metrics(pipeline, run.store.run(pipeline.name, champion.run_id))
    live = "There is no champion yet."
    if champion is not None:
        live = f"The champion is version {champion.version}, of run `{champion.run_id}`."
    names = list(dict.fromkeys([*mine, *theirs]))
    rows = [_row(name, theirs.get(name), mine.get(name)) for name in names]
    table = ["| metric | champion | this run | change |", "|---|---|---|---|", *rows]
    return "\n".join([live, "", *(table if rows else ["This run has no evaluation."])])


def record_answer(
    run: Run, step: str, *, approved: bool, by: str, comment: str, settings: Mapping[str, Any]
) -> DecisionRecord:
    """Keep the answer; a step that was refused is recorded as skipped.

    Args:
        run: whose step it is.
        step: the step.
        approved: the answer.
        by: who gave it, or why nobody did.
        comment: what they said; may be empty.
        settings: changed settings, e.g. ``{"deployment.keep": 5}``.
    """
    require_owner(run.store, f"answering for {step} of {run.pipeline}")
    said = f": {comment}" if comment else ""
    record = DecisionRecord(
        gate="approval",
        passed=approved,
        rule=f"a person approves {step}",
        reason=f"{'approved' if approved else 'rejected'} by {by}{said}",
        next_action=f"{step} runs" if approved else "the champion stays",
        details={"step": step, "by": by, "comment": comment, "settings": dict(settings)},
    )
    path = run.path / FOLDER / f"{step}.json"
    write_json(path, {"at": now(), **record.record()}, durable=True)
    run.store.push(path.relative_to(run.store.root).as_posix())
    if not approved:
        run.record(step, "skipped", seconds=0.0, reason=record.headline)
    return record


def answer(run: Run, step: str) -> DecisionRecord | None:
    """The answer that was given for a step of a run, None where none was."""
    path = run.path / FOLDER / f"{step}.json"
    run.store.pull(path.relative_to(run.store.root).as_posix())
    if not path.is_file():
        return None
    return DecisionRecord.model_validate({k: v for k, v in read_json(path).items() if k not in ("at", "headline")})


def approved_settings(run: Run, steps: Sequence[str]) -> dict[str, Any]:
    """Settings that were changed in approving any of the steps."""
    found: dict[str, Any] = {}
    for step in steps:
        given = answer(run, step)
        if given is not None:
            found |= given.details["settings"]
    return found


def _champion(pipeline: Pipeline, run: Run) -> ChampionRecord | None:
    try:
        run.store.pull(f"champions/{pipeline.name}.json")
        return read_champion(run.store.root, pipeline.name)
    except UnknownName:
        return None


def _metrics(pipeline: Pipeline, run: Run) -> dict[str, dict[str, float]]:
    """Metric -> value and interval, of the evaluation of a run; empty where it has none."""
    for step in pipeline.steps:
        if issubclass(step.signature.result, Evaluation) and run.manifest(step.name) is not None:
            return dict(Evaluation(run.step_path(step.name)).results.get("metrics", {}))
    return {}


def _row(name: str, theirs: Mapping[str, Any] | None, mine: Mapping[str, Any] | None) -> str:
    return f"| {name} | {_figure(theirs)} | {_figure(mine)} | {_change(theirs, mine)} |"


def _figure(metric: Mapping[str, Any] | None) -> str:
    if metric is None or metric.get("value") is None:
        return ""
    low, high = metric.get("low"), metric.get("high")
    return f"{metric['value']:.4f}" + (f" ({low:.4f} to {high:.4f})" if low is not None and high is not None else "")


def _change(theirs: Mapping[str, Any] | None, mine: Mapping[str, Any] | None) -> str:
    if theirs is None or mine is None or theirs.get("value") is None or mine.get("value") is None:
        return ""
    return f"{mine['value'] - theirs['value']:+.4f}"
