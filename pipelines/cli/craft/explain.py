"""``explain``: what a model leans on, and why it answers some rows as it does."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kilnworks.pipelines.cli.console import Console, echo, say
from kilnworks.pipelines.cli.live import Name
from kilnworks.pipelines.cli.quiet import quiet_libraries
from kilnworks.pipelines.cli.serving import source_of
from kilnworks.pipelines.cli.settings import StoreUrl
from kilnworks.pipelines.core.evaluated import champion_of, evaluation_of
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.pipelines.core.inputs import inputs_of
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import Run, Store, now, open_store
from kilnworks.schemas.access import private_files
from kilnworks.schemas.artifacts import CheckedExamples, Evaluation, Model
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.words import figure, signed

if TYPE_CHECKING:
    import polars as pl

FOLDER = "explanations"
"""Where pages lie in a store: ``explanations/<pipeline>/<run>.html``."""
SHOWN = 3
"""Features of a row that are named on the screen."""


@private_files()
def explain(
    name: Name,
    rows: Annotated[
        Path | None, typer.Option("--rows", help="Rows to explain, as for predict [default: some of the test rows]")
    ] = None,
    count: Annotated[int, typer.Option("--count", min=1, max=100, help="Rows that are explained, at most.")] = 8,
    run_id: Annotated[str | None, typer.Option("--run", help="A run's model [default: the live one]")] = None,
    split: Annotated[str, typer.Option("--split", help="Rows that importance is measured on.")] = "test",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of shuffles and samples.")] = 0,
    store: StoreUrl = None,
) -> None:
    """Explain a model: importance with intervals, partial dependence, and for each row what moved its answer.

    Writes a page. For rows: integrated gradients, words and pixels, and the training rows that are most like them.
    """
    quiet_libraries()
    opened, pipeline = open_store(store), load(name)
    opened.check_writable()
    run = _run(opened, pipeline, run_id)
    model, examples = _trained(pipeline, run)
    from kilnworks.components.explaining.rows import explanations
    from kilnworks.components.reporting.explain_page import write_explanations

    given = None if rows is None else _read(rows, model, source_of(pipeline), count)
    found = explanations(model, examples, given, count, split, seed)
    page = opened.root / FOLDER / name / f"{run.folder}.html"
    told = {**found, "pipeline": name, "run": run.run_id, "written": now()}
    write_explanations(page, told)
    opened.push(f"{FOLDER}/{name}/{run.folder}.html")
    _say(found)
    echo(f"page     {page}")


def _run(store: Store, pipeline: Pipeline, run_id: str | None) -> Run:
    """The run that is named; else that of the live model, or the newest one that was evaluated, or the newest."""
    found = store.find_run(pipeline.name, run_id)
    if run_id is not None:
        return found
    champion = champion_of(found)
    if champion is not None:
        return store.run(pipeline.name, champion.run_id)
    runs = reversed(store.runs(pipeline.name))
    return next((run for run in runs if evaluation_of(pipeline, run) is not None), found)


def _trained(pipeline: Pipeline, run: Run) -> tuple[Model, CheckedExamples]:
    """What the evaluation of a run was given. Raises ``ConfigError`` where the definition has none."""
    for step in pipeline.steps:
        if issubclass(step.signature.result, Evaluation):
            given = list(inputs_of(step, run)[0].values())
            models = [one for one in given if isinstance(one, Model)]
            examples = [one for one in given if isinstance(one, CheckedExamples)]
            if models and examples:
                return models[0], examples[0]
    raise ConfigError(
        f"pipeline {pipeline.name!r} has no step that evaluates a model on examples",
        "an evaluation, fed by a model and by checked examples",
        "add one to the definition",
    )


def _read(path: Path, model: Model, like: Any, count: int) -> "pl.DataFrame":
    """The first rows of a file, checked against the contract."""
    import polars as pl

    from kilnworks.components.predicting.rows import request_frames

    frames, have = [], 0
    for frame in request_frames(path, model.contract, like):
        frames.append(frame.select(list(model.contract.features)))
        have += frame.height
        if have >= count:
            break
    return pl.concat(frames)


def _say(found: dict[str, Any]) -> None:
    console = Console(soft_wrap=True)
    for one in found["leans"].get("features", [])[:5]:
        bounds = f" ({figure(one['low'], 2)} to {figure(one['high'], 2)})" if "low" in one else ""
        say(console, f"leans on {one['name']}: {found['leans']['metric']} changes by {figure(one['fall'], 3)}{bounds}")
    for number, row in enumerate(found["rows"], 1):
        answer = ", ".join(f"{key} {value}" for key, value in row["answer"].items())
        why = ", ".join(f"{name} {value} {signed(share)}" for name, value, share in row["credits"][:SHOWN])
        say(
            console,
            f"row {number:<5}{answer}: {figure(row['value'])}, of the average row {figure(row['baseline'])}; {why}",
        )
