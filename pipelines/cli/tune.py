"""``tune``: search for better settings of a pipeline, and the settings that it found for ``run --best``."""

from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any

import typer

from kilnworks.pipelines.cli.console import Console, say
from kilnworks.pipelines.cli.live import Name
from kilnworks.pipelines.cli.quiet import quiet_libraries
from kilnworks.pipelines.cli.settings import StoreUrl, new_run_id, overrides
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.space import Space
from kilnworks.pipelines.core.store import Store, clean, open_store
from kilnworks.pipelines.tuning.plan import Plan, default_of
from kilnworks.pipelines.tuning.study import PAGE, Study, finished
from kilnworks.schemas.access import private_files
from kilnworks.schemas.crashes import ending
from kilnworks.schemas.errors import ConfigError, KilnworksError, StepSkipped, StoreError
from kilnworks.schemas.search import Search
from kilnworks.schemas.words import figure, signed


class Part(StrEnum):
    """What one process does of a search on which several work."""

    BEGIN = "begin"
    TRIAL = "trial"
    TRIALS = "trials"
    CONCLUDE = "conclude"


@private_files()
def tune(
    name: Name,
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, help="Trainings, the definition's settings included.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, max=64, help="Processes that train at the same time.")
    ] = None,
    sampler: Annotated[str | None, typer.Option("--sampler", help="grid, random or tpe.")] = None,
    pruner: Annotated[str | None, typer.Option("--pruner", help="hyperband or none.")] = None,
    objective: Annotated[
        str | None, typer.Option("--objective", help="Number of the best epoch to search by, such as val_auc.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Of the sampler.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the newest search.")] = False,
    study: Annotated[str | None, typer.Option("--study", help="Go on with this search.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="STEP.FIELD=VALUE", help="A setting of every trial.")
    ] = None,
    store: StoreUrl = None,
    part: Annotated[Part | None, typer.Option("--part", hidden=True)] = None,
) -> int:
    """Search for better settings: each trial trains with others, and the best on the validation rows is kept.

    What is tried stands in the definition (search=Search(space=...)), or is the architecture's own. A search that was
    stopped goes on with --resume. The test rows are not looked at.
    """
    quiet_libraries()
    opened, console = open_store(store), Console(soft_wrap=True)
    opened.check_writable()
    asked = {"trials": trials, "sampler": sampler, "pruner": pruner, "objective": objective, "seed": seed}
    given = {key: value for key, value in asked.items() if value is not None}
    if part is not Part.BEGIN and (resume or study):
        this, space, total = _resumed(opened, name, study, given, settings or [])
    else:
        this, space, total = _begun(opened, name, study or new_run_id(), given, settings or [])
    if part in (None, Part.BEGIN):
        _say_plan(console, this, space, total)
    if part is Part.TRIAL:
        _train_once(console, this, space, total)
    if part in (None, Part.TRIALS):
        beside = workers or space.pipeline.search.workers
        _train(console, this, space, total, 1 if part else beside, store)
    return _conclude(console, this, space) if part in (None, Part.CONCLUDE) else 0


def best_settings(store: Store, name: str) -> dict[str, Any]:
    """The settings of the best trial of the newest search. Raises ``UnknownName``, ``StepFailed``."""
    return dict(finished(Study.newest(store, name))["overrides"])


def _begun(store: Store, name: str, study: str, given: dict[str, Any], settings: list[str]) -> tuple[Study, Space, int]:
    """A new search of that name."""
    fixed = overrides(settings)
    pipeline = _searching(load(name).configured(fixed), given)
    space = Space.of(pipeline)
    plan = Plan.of(space, fixed)
    begun = Study(store, name, clean(study))
    begun.begin(plan, default_of(space))
    return begun, space, pipeline.search.trials


def _resumed(
    store: Store, name: str, study: str | None, given: dict[str, Any], settings: list[str]
) -> tuple[Study, Space, int]:
    """A search that was begun before; it may be made longer."""
    other = sorted(given.keys() - {"trials"}) + (["set"] if settings else [])
    if other:
        raise ConfigError(
            f"--{other[0]} with a search that was begun before",
            "--trials alone: a search keeps what it was begun with",
            f"leave --{other[0]} out, or begin a new search without --resume",
        )
    found = Study.newest(store, name, study)
    kept = {**found.record["search"], **given}
    pipeline = _searching(load(name).configured(found.record["settings"]), kept)
    space = Space.of(pipeline)
    found.opened(Plan.of(space, found.record["settings"]))
    return found, space, pipeline.search.trials


def _searching(pipeline: Pipeline, given: dict[str, Any]) -> Pipeline:
    """The pipeline with what was asked for on the command line."""
    if not given:
        return pipeline
    search: Search = pipeline.search.updated(given)
    return replace(pipeline, search=search)


def _say_plan(console: Console, study: Study, space: Space, total: int) -> None:
    search, source = space.pipeline.search, "definition" if space.declared else "architecture"
    goal = "highest" if study.record["direction"] == "max" else "lowest"
    say(console, f"search   {study.name} of {study.pipeline}: {goal} {study.record['objective']} of {total} trials")
    say(console, f"how      {search.sampler}, pruner {search.pruner}, seed {search.seed}; space of the {source}:")
    for name, dimension in space.dimensions.items():
        say(console, f"         {name}  {_words(dimension)}")


def _words(dimension: Any) -> str:
    listed = dimension.listed() if dimension.kind == "choice" else None
    if listed is not None:
        return " | ".join(str(list(value) if isinstance(value, tuple) else value) for value in listed)
    low, high = dimension.bounds()
    return f"{low:g} to {high:g}" + (", by factors" if dimension.log else "")


def _train(console: Console, study: Study, space: Space, total: int, workers: int, store: str | None) -> None:
    from kilnworks.pipelines.tuning.work import work, work_beside

    if workers > 1:
        words = ["tune", study.pipeline, "--study", study.name, "--trials", str(total), "--part", Part.TRIALS]
        codes = work_beside([*words, *(["--store", store] if store else [])], workers)
        for code in codes:
            if code:
                say(console, f"worker   ended with {ending(code)}; its trial is taken up by another one")
    work(study, space, total, lambda outcome: _say_trial(console, study, outcome, total))


def _train_once(console: Console, study: Study, space: Space, total: int) -> None:
    """One trial.

    Raises:
        StepSkipped: none is left, or it came to no value.
        ConfigError: the definition's own settings do not train, and trying again would not help.
    """
    from kilnworks.pipelines.tuning.work import work_once

    try:
        outcome = work_once(study, space, total)
    except KilnworksError as error:
        if error.retry_helps or isinstance(error, StoreError):
            raise
        got = f"search {study.name} cannot go on, for the definition's settings do not train: {error.got}"
        raise ConfigError(got, error.wanted, error.fix) from error
    if outcome is None:
        raise StepSkipped(f"search {study.name} has all its {total} trials", "a trial to run", "nothing: it is done")
    _say_trial(console, study, outcome, total)
    if outcome.value is None:
        raise StepSkipped(f"trial {outcome.number}: {outcome.reason}", "a training to its end", "nothing: it counts")


def _say_trial(console: Console, study: Study, outcome: Any, total: int) -> None:
    from kilnworks.components.reporting.search_page import setting_words

    best = study.best()
    value = f"{study.record['objective']} {figure(outcome.value, 5)}" if outcome.value is not None else outcome.reason
    said = "failed: " if outcome.failed else ""
    leads = f"  best {figure(best['value'], 5)} (trial {best['trial']})" if best else ""
    settings = setting_words(outcome.overrides) or "the definition's settings"
    say(console, f"trial    {outcome.number} ({study.counted()} of {total})  {said}{value}{leads}  {settings}")


def _conclude(console: Console, study: Study, space: Space) -> int:
    from kilnworks.components.reporting.search_page import setting_words, write_search
    from kilnworks.pipelines.tuning.results import results

    told = results(study, space)
    page = write_search(study.folder / PAGE, told)
    study.store.push(study.shared(PAGE))
    before = "" if told["default"] is None else f"; the definition's settings {figure(told['default'], 5)}"
    say(console, f"best     trial {told['trial']}: {told['objective']} {figure(told['value'], 5)}{before}")
    say(console, f"         {setting_words(told['overrides']) or 'the settings of the definition'}")
    gained = told["gain"]
    if gained:
        bounds = f"{signed(gained['low'])} to {signed(gained['high'])}, each with 95 % confidence"
        values = f"{gained['title']} {figure(gained['now'])} instead of {figure(gained['before'])}"
        say(console, f"gain     {values} on {gained['rows']:,} validation rows ({signed(gained['gain'], 3)}; {bounds})")
    say(console, f"report   {page}")
    say(console, f"use it   kilnworks run {study.pipeline} --best")
    return 0
