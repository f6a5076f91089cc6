"""Commands that only look: ``list``, ``show``, ``runs``, ``report``, ``doctor``."""

import json
from typing import Annotated, Any

import typer
import yaml
from rich.table import Table
from rich.text import Text

from kilnworks.pipelines.cli import doctor as checks
from kilnworks.pipelines.cli.console import STYLE, Console, echo, table_console
from kilnworks.pipelines.cli.settings import StoreUrl
from kilnworks.pipelines.core.after_run import report_run
from kilnworks.pipelines.core.graph import Champion, Latest, Pipeline, Step
from kilnworks.pipelines.core.records import newest_runs
from kilnworks.pipelines.core.registry import load, names
from kilnworks.pipelines.core.store import Run, open_store
from kilnworks.schemas.access import private_files
from kilnworks.schemas.artifacts import Servable
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import ConfigError, KilnworksError

Name = Annotated[str, typer.Argument(help="Name of the pipeline.", show_default=False)]

FULL_WIDTH = 120
"""Columns of a terminal that shows three metrics of a run; a narrower one shows the first."""


def list_pipelines() -> None:
    """List the pipelines."""
    table = Table(box=None, pad_edge=False)
    for title in ("pipeline", "steps", "schedule", "description"):
        table.add_column(title, overflow="fold")
    for name in names():
        table.add_row(Text(name, "bold"), *_row(name))
    table_console().print(table)


def _row(name: str) -> tuple[str, str, str | Text]:
    """What the list says of a pipeline; of a definition that does not load, why."""
    try:
        pipeline = load(name)
    except KilnworksError as error:
        return "", "", Text(f"does not load: {error.got}", "red")
    return str(len(pipeline.steps)), pipeline.schedule or "by hand", pipeline.description


def show(
    name: Name,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    as_client: Annotated[bool, typer.Option("--client", help="Print a program that asks its served model.")] = False,
) -> None:
    """Show the steps of a pipeline and every setting in force; any of them can be given to --set."""
    pipeline = load(name)
    if as_client:
        typer.echo(_client(pipeline))
        return
    if as_json:
        typer.echo(json.dumps(_as_tree(pipeline), indent=2))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text.assemble((pipeline.name, "bold"), f"  {pipeline.description}"))
    for step in pipeline.steps:
        inputs = ", ".join(f"{p} <- {_source_name(s)}" for p, s in step.inputs.items())
        made = step.signature.result.__name__
        console.print(Text.assemble(("\n" + step.name, "bold cyan"), f"  {made}  ", (inputs, "dim")))
        console.print(_settings(step), markup=False)
    served = _served_inputs(pipeline)
    if served:
        console.print(Text.assemble(("\ninputs of the served model", "bold cyan")))
        console.print("\n".join(_input_words(name, told) for name, told in served.items()), markup=False)


def runs(
    name: Name, store: StoreUrl = None, count: Annotated[int, typer.Option("-n", help="How many, newest first.")] = 20
) -> None:
    """List the runs of a pipeline, newest first."""
    with newest_runs(open_store(store), name, count) as found:
        if found:
            table_console().print(_runs(found))
            return
    load(name)
    echo(f"no runs yet; start one: kilnworks run {name}")


def _runs(found: list[Run]) -> Table:
    """One line a run."""
    from kilnworks.components.reporting.summary import run_summary

    summaries = [run_summary(run.path) for run in found]
    challenged = any(summary["challenge"] for summary in summaries)
    table = Table(box=None, pad_edge=False)
    for title in ("run", "started", "outcome", "seconds", "metrics", *(["challenge"] if challenged else []), "live"):
        table.add_column(title, no_wrap=title in ("run", "started"), overflow="fold")
    shown = 3 if table_console().width >= FULL_WIDTH else 1
    for run, summary in zip(found, summaries, strict=True):
        metrics = "  ".join(f"{k} {v:.4f}" for k, v in list(summary["metrics"].items())[:shown])
        outcome = Text(summary["outcome"], STYLE.get(summary["outcome"], ""))
        live = "champion" if summary["champion"] else ""
        verdict = [summary["challenge"]] if challenged else []
        table.add_row(
            run.folder, summary["started"][:16], outcome, f"{summary['seconds']:.1f}", metrics, *verdict, live
        )
    return table


@private_files()
def report(
    name: Name,
    run_id: Annotated[str | None, typer.Option("--run", help="Name of the run [default: the newest]")] = None,
    store: StoreUrl = None,
) -> None:
    """Write the report of a run again and print where it is."""
    echo(report_run(open_store(store).find_run(name, run_id)))


def doctor(store: StoreUrl = None) -> int:
    """Check this machine: Python, pinned packages, disk, store, devices; names what is wrong and the mend."""
    table = Table(box=None, pad_edge=False)
    for title in ("", "check", "found", "to do"):
        table.add_column(title, overflow="fold")
    results = checks.check_all(open_store(store))
    for result in results:
        style = "green" if result.good else "bold red"
        table.add_row(
            Text("✓" if result.good else "✗", style), result.what, result.found, "" if result.good else result.fix
        )
    table_console().print(table)
    return 0 if all(result.good for result in results) else 1


def _settings(step: Step) -> str:
    tree = step.config.without_secrets()
    if isinstance(tree.get("contract"), dict):
        tree["contract"] = f"{tree['contract']['name']} ({len(tree['contract']['features'])} features)"
    if not tree:
        return "  (no settings)"
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=100)
    return "\n".join(f"  {line}" for line in text.splitlines())


def _contract(pipeline: Pipeline) -> Contract | None:
    """The contract of the data that the pipeline reads, if it reads any."""
    found = (getattr(step.config, "contract", None) for step in pipeline.steps)
    return next((contract for contract in found if isinstance(contract, Contract)), None)


def _client(pipeline: Pipeline) -> str:
    """A program that asks the served model. Raises ``ConfigError`` where none is served."""
    from kilnworks.pipelines.cli.client_example import client_example

    served = _served_inputs(pipeline)
    if not served:
        raise ConfigError(
            f"pipeline {pipeline.name!r} serves no model", "a pipeline with a step that exports one", "choose another"
        )
    return client_example(pipeline.name, served)


def _served_inputs(pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    """What each input of the served model is sent as, by feature; empty where nothing is served."""
    from kilnworks.components.exporting.inputs import described_features
    from kilnworks.components.modeling.base import Architecture

    contract = _contract(pipeline)
    if contract is None or not any(step.signature.result is Servable for step in pipeline.steps):
        return {}
    models = (getattr(step.config, "model", None) for step in pipeline.steps)
    model = next((one for one in models if isinstance(one, Architecture)), None)
    return described_features(contract if model is None else model.sent(contract))


def _input_words(name: str, told: dict[str, Any]) -> str:
    """``  when: int64 [n], seconds since 1970-01-01 UTC (REST also takes ISO 8601)``."""
    shape = ", ".join("n" if size < 0 else str(size) for size in told["shape"])
    unit = f", {told['unit']}" if "unit" in told else ""
    text = f" (REST also takes {told['text']})" if "text" in told else ""
    return f"  {name}: {told['dtype']} [{shape}]{unit}{text}"


def _as_tree(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "name": pipeline.name,
        "description": pipeline.description,
        "schedule": pipeline.schedule,
        "steps": [
            {
                "name": s.name,
                "component": s.component,
                "makes": s.signature.result.__name__,
                "inputs": {p: _source_name(source) for p, source in s.inputs.items()},
                "config": s.config.without_secrets(),
            }
            for s in pipeline.steps
        ],
        "served_inputs": _served_inputs(pipeline),
    }


def _source_name(source: str | Champion | Latest) -> str:
    if isinstance(source, str):
        return source
    return f"{type(source).__name__}({source.pipeline}.{source.step})"
