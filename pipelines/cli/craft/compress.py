"""``compress``: a smaller model of a run's model, measured beside it, and published where that is asked for."""

import shlex
from typing import Annotated, Any, Literal

import typer

from kilnworks.components.charts.scale import bytes_text
from kilnworks.components.compress import CompressConfig, LitertConfig
from kilnworks.pipelines.cli.console import Console, say, watched
from kilnworks.pipelines.cli.live import By, Name, Reason, closed_gates, opened_as, wanted_live
from kilnworks.pipelines.cli.quiet import quiet_libraries
from kilnworks.pipelines.cli.settings import StoreUrl, new_run_id, overrides
from kilnworks.pipelines.core.after_run import finish_run
from kilnworks.pipelines.core.evaluated import champion_of
from kilnworks.pipelines.core.execute import artifact_path, run_all
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.space import trained_step
from kilnworks.pipelines.core.store import Run, Store, open_store
from kilnworks.pipelines.craft.compressing import KEY, LITERT, SMALLER, finished_before, with_compression
from kilnworks.schemas.access import private_files
from kilnworks.schemas.errors import EXIT_SKIPPED, ConfigError, KilnworksError, StoreError
from kilnworks.schemas.files import read_json
from kilnworks.schemas.json_values import as_dict, as_list
from kilnworks.schemas.words import figure

SHOWN = 3
"""Metrics in a line."""


@private_files()
def compress(
    name: Name,
    to: Annotated[str, typer.Option("--to", help="int8, pruned or litert.", show_default=False)],
    run_id: Annotated[str | None, typer.Option("--run", help="A run's model [default: the live one]")] = None,
    sparsity: Annotated[
        float | None, typer.Option("--sparsity", help="Share of weights that become 0; of pruned. [default: 0.75]")
    ] = None,
    max_loss: Annotated[
        float | None, typer.Option("--max-loss", help="How much worse it may be, in the unit of the metric.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="Another setting of the compression.")
    ] = None,
    promote: Annotated[bool, typer.Option("--promote", help="Publish the smaller model.")] = False,
    by: By = None,
    reason: Reason = "",
    store: StoreUrl = None,
) -> int:
    """Make a model smaller: weights in one byte, weights pruned, or a file for LiteRT.

    Size, latency and metrics stand beside those of the trained model. The smaller model is a run of its own: evaluated,
    exported and, with --promote, published. It stops where it is shown to be worse by more than --max-loss.
    """
    quiet_libraries()
    given = {"sparsity": sparsity, "max_loss": max_loss}
    config = _settings(to, {**{k: v for k, v in given.items() if v is not None}, **overrides(settings or [])})
    opened, console = open_store(store), Console(soft_wrap=True)
    opened.check_writable()
    defined = load(name)
    source = _source(opened, name, run_id)
    record = read_json(source.path / "run.json")
    step = LITERT if isinstance(config, LitertConfig) else SMALLER
    made = with_compression(defined.configured(record["overrides"]), config)
    found = finished_before(made, source, step)
    this = opened.run(name, new_run_id())
    command = _command(name, to, source, given, settings or [])
    begun = this.begin(
        command, record["overrides"], trigger=f"compression of run {source.run_id}", steps=made.outline(),
        **({KEY: config.model_dump(mode="json")} if step == SMALLER else {}),
        **wanted_live(promote, not promote, by, reason or f"smaller model of run {source.run_id}"),
    )  # fmt: skip
    pipeline = opened_as(defined, this, begun) if step == SMALLER else made
    for taken, artifact in found.items():
        this.link(taken, artifact)
    selected = {step} if step == LITERT else pipeline.between(step, None)
    try:
        with watched(console, pipeline) as listener:
            outcome = run_all(pipeline, this, selected=selected, listener=listener)
    except StoreError as error:
        raise _changed(source, error) from error
    except (KilnworksError, KeyboardInterrupt):
        say(console, f"report   {finish_run(this)}")
        raise
    _tell(console, this, step)
    say(console, f"report   {finish_run(this)}")
    closed = closed_gates(this, outcome)
    if step == SMALLER and not promote and not closed:
        say(console, f"publish  kilnworks promote {name} --run {this.run_id}")
    return EXIT_SKIPPED if closed else 0


def _command(name: str, to: str, source: Run, given: dict[str, Any], settings: list[str]) -> str:
    """The command as it is kept with the run."""
    words = ["kilnworks", "compress", name, "--to", to, "--run", source.run_id]
    for field, value in given.items():
        words += [] if value is None else [f"--{field.replace('_', '-')}", f"{value:g}"]
    return shlex.join([*words, *(word for one in settings for word in ("--set", one))])


def _settings(to: str, given: dict[str, Any]) -> CompressConfig | LitertConfig:
    """The settings of the step. Raises ``ConfigError``."""
    if to == "litert":
        return LitertConfig().updated(given)
    if to not in ("int8", "pruned"):
        raise ConfigError(f"--to {to}", "one of int8, pruned, litert", "correct --to")
    kind: Literal["int8", "pruned"] = "int8" if to == "int8" else "pruned"
    if kind == "int8" and "sparsity" in given:
        raise ConfigError("--sparsity with --to int8", "--to pruned, which takes weights away", "leave --sparsity out")
    return CompressConfig(to=kind).updated(given)


def _source(opened: Store, name: str, run_id: str | None) -> Run:
    """The run that is named; else the one that is live; else the newest with a trained model."""
    found = opened.find_run(name, run_id)
    if run_id is not None:
        return found
    champion = champion_of(found)
    if champion is not None:
        return opened.find_run(name, champion.run_id)
    step = trained_step(load(name)).name
    return next((run for run in reversed(opened.runs(name)) if run.manifest(step) is not None), found)


def _changed(source: Run, error: StoreError) -> ConfigError:
    return ConfigError(
        f"code, data or settings have changed since run {source.run_id}: {error.got}",
        "a run of the definition as it is now",
        f"kilnworks run {source.pipeline} --train-only, then compress that run",
    )


def _tell(console: Console, run: Run, step: str) -> None:
    """Both models, a line each, and what was lost."""
    path = artifact_path(run, step) / "compression.json"
    if not path.is_file():
        return
    told = as_dict(read_json(path))
    for model in map(as_dict, as_list(told.get("models"))):
        times = "  ".join(
            f"{rows} row{'' if rows == '1' else 's'} {figure(ms, 3)} ms"
            for rows, ms in as_dict(model.get("milliseconds")).items()
        )
        metrics = as_dict(as_dict(model.get("metrics")).get(told.get("split", "test")))
        shown = "  ".join(f"{name} {figure(value)}" for name, value in [*metrics.items()][:SHOWN])
        packed = f" ({bytes_text(model['packed'])} packed)" if "packed" in model else ""
        say(console, f"{model['name']:8} {bytes_text(model['bytes'])}{packed}  {times}  {shown}")
    if told.get("said"):
        say(console, f"         {told['said']}")
    if told.get("lost"):
        say(console, f"lost     {as_dict(told['lost']).get('text')}")
