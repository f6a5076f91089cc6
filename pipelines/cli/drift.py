"""``kilnworks drift``: new rows, or the requests of a server, against the data that the live model learned from."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from kilnworks.pipelines.cli.console import Console, table_console, watched
from kilnworks.pipelines.cli.quiet import quiet_libraries
from kilnworks.pipelines.cli.settings import StoreUrl, new_run_id
from kilnworks.pipelines.core.after_run import finish_run
from kilnworks.pipelines.core.execute import artifact_path, run_all
from kilnworks.pipelines.core.graph import Champion, Pipeline, Step
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import open_store
from kilnworks.schemas.access import private_files
from kilnworks.schemas.errors import EXIT_SKIPPED, ConfigError
from kilnworks.schemas.words import named

if TYPE_CHECKING:
    from kilnworks.components.sources.base import Source

SHOWN = 12
"""Features printed, the most moved first; the report has them all."""


@private_files()
def drift(
    name: Annotated[str, typer.Argument(help="Name of the pipeline whose live model is meant.", show_default=False)],
    data: Annotated[
        Path | None, typer.Option(metavar="FILE", help="New rows, as for predict; the label may be absent.")
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The server's prediction log (--prediction_log_dir): a sample, 0.01 of the requests unless "
            "--prediction_log_sampling_rate says otherwise.",
        ),
    ] = None,
    most: Annotated[
        int | None,
        typer.Option(min=0, help="Exit with 99 when more features than this have moved, or a small model can tell."),
    ] = None,
    store: StoreUrl = None,
) -> int:
    """Compare new rows, or what a server was asked, with the data that the live model learned from."""
    if (data is None) == (log is None):
        raise ConfigError("--data and --log together, or neither", "one of them", "name --data FILE or --log DIR")
    quiet_libraries()
    opened = open_store(store)
    opened.check_writable()
    pipeline = _pipeline(load(name), data, log, most)
    run = opened.run(pipeline.name, new_run_id())
    asked = ["--data", str(data)] if data is not None else ["--log", str(log)]
    run.begin(
        shlex.join(["kilnworks", "drift", name, *asked]),
        {},
        trigger="command line",
        steps=pipeline.outline(),
    )
    console = Console()
    try:
        with watched(console, pipeline) as listener:
            outcome = run_all(pipeline, run, fresh=True, listener=listener)
    finally:
        report = finish_run(run)
    _print(json.loads((artifact_path(run, "drift") / "drift.json").read_text(encoding="utf-8"))["comparisons"][0])
    console.print(f"report   {report}", markup=False, highlight=False, soft_wrap=True)
    return EXIT_SKIPPED if "skipped" in outcome.values() else 0


def _pipeline(watched_one: Pipeline, data: Path | None, log: Path | None, most: int | None) -> Pipeline:
    """One step: the file or the log against the checked examples of the live model's run."""
    from kilnworks.components.detect_drift import (
        FileDriftConfig,
        LogDriftConfig,
        detect_drift_in_file,
        detect_drift_in_log,
    )
    from kilnworks.components.sources.prediction_log import PredictionLogSource
    from kilnworks.schemas.artifacts import Examples

    made = [step for step in watched_one.steps if issubclass(step.signature.result, Examples)]
    if not made:
        raise ConfigError(
            f"{watched_one.name} has no step that makes examples",
            "a step whose result is Examples",
            "name another pipeline",
        )
    inputs = {"baseline": Champion(watched_one.name, made[-1].name)}
    if log is not None:
        source = PredictionLogSource(path=str(log))
        step = Step("drift", detect_drift_in_log, LogDriftConfig(log=source, most_drifted=most), inputs)
    else:
        settings: dict[str, Any] = {"file": str(data), "like": _source_of(made[0]), "most_drifted": most}
        step = Step("drift", detect_drift_in_file, FileDriftConfig(**settings), inputs)
    return Pipeline(
        f"{watched_one.name}_drift", (step,), description=f"Drift against the live model of {watched_one.name}"
    )


def _source_of(step: Step) -> "Source | None":
    return getattr(step.config, "source", None)


def _print(found: dict[str, Any]) -> None:
    """The most moved features, each with the statistics that are beyond their threshold."""
    limits = found["thresholds"]
    table = Table(box=None, pad_edge=False)
    for title in ("feature", "", "beyond its threshold"):
        table.add_column(title, overflow="fold")
    for one in found["features"][:SHOWN]:
        beyond = [f"{s.replace('_', ' ')} {one['statistics'][s]:.3f} (from {limits[s]:g})" for s in one["beyond"]]
        mark = Text("moved", "bold red") if beyond else Text("as before", "green")
        table.add_row(Text(named(one["feature"])), mark, ", ".join(beyond))
    console = table_console()
    console.print(table)
    rows, domain = found["rows"], found["domain"]
    sampling = found.get("sampling", {}).get("words")
    if sampling:
        console.print(sampling, markup=False, highlight=False, soft_wrap=True)
    told = f"; a small model tells them apart with AUC {domain['auc']:.3f}" if domain else ""
    console.print(
        f"{len(found['drifted'])} of {len(found['features'])} features have moved: {rows['new']:,} rows of "
        f"{found['new']} against {rows['reference']:,} of {found['reference']}{told}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
