"""``crossval``: how good a pipeline is on rows that it did not train on, and how much that hangs on the rows."""

import time
from dataclasses import replace
from typing import Annotated, Any

import typer

from kilnworks.components.cutting.settings import Fold
from kilnworks.pipelines.cli.console import Console, say
from kilnworks.pipelines.cli.live import Name
from kilnworks.pipelines.cli.quiet import quiet_libraries
from kilnworks.pipelines.cli.settings import StoreUrl, new_run_id, overrides
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import Store, clean, open_store
from kilnworks.pipelines.craft.crossval import Crossval, cross_validate
from kilnworks.pipelines.craft.cuts import default_by, default_copies, with_cut
from kilnworks.pipelines.craft.headline import SHOWN, told_first
from kilnworks.pipelines.craft.work import REPORT
from kilnworks.schemas.access import private_files
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.words import figure

KINDS = ("plain", "stratified", "grouped", "time")


@private_files()
def crossval(
    name: Name,
    folds: Annotated[int | None, typer.Option("--folds", min=2, max=1000, help="Folds; 5 where not said.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="plain, stratified, grouped or time.")] = None,
    column: Annotated[str | None, typer.Option("--column", help="Column of the groups or of the time.")] = None,
    outer: Annotated[
        int | None, typer.Option("--outer", min=2, max=1000, help="Outer folds, with a search in each.")
    ] = None,
    trials: Annotated[int | None, typer.Option("--trials", min=1, help="Of each search inside; needs --outer.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, max=2**32 - 1, help="Of the folds.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the newest one.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="STEP.FIELD=VALUE", help="A setting of every fold.")
    ] = None,
    store: StoreUrl = None,
    work: Annotated[str | None, typer.Option("--work", hidden=True)] = None,
) -> int:
    """Train on every fold of the training and validation rows, and tell mean and spread.

    Folds follow the definition: time where it splits by time, groups where it splits by a column, classes where there
    are some. Preprocessing is learned inside each fold. The test rows are not read.
    """
    quiet_libraries()
    opened, console = open_store(store), Console(soft_wrap=True)
    opened.check_writable()
    asked = {"folds": folds, "by": by, "column": column, "outer": outer, "trials": trials, "seed": seed}
    given = {key: value for key, value in asked.items() if value is not None}
    if resume:
        this = Crossval.resumed(opened, name, given, settings or [])
    else:
        this = Crossval.named(opened, name, work) or _begun(opened, name, given, settings or [], work)
    pipeline = load(name).configured(this.record["settings"])
    with this.alone():
        return _nested(console, this, pipeline) if this.fold.outer else _plain(console, this, pipeline)


def _begun(store: Store, name: str, given: dict[str, Any], settings: list[str], work: str | None) -> Crossval:
    """A new one, refused before anything is trained where it cannot be."""
    if "trials" in given and "outer" not in given:
        raise ConfigError("--trials without --outer", "both: a search inside each outer fold", "add --outer 3")
    fixed = overrides(settings)
    pipeline = load(name).configured(fixed)
    fold = fold_of(pipeline, given)
    with_cut(pipeline, fold)
    this = Crossval(store, name, clean(work or new_run_id()))
    this.begin({"settings": fixed, "fold": fold.model_dump(), "trials": given.get("trials")})
    return this


def fold_of(pipeline: Pipeline, given: dict[str, Any]) -> Fold:
    """The folds that are asked for; what is not said follows the definition. Raises ``ConfigError``."""
    usual, column = default_by(pipeline)
    by = given.get("by", usual)
    if by not in KINDS:
        raise ConfigError(f"--by {by}", f"one of {', '.join(KINDS)}", "correct --by")
    chosen = given.get("column", column if by == usual else None)
    if by in ("grouped", "time") and chosen is None:
        raise ConfigError(f"folds by {by} without a column", "--column NAME", "say which column it is")
    if by in ("plain", "stratified") and chosen is not None:
        raise ConfigError(f"--column with folds that are {by}", "--by grouped or --by time", "leave --column out")
    numbers = {key: given[key] for key in ("folds", "outer", "seed") if key in given}
    return Fold.model_validate({"by": by, "column": chosen, "copies": default_copies(pipeline), **numbers})


def _plain(console: Console, this: Crossval, pipeline: Pipeline) -> int:
    fold = this.fold
    say(console, f"folds    {fold.folds} of {this.pipeline}, {how(fold)}; the test rows are not read")

    def heard(place: int, told: dict[str, Any]) -> None:
        rows = f"{told['rows']['train']:,} + {told['rows']['val']:,} rows"
        best = f"best epoch {told['best_epoch']} of {told['epochs']}"
        say(console, f"fold     {place + 1} of {fold.folds}  {_line(told['numbers'])}  {best}, {rows}")

    return _conclude(console, this, cross_validate(this, pipeline, heard))


def _nested(console: Console, this: Crossval, pipeline: Pipeline) -> int:
    from kilnworks.components.reporting.search_page import setting_words
    from kilnworks.pipelines.core.space import Space
    from kilnworks.pipelines.craft.nested import nested
    from kilnworks.pipelines.tuning.plan import default_of

    trials = this.record["trials"]
    search = pipeline.search.updated({"pruner": "none", **({"trials": trials} if trials else {})})
    pipeline = replace(pipeline, search=search)
    space, fold = Space.of(pipeline), this.fold
    each = f"{search.trials} trials on {fold.folds} inner folds each"
    say(console, f"nested   {fold.outer} outer folds of {this.pipeline}, {how(fold)}; {each}")

    def heard(kind: str, told: dict[str, Any]) -> None:
        words = setting_words(told["settings"]) or "the definition's settings"
        if kind == "trial":
            say(
                console,
                f"trial    {told['number']} of outer fold {told['outer']}  mean {figure(told['value'], 5)}  {words}",
            )
        else:
            say(console, f"outer    {told['outer']} of {fold.outer}  {_line(told['metrics'])}  {words}")

    return _conclude(console, this, nested(this, pipeline, default_of(space), heard))


def _conclude(console: Console, this: Crossval, results: dict[str, Any]) -> int:
    from kilnworks.components.reporting.crossval_page import write_crossval

    told = {
        **results, "pipeline": this.pipeline, "name": this.name, "how": how(this.fold),
        "written": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }  # fmt: skip
    page = write_crossval(this.folder / REPORT, this.finish(told))
    this.store.push(f"{this.FOLDER}/{this.pipeline}/{this.folder.name}/{REPORT}")
    for place, name in enumerate(told_first(results)):
        word, n = "" if place else "mean", results["summary"][name]
        spread = f"standard deviation over folds {figure(n['sd'], 2)} ({figure(n['low'], 5)} to {figure(n['high'], 5)})"
        say(console, f"{word:8} {name} {figure(n['mean'], 5)}, {spread}")
    say(console, "         the spread of folds is no confidence interval of the mean: they share training rows")
    say(console, f"report   {page}")
    return 0


def how(fold: Fold) -> str:
    """The folds in words."""
    column = f" by {fold.column}" if fold.column else ""
    return f"{fold.by}{column}" if fold.by == "time" else f"{fold.by}{column}, seed {fold.seed}"


def _line(numbers: dict[str, float]) -> str:
    named = [name for name in numbers if name.startswith("val_")] or list(numbers)
    return "  ".join(f"{name} {figure(numbers[name])}" for name in named[:SHOWN])
