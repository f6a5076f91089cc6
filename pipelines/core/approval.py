"""A person's yes or no before a step: the record of the answer. What is asked stands in ``question``.

The answer lies in the run as ``approvals/<step>.json``: a decision record with when it was given and who said it, and
the settings that were changed in saying it. ``approvals/<step>.asked.json`` says since when it is waited for.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from kilnworks.pipelines.core.owner import require_owner
from kilnworks.pipelines.core.store import Run, now
from kilnworks.schemas.access import private_files
from kilnworks.schemas.decision import DecisionRecord
from kilnworks.schemas.files import read_json, write_json

FOLDER = "approvals"
NOBODY = "nobody in time"
"""Who gave the answer that the definition gives where no person did."""


@private_files()
def record_question(run: Run, step: str) -> None:
    """Keep since when a person is asked for a step, so that tables of runs can say what a run waits for."""
    require_owner(run.store, f"asking for {step} of {run.pipeline}")
    path = run.path / FOLDER / f"{step}.asked.json"
    write_json(path, {"at": now(), "step": step}, durable=True)
    run.store.push(path.relative_to(run.store.root).as_posix())


@private_files()
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
