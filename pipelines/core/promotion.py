"""Whether a run may put its model live. Asked before every step that publishes, wherever it runs.

::

    approval   the definition wants a person's yes: there is one in this run
    wish       the run was told to train only: closed            asked for by name: the next two are not judged
    trial      settings differ from the definition: closed
    order      the model is older than the champion: closed      (a run made again, an older window, an old artifact)
    challenge  on the same rows it is worse than the champion: closed, unless a person has said yes
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from kilnworks.components.retraining import ledger
from kilnworks.components.sources.window import Window
from kilnworks.pipelines.core.approval import NOBODY, answer, approved_settings
from kilnworks.pipelines.core.challenge import NOT_ASKED, challenge, challenged_step, gate, known, same_model
from kilnworks.pipelines.core.evaluated import champion_of
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.store import Run, order_of
from kilnworks.pipelines.core.windows import FIELD as WINDOW
from kilnworks.schemas.champion import Decided, moves
from kilnworks.schemas.decision import DecisionRecord
from kilnworks.schemas.errors import StepSkipped
from kilnworks.schemas.files import read_json

AUTO, NEVER, ASKED = "auto", "train only", "promote"
WISHES = (AUTO, NEVER, ASKED)
"""What a run may be told about going live."""
ORDER = "nothing older than the champion takes its place unless it is asked for"
UNASKED_YET = "nobody has approved it in this run"
UNASKED = ("trial", NEVER)
"""Gates that close because nobody asked for more: the run has done what it was to do."""


def wish(kind: str, by: str = "", reason: str = "") -> dict[str, str]:
    """What ``run.json`` holds as ``live``."""
    return {"wish": kind, "by": by, "reason": reason}


def permission(pipeline: Pipeline, step: Step, run: Run) -> tuple[Decided, DecisionRecord | None]:
    """Who lets a step go on, and the record of the gate that is closed, if one is.

    Args:
        pipeline: the definition, configured.
        step: the one that is about to run.
        run: whose step it is.
    """
    decided, closed = _approval(pipeline, step, run)
    if not step.signature.result.outside:
        return decided, closed
    if closed is not None:
        return decided, _with_figures(closed, pipeline, step, run)
    record = _record(run)
    live = record.get("live") or wish(AUTO)
    if live["wish"] == NEVER:
        return decided, _closed(run, NEVER, "a run that was told to train only publishes nothing", "it was told so")
    if live["wish"] == ASKED:
        return Decided("promote", live["by"], live["reason"], _by_name(pipeline, step, run)), None
    closed = _trial(step, run, record, pipeline) or _order(step, run)
    return (decided, closed) if closed is not None else _challenge(decided, pipeline, step, run)


def permit(pipeline: Pipeline, step: Step, run: Run, out: Path) -> Decided:
    """Who lets a step go on. Raises ``StepSkipped`` where a gate is closed, its record written to ``out``."""
    decided, closed = permission(pipeline, step, run)
    if closed is not None:
        closed.write(out)
        raise StepSkipped(closed.headline, closed.rule, closed.next_action, closed.record())
    return decided


def _approval(pipeline: Pipeline, step: Step, run: Run) -> tuple[Decided, DecisionRecord | None]:
    unit = next(unit for unit in pipeline.units() if step.name in (s.name for s in unit.steps))
    if unit.task.approval is None:
        return Decided(), None
    first = unit.steps[0].name
    given = answer(run, first)
    if given is not None and given.passed:
        return Decided("deploy", str(given.details["by"]), given.reason), None
    reason = UNASKED_YET if given is None else given.reason
    command = f"kilnworks run {run.pipeline} --run-id {run.run_id} --approve --reason WHY"
    record = DecisionRecord(
        gate="approval", passed=False, rule=f"a person approves {first}", reason=reason, next_action=command
    )
    return Decided(), record


def _with_figures(closed: DecisionRecord, pipeline: Pipeline, step: Step, run: Run) -> DecisionRecord:
    """The record of a step that waits for a person, with how both models did on the same rows."""
    if closed.reason != UNASKED_YET or challenged_step(pipeline, run) is None:
        return closed
    found = challenge(pipeline, step, run)
    return closed.model_copy(update={"reason": f"{closed.reason}; {found.text}", "details": found.record()})


def _challenge(decided: Decided, pipeline: Pipeline, step: Step, run: Run) -> tuple[Decided, DecisionRecord | None]:
    """The champion is challenged; a person who has said yes in the knowledge of it is not overruled."""
    found = challenge(pipeline, step, run)
    decided = replace(decided, challenge=found.record())
    by_person = decided.by not in (Decided().by, NOBODY)
    return decided, None if found.live or by_person else gate(step, run, found)


def _by_name(pipeline: Pipeline, step: Step, run: Run) -> dict[str, Any]:
    """What is known of the challenge of a model that a person asked for; nothing is measured for it."""
    found = known(pipeline, step, run)
    return (
        NOT_ASKED if found is None else replace(found, text=f"{found.text}; a person asked for it by name")
    ).record()


def _trial(step: Step, run: Run, record: Mapping[str, Any], pipeline: Pipeline) -> DecisionRecord | None:
    """Closed where the run has other settings than its definition: none of the data that it was started for."""
    expected = {name for name in record.get("differs", []) if name.endswith(f".{WINDOW}")}
    expected |= set(approved_settings(run, [s.name for s in pipeline.steps]))
    retrain = pipeline.operations.retrain
    if retrain is not None and _was_ordered(run):
        expected.add(retrain.setting)
    differs = [n for n in record.get("differs", []) if n not in expected and not _how_published(n, step)]
    if not differs:
        return None
    return _closed(
        run,
        "trial",
        "a run with other settings than its definition publishes nothing unless it is asked for",
        f"other settings than the definition's: {', '.join(differs)}",
    )


def _how_published(setting: str, step: Step) -> bool:
    """Whether a setting says how the step publishes; the rule by which it may is another matter."""
    return setting.startswith(f"{step.name}.") and not setting.startswith(f"{step.name}.challenge")


def _was_ordered(run: Run) -> bool:
    """Whether the run was started for new data that had landed."""
    return any(batch.run_id == run.run_id for batch in ledger.read(run.store.root, run.pipeline).batches)


def _order(step: Step, run: Run) -> DecisionRecord | None:
    """Closed where the champion is of newer rows, or of a newer run, than what would be published."""
    champion = champion_of(run)
    if champion is None or champion.run_id == run.run_id:
        return None
    theirs = run.store.run(run.pipeline, champion.run_id)
    makers = _makers(step, run)
    if same_model(step, run, theirs):
        return None
    mine = min(makers, key=lambda maker: order_of(_record(maker)))
    instead = f"the champion, version {champion.version} of run {champion.run_id}"
    if mine.run_id in {move["run_id"] for move in moves(run.store.root, run.pipeline)}:
        return _closed(
            run, "order", ORDER, f"the model of run {mine.run_id} was live before, and gave way to {instead}"
        )
    ends = _window_end(mine), _window_end(theirs)
    began, numbers = (_started(mine), _started(theirs) or champion.since), (_number(mine), _number(theirs))
    if all(ends) and ends[0] != ends[1]:
        is_older, facts = ends[0] < ends[1], f"its rows end {ends[0]}, there {ends[1]}"
    elif all(numbers):  # clocks may have gone back
        is_older, facts = numbers[0] < numbers[1], f"it was run number {numbers[0]}, that one number {numbers[1]}"
    else:
        is_older, facts = began[0] < began[1], f"the run that made it began {began[0]}, there {began[1]}"
    if not began[0] or not is_older:
        return None
    which = "this run" if mine.run_id == run.run_id else f"run {mine.run_id}, whose artifact this one took"
    return _closed(run, "order", ORDER, f"{which} is older than {instead}: {facts}")


def _makers(step: Step, run: Run) -> list[Run]:
    """The runs that made what the step is given; this one where that is not known."""
    manifests = [run.manifest(name) or {} for name in step.upstream()]
    makers = [run.store.run(run.pipeline, str(m.get("run_id", run.run_id))) for m in manifests]
    return [maker for maker in makers if _started(maker)] or [run]


def _record(run: Run) -> dict[str, Any]:
    path = run.path / "run.json"
    return dict(read_json(path)) if path.is_file() else {}


def _started(run: Run) -> str:
    return str(_record(run).get("started", ""))


def _number(run: Run) -> int:
    """Which of its pipeline's runs it is, from 1; 0 where that was not written."""
    return int(_record(run).get("number", 0))


def _window_end(run: Run) -> str:
    """Where the rows of a run end in time; empty where it took all."""
    overrides = _record(run).get("overrides", {})
    windows = [
        Window.model_validate(value) for name, value in overrides.items() if name.endswith(f".{WINDOW}") and value
    ]
    return min((str(window.identity()["end"]) for window in windows), default="")


def _closed(run: Run, gate: str, rule: str, reason: str) -> DecisionRecord:
    return DecisionRecord(
        gate=gate,
        passed=False,
        rule=rule,
        reason=reason,
        next_action=f"kilnworks promote {run.pipeline} --run {run.run_id}",
    )
