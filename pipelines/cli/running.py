"""Commands that make artifacts: ``run``, ``step``, ``finish``."""

import json
import os
import shlex
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from kilnworks.components.reporting.results import result_lines
from kilnworks.pipelines.cli.console import Console, say, sectioned, watched
from kilnworks.pipelines.cli.live import (
    Approve,
    By,
    Promote,
    Reason,
    TrainOnly,
    approve_here,
    ask_here,
    closed_gates,
    live_from_environment,
    opened_as,
    wanted_live,
)
from kilnworks.pipelines.cli.quiet import quiet_libraries
from kilnworks.pipelines.cli.settings import StoreUrl, new_run_id, overrides
from kilnworks.pipelines.cli.tune import best_settings
from kilnworks.pipelines.core.after_run import finish_run
from kilnworks.pipelines.core.arrivals import blaming, landed_files
from kilnworks.pipelines.core.challenge import check_challenge
from kilnworks.pipelines.core.events import Status
from kilnworks.pipelines.core.execute import run_all, run_together
from kilnworks.pipelines.core.failed_start import failed_start_recorded
from kilnworks.pipelines.core.gates import skip_rest
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import Run, open_store
from kilnworks.pipelines.core.windows import INTERVAL_VARIABLE, interval_settings
from kilnworks.schemas.access import private_files
from kilnworks.schemas.decision import FILE_NAME
from kilnworks.schemas.errors import EXIT_SKIPPED, ConfigError, KilnworksError
from kilnworks.schemas.files import read_json
from kilnworks.schemas.masking import masked, masked_tree
from kilnworks.schemas.secret import shown_url

Name = Annotated[str, typer.Argument(help="Name of the pipeline.", show_default=False)]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="STEP.FIELD=VALUE", help="Another value for a setting; repeatable.")
]
RunId = Annotated[str | None, typer.Option("--run-id", help="Name of the run; one that exists is resumed.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Make the steps again even where nothing has changed.")]

EVALUATION = "evaluation.json"
"""What a step leaves whose numbers are said."""
OVERRIDES_VARIABLE = "KILNWORKS_OVERRIDES"
"""Settings as one JSON object: ``{"model.epochs": 3}``."""
TRIGGER_VARIABLE = "KILNWORKS_TRIGGER"
"""What started the run, in words, for ``run.json``."""


@private_files()
def run(
    name: Name,
    settings: Settings = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="STEP", help="Run this step and all that hang on it.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="STEP", help="Run this step and all that it needs.")
    ] = None,
    interval: Annotated[
        str | None, typer.Option("--interval", metavar="START/END", help="Take only the rows of this stretch of time.")
    ] = None,
    fresh: Fresh = False,
    run_id: RunId = None,
    store: StoreUrl = None,
    best: Annotated[bool, typer.Option("--best", help="With the best settings of its newest search (tune).")] = False,
    promote: Promote = False,
    train_only: TrainOnly = False,
    approve: Approve = False,
    by: By = None,
    reason: Reason = "",
) -> int:
    """Run a pipeline here. What has not changed since an earlier run is taken from it.

    Its model goes live where the gates are open. A run with other settings than its definition is a trial: it
    publishes nothing unless --promote asks for it.
    """
    quiet_libraries()
    console = Console()
    defined, opened = load(name), open_store(store)
    found = best_settings(opened, name) if best else {}
    given = {**found, **interval_settings(defined, interval), **overrides(settings or [])}
    pipeline = defined.configured(given)
    check_challenge(pipeline)
    selected = pipeline.between(first, last)
    if not selected:
        raise ConfigError(
            f"--from {first} --to {last}: no step lies between",
            "a step and one that hangs on it",
            f"see the order of the steps: kilnworks show {name}",
        )
    opened.check_writable()
    this = opened.run(name, run_id or new_run_id())
    command = run_words(name, this, settings, store)
    live = wanted_live(promote, train_only, by, reason)
    context = {**live, **landed_files(defined, this)}
    record = this.begin(command, given, trigger="command line", steps=pipeline.outline(), **context)
    pipeline = opened_as(defined, this, record)
    _say_replaced(console, defined, pipeline)
    if approve:
        approve_here(pipeline, this, by, reason)
    try:
        with watched(console, pipeline) as listener, blaming(pipeline, this):
            outcome = run_all(pipeline, this, fresh=fresh, selected=selected, listener=listener)
        if ask_here(pipeline, this, outcome):
            with watched(console, pipeline) as listener:
                outcome = run_all(pipeline, this, selected=selected, listener=listener)
    except (KilnworksError, KeyboardInterrupt):
        _report_failure(console, this)
        _say(console, f"resume   {run_words(name, this, None, store)}")
        raise
    report = finish_run(this)
    _conclude(console, pipeline, this, outcome)
    _say(console, f"report   {report}")
    return EXIT_SKIPPED if closed_gates(this, outcome) else 0


@private_files()
def step(
    name: Name,
    step_names: Annotated[list[str], typer.Argument(metavar="STEP...", help="Names of the steps.", show_default=False)],
    settings: Settings = None,
    fresh: Fresh = False,
    run_id: Annotated[str | None, typer.Option("--run-id", envvar="KILNWORKS_RUN_ID", help="Name of the run.")] = None,
    store: StoreUrl = None,
) -> int:
    """Run one step of a run, or several in one process; the steps before them have ended there.

    This is what an Airflow task calls.
    """
    quiet_libraries()
    if run_id is None:
        raise ConfigError("no run id", "--run-id ID or $KILNWORKS_RUN_ID", "name the run that this step belongs to")
    opened = open_store(store)
    opened.check_writable()
    this = opened.run(name, run_id)
    words, trigger = run_words(name, this, settings, store), os.environ.get(TRIGGER_VARIABLE, "step")
    with failed_start_recorded(this, step_names, words, trigger):
        defined = load(name)
        interval = interval_settings(defined, os.environ.get(INTERVAL_VARIABLE))
        given = {**interval, **_overrides_from_environment(), **overrides(settings or [])}
        outline = defined.configured(given).outline()
        context = {**live_from_environment(), **landed_files(defined, this)}
        record = this.begin(words, given, trigger=trigger, steps=outline, **context)
        pipeline = opened_as(defined, this, record)
    console = Console(soft_wrap=True)
    _say_replaced(console, defined, pipeline)
    _say_landed(console, context)
    with watched(console, pipeline) as listener, blaming(pipeline, this):
        heard = sectioned(console, listener) if len(step_names) > 1 else listener
        outcome = run_together(pipeline, step_names, this, fresh=fresh, listener=heard)
    if any(path for name in outcome for path in this.path.glob(f"{name}*/{EVALUATION}")):
        _say_results(console, this)
    _say_all_live(console, pipeline, this, outcome)
    return EXIT_SKIPPED if set(outcome.values()) == {"skipped"} else 0


@private_files()
def finish(
    name: Name,
    run_id: Annotated[str | None, typer.Option("--run-id", envvar="KILNWORKS_RUN_ID", help="Name of the run.")] = None,
    store: StoreUrl = None,
) -> int:
    """Write the report of a run again and send its figures to MLflow."""
    quiet_libraries()
    this = open_store(store).find_run(name, run_id)
    skip_rest(load(name), this)
    _say(Console(), f"report   {finish_run(this)}")
    return 0


def _report_failure(console: Console, run: Run) -> None:
    """Write the report of a failed run; a store that takes no report does not hide the error that ended the run."""
    try:
        _say(console, f"report   {finish_run(run)}")
    except KilnworksError as error:
        _say(console, f"report   not written: {error.got}")


def _overrides_from_environment() -> dict[str, Any]:
    """Settings that an orchestrator passes as JSON, so that none goes through shell text."""
    text = os.environ.get(OVERRIDES_VARIABLE) or "{}"
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        wanted = 'one JSON object of settings, such as {"model.epochs": 3}'
        fix = "correct what starts this command, or unset the variable"
        raise ConfigError(f"${OVERRIDES_VARIABLE} is not JSON: {error}", wanted, fix) from None
    return dict(found)


def run_words(name: str, run: Run, settings: Sequence[str] | None, store: str | None) -> str:
    """The command that starts or resumes a run."""
    parts = ["kilnworks", "run", name, "--run-id", run.run_id]
    for setting in settings or []:
        parts += ["--set", setting]
    if store:
        parts += ["--store", store]
    return masked(shlex.join(map(_shown_word, parts)))


def _shown_word(word: str) -> str:
    """A word of a command without its secrets."""
    name, equals, value = word.partition("=")
    if equals and word.isprintable() and "://" not in name:
        return f"{name}={masked_tree(shown_url(value), name)}"
    return shown_url(word)


def _conclude(console: Console, pipeline: Pipeline, run: Run, outcome: dict[str, Status]) -> None:
    """Say what came of it: counts, and why a gate is closed."""
    counts = {status: list(outcome.values()).count(status) for status in ("done", "cached", "skipped")}
    _say(console, f"run      {run.run_id}: " + ", ".join(f"{n} {status}" for status, n in counts.items() if n))
    _say_results(console, run)
    for step_name, status in outcome.items():
        record = run.outcome(step_name) or {}
        if status == "skipped" and not record.get("blocked_by"):
            _say(console, f"skipped  {step_name}: {record.get('reason', '')}")
            fix = (record.get("error") or {}).get("fix")
            if fix:
                _say(console, f"to do    {fix}")
    _say_all_live(console, pipeline, run, outcome)


def _say_results(console: Console, run: Run) -> None:
    """Say the numbers that matter: metrics with intervals, simple models, the gate."""
    for word, told in result_lines(run.path):
        _say(console, f"{word:<8} {told}")


def _say_live(console: Console, run: Run, step_name: str) -> None:
    """Say which version is live now, and how it did against the one before."""
    path = run.step_path(step_name) / FILE_NAME
    details = read_json(path)["details"] if path.is_file() else {}
    if details.get("version") is None:
        return
    previous, told = details.get("previous"), (details.get("challenge") or {}).get("text", "")
    before = f"in place of version {previous['version']}" if previous else "the first one"
    compared = f": {told}" if previous and told else ""
    _say(console, f"live     version {details['version']} of {details['model']}, {before}{compared}")


def _say_all_live(console: Console, pipeline: Pipeline, run: Run, outcome: dict[str, Status]) -> None:
    """``_say_live`` of every step that has published something now."""
    for name, status in outcome.items():
        if status == "done" and pipeline[name].signature.result.outside:
            _say_live(console, run, name)


def _say_replaced(console: Console, defined: Pipeline, configured: Pipeline) -> None:
    """Say which settings ask for another class than the definition has."""
    for words in defined.replaced(configured):
        _say(console, f"setting  {words}")


def _say_landed(console: Console, context: dict[str, Any]) -> None:
    """Name the files that a retraining is made of."""
    for file in context.get("landed", {}).get("files", []):
        rows = "" if file["rows"] is None else f", {file['rows']} rows"
        _say(console, f"data     {file['name']} ({file['kind']}{rows})")


def _say(console: Console, line: str) -> None:
    say(console, line)
