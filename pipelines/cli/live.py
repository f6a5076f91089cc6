"""What goes live, by hand: ``promote``, ``rollback``, and the answers that ``run`` asks for or is given."""

import getpass
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from kilnworks.pipelines.cli.console import Console
from kilnworks.pipelines.cli.quiet import quiet_libraries
from kilnworks.pipelines.cli.settings import StoreUrl
from kilnworks.pipelines.core.after_run import finish_run, report_replaced
from kilnworks.pipelines.core.approval import answer, record_answer
from kilnworks.pipelines.core.asked_model import why_not_live
from kilnworks.pipelines.core.challenge import NOT_ASKED
from kilnworks.pipelines.core.compare import compare_and_challenge as measure_champion
from kilnworks.pipelines.core.compare import unmeasured
from kilnworks.pipelines.core.events import Status
from kilnworks.pipelines.core.execute import run_step
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.owner import require_owner
from kilnworks.pipelines.core.promotion import ASKED, AUTO, NEVER, UNASKED, WISHES, wish
from kilnworks.pipelines.core.question import question, require_evaluation
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import Run, open_store
from kilnworks.pipelines.craft.compressing import SMALLER, as_begun
from kilnworks.schemas.access import private_files
from kilnworks.schemas.artifacts import Deployment
from kilnworks.schemas.champion import ChampionRecord, Decided, read_champion
from kilnworks.schemas.errors import ConfigError, KilnworksError, StoreError
from kilnworks.schemas.files import read_json
from kilnworks.schemas.wire import HIDDEN

LIVE_VARIABLE = "KILNWORKS_LIVE"
"""What an orchestrator was told about going live: ``auto``, ``train only`` or ``promote``."""
BY_VARIABLE = "KILNWORKS_BY"
"""The person who started the run there."""

Name = Annotated[str, typer.Argument(help="Name of the pipeline.", show_default=False)]
Promote = Annotated[bool, typer.Option("--promote", help="Let the model go live though the run is a trial or older.")]
TrainOnly = Annotated[bool, typer.Option("--train-only", help="Publish nothing.")]
Approve = Annotated[bool, typer.Option("--approve", help="Approve what the definition wants a person to approve.")]
By = Annotated[
    str | None, typer.Option("--by", envvar=BY_VARIABLE, help="Who decides [default: the name you are logged in by]")
]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the decision record.")]


@private_files()
def promote(
    name: Name,
    run_id: Annotated[str, typer.Option("--run", help="The run whose model goes live.", show_default=False)],
    by: By = None,
    reason: Reason = "",
    store: StoreUrl = None,
) -> None:
    """Publish the model of a run and make it the champion, whatever is live now; recorded with name and reason."""
    quiet_libraries()
    run = open_store(store).find_run(name, run_id)
    decided = Decided("promote", _person(by), reason or "asked for")
    record = run.begin(run_command(run), {}, live=wish(ASKED, decided.by, decided.reason))
    pipeline = opened_as(load(name), run, record)
    step = _deployment(pipeline)
    for upstream in pipeline[step].upstream():
        if run.manifest(upstream) is None:
            why, fix = why_not_live(pipeline, run)
            wanted = "a run whose gates before the deployment are open"
            raise StoreError(f"run {run.run_id} has no finished {upstream}: {why}", wanted, fix)
    _approve(pipeline, run, decided.by, decided.reason)
    if _is_live(run):
        _say(f"version {read_champion(run.store.root, name).version} of run {run.run_id} is the champion already")
        return
    run_step(pipeline, step, run, fresh=True)
    _told(read_champion(run.store.root, name), decided)
    _say(f"report   {finish_run(run)}")


@private_files()
def rollback(
    name: Name,
    version: Annotated[
        int | None, typer.Option("--to", help="The version to go back to [default: the one that was live before]")
    ] = None,
    by: By = None,
    reason: Reason = "",
    store: StoreUrl = None,
) -> None:
    """Publish an earlier version again, under a new number, and make it the champion; recorded with name and reason."""
    from kilnworks.components.deploy import DeployConfig
    from kilnworks.components.deploying.rollback import roll_back

    opened = open_store(store)
    opened.check_writable()
    require_owner(opened, f"rolling back {name}")
    pipeline = load(name)
    config = pipeline[_deployment(pipeline)].config
    settings = config if isinstance(config, DeployConfig) else DeployConfig()
    decided = Decided("rollback", _person(by), reason or "asked for", NOT_ASKED.record())
    champion = roll_back(opened.root, name, version, decided, settings)
    if opened.remote is not None:
        opened.remote.push_version(Path(champion.path))
    opened.push(f"promotions/{name}")
    opened.push(f"champions/{name}.json")
    _told(champion, decided)
    back = opened.run(name, champion.run_id)
    if (back.path / "run.json").is_file():  # a version may outlive its run
        _say(f"report   {finish_run(back)}")
    else:
        report_replaced(opened, name)


@private_files()
def compare(
    name: Name,
    run_id: Annotated[str, typer.Option("--run", help="The run whose rows both are measured on.", show_default=False)],
    store: StoreUrl = None,
) -> None:
    """Measure the champion on the rows that a run's model was measured on, and show both; kept in the run."""
    quiet_libraries()
    run = open_store(store).find_run(name, run_id)
    record = read_json(run.path / "run.json")
    pipeline = as_begun(load(name), record).configured(record["overrides"])
    measure_champion(pipeline, run)
    _say(question(pipeline, run))


def wanted_live(promote: bool, train_only: bool, by: str | None, reason: str) -> dict[str, Any]:
    """``{"live": ...}`` for ``run.json``; empty where nothing was said, so that what was said before holds."""
    if promote and train_only:
        raise ConfigError("--promote and --train-only", "one of them", "leave one out")
    if not promote and not train_only:
        return {}
    return {"live": wish(ASKED if promote else NEVER, _person(by), reason or "asked for with --promote")}


def live_from_environment() -> dict[str, Any]:
    """The same, as an orchestrator says it."""
    said = os.environ.get(LIVE_VARIABLE) or AUTO
    if said not in WISHES:
        raise ConfigError(f"${LIVE_VARIABLE} is {said!r}", f"one of {', '.join(WISHES)}", "correct the form")
    if said == AUTO:
        return {}
    return {"live": wish(said, os.environ.get(BY_VARIABLE) or "Airflow", "asked for in the form")}


def opened_as(defined: Pipeline, run: Run, record: Mapping[str, Any]) -> Pipeline:
    """The definition with the settings of a run; the settings by which these differ are noted in the run."""
    hidden = sorted(name for name, value in record["overrides"].items() if HIDDEN in str(value))
    if hidden:
        raise ConfigError(
            f"run {run.run_id} was started with a secret in {', '.join(hidden)}, which is stored nowhere",
            "the setting with its secret, or with a reference such as ${PASSWORD}",
            f"give it again: --set '{hidden[0]}=...'",
        )
    settings, begun = record["overrides"], as_begun(defined, record)
    opened = begun.configured(settings)
    differs = _differing(begun, opened, settings) + ([] if begun is defined else [SMALLER])
    run.begin(str(record["command"]), {}, differs=differs)
    return opened


def _differing(defined: Pipeline, opened: Pipeline, settings: Mapping[str, Any]) -> list[str]:
    """The settings without which ``opened`` would be another; they may need one another, as those of a kind do."""
    if opened == defined:
        return []
    found = sorted(name for name in settings if _without(defined, settings, name) != opened)
    return found or sorted(settings)


def _without(defined: Pipeline, settings: Mapping[str, Any], name: str) -> Pipeline | None:
    """The definition with the other settings alone; None where these do not fit without it."""
    try:
        return defined.configured({other: value for other, value in settings.items() if other != name})
    except ConfigError:
        return None


def approve_here(pipeline: Pipeline, run: Run, by: str | None, reason: str) -> None:
    """Record a yes that was given with ``--approve``. Raises ``ConfigError`` without a reason, or where none is due."""
    if not reason:
        raise ConfigError("--approve without --reason", "why the model may go live", "add --reason 'TEXT'")
    if not _approve(pipeline, run, _person(by), reason):
        raise ConfigError(
            f"--approve: no step of {pipeline.name} waits for approval", "a definition that wants it", "leave it out"
        )


def ask_here(pipeline: Pipeline, run: Run, outcome: Mapping[str, Status]) -> bool:
    """Ask at the terminal where a step waits for a yes; whether one was given. Asks nobody in a pipe."""
    waiting = [name for name, status in outcome.items() if status == "skipped" and _gate(run, name) == "approval"]
    if not waiting or not sys.stdin.isatty():
        return False
    require_evaluation(pipeline, run, waiting[0])
    _say(asked(pipeline, run))
    approved = typer.confirm(f"{pipeline.name}: may {waiting[0]} run?", default=False)
    reason = typer.prompt("why")
    record_answer(run, waiting[0], approved=approved, by=_person(None), comment=reason, settings={})
    return approved


def asked(pipeline: Pipeline, run: Run) -> str:
    """The question, both models on the same rows where that is possible."""
    try:
        if unmeasured(pipeline, run):
            measure_champion(pipeline, run)
    except KilnworksError as error:
        return question(pipeline, run, trouble=error.got)
    return question(pipeline, run)


def closed_gates(run: Run, outcome: Mapping[str, Status]) -> list[str]:
    """Steps that a gate stopped; not those of a run that was never to go live."""
    skipped = [name for name, status in outcome.items() if status == "skipped"]
    return [name for name in skipped if _gate(run, name) not in UNASKED]


def _gate(run: Run, step: str) -> str:
    """The gate that stopped a step; empty where it was another step's."""
    error = (run.outcome(step) or {}).get("error") or {}
    return str((error.get("details") or {}).get("gate", ""))


def _approve(pipeline: Pipeline, run: Run, by: str, reason: str) -> bool:
    """Record a yes for every step that wants one and has none; whether any wants one."""
    wanting = [unit.steps[0].name for unit in pipeline.units() if unit.task.approval is not None]
    for step in wanting:
        given = answer(run, step)
        if given is None or not given.passed:
            require_evaluation(pipeline, run, step)
            record_answer(run, step, approved=True, by=by, comment=reason, settings={})
    return bool(wanting)


def _deployment(pipeline: Pipeline) -> str:
    """The step that publishes. Raises ``ConfigError`` where there is none."""
    found = [s.name for s in pipeline.steps if issubclass(s.signature.result, Deployment)]
    if not found:
        raise ConfigError(f"{pipeline.name} has no step that publishes", "a deployment", "add one to its definition")
    return found[-1]


def _is_live(run: Run) -> bool:
    try:
        return read_champion(run.store.root, run.pipeline).run_id == run.run_id
    except ConfigError:
        return False


def _person(by: str | None) -> str:
    return by or getpass.getuser()


def run_command(run: Run) -> str:
    """The command that a run was started by."""
    return str(read_json(run.path / "run.json").get("command", ""))


def _told(champion: ChampionRecord, decided: Decided) -> None:
    _say(
        f"version {champion.version} of {champion.model} (run {champion.run_id}) is the champion; "
        f"{decided.action} by {decided.by}: {decided.reason}"
    )


def _say(text: str) -> None:
    Console().print(text, markup=False, highlight=False, soft_wrap=True)
