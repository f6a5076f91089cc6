"""``lr-find``: a learning rate for a definition's own model, optimizer, loss and batches."""

import time
from typing import Annotated, Any

import typer

from kilnworks.components.diagnosing.remedies import run_with
from kilnworks.pipelines.cli.console import Console, say
from kilnworks.pipelines.cli.live import Name
from kilnworks.pipelines.cli.quiet import quiet_libraries
from kilnworks.pipelines.cli.settings import StoreUrl, new_run_id, overrides
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import clean, open_store
from kilnworks.pipelines.craft.work import REPORT, Work
from kilnworks.schemas.access import private_files
from kilnworks.schemas.errors import ConfigError


@private_files()
def lr_find(
    name: Name,
    low: Annotated[float, typer.Option("--from", help="Rate of the first step.")] = 1e-6,
    high: Annotated[float, typer.Option("--to", help="Rate of the last step.")] = 1.0,
    steps: Annotated[int, typer.Option("--steps", min=20, max=100_000, help="Of a test, at most.")] = 300,
    batch_sizes: Annotated[
        str | None,
        typer.Option("--batch-sizes", help="Batches to test, such as 32,64,128. [default: the definition's]"),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="STEP.FIELD=VALUE", help="A setting of every test.")
    ] = None,
    store: StoreUrl = None,
    work: Annotated[str | None, typer.Option("--work", hidden=True)] = None,
) -> int:
    """Find a learning rate: train fresh weights with a rate that rises step by step, and see where the loss falls.

    No model is kept. Tells the settings for kilnworks run, for each batch size.
    """
    quiet_libraries()
    from kilnworks.pipelines.craft.rates import Rates, checked, find_rates

    opened, console = open_store(store), Console(soft_wrap=True)
    opened.check_writable()
    fixed = overrides(settings or [])
    pipeline = load(name).configured(fixed)
    batches = checked(pipeline, low, high, parsed(batch_sizes) if batch_sizes else [])
    this = Rates(opened, name, clean(work or new_run_id()))
    this.begin({"settings": fixed, "from": low, "to": high, "steps": steps, "batches": batches})
    with this.alone():

        def heard(test: dict[str, Any]) -> None:
            ends = "not seen" if test["divergence"] is None else f"{test['divergence']:.2g}"
            steepest = "nowhere" if test["steepest"] is None else f"at {test['steepest']:.2g}"
            say(console, f"test     batches of {test['batch']:,}: falls fastest {steepest}, divergence {ends}")

        found = find_rates(this, pipeline, heard)
        return _conclude(console, this, found)


def parsed(text: str) -> list[int]:
    """``32,64`` as numbers. Raises ``ConfigError``."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        wanted = "whole numbers with commas between them, such as 32,64,128"
        raise ConfigError(f"--batch-sizes {text}", wanted, "correct it") from None


def command_of(this: Work, test: dict[str, Any]) -> str:
    """The command that runs with what a test suggests; empty where it suggests nothing."""
    if test["suggestion"] is None:
        return ""
    return run_with(this.pipeline, {**this.record["settings"], **test["settings"]})


def _conclude(console: Console, this: Work, found: dict[str, Any]) -> int:
    from kilnworks.components.reporting.rates_page import write_rates

    told = {
        **found, "pipeline": this.pipeline, "name": this.name,
        "commands": [command_of(this, test) for test in found["tests"]],
        "written": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }  # fmt: skip
    page = write_rates(this.folder / REPORT, this.finish(told))
    this.store.push(f"{this.FOLDER}/{this.pipeline}/{this.folder.name}/{REPORT}")
    for test, command in zip(found["tests"], told["commands"], strict=True):
        if command:
            say(console, f"try      {command}")
        else:
            say(
                console, f"try      other rates: with batches of {test['batch']:,} the loss hardly falls (--from, --to)"
            )
    say(console, f"report   {page}")
    return 0
