"""``diagnose``: what ails a training, and what to try."""

import time
from typing import Annotated, Any

import typer

from kilnworks.pipelines.cli.console import Console, say
from kilnworks.pipelines.cli.live import Name
from kilnworks.pipelines.cli.quiet import quiet_libraries
from kilnworks.pipelines.cli.settings import StoreUrl, new_run_id, overrides
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import Store, clean, open_store
from kilnworks.pipelines.craft.diagnosis import Diagnosis, checked, diagnose
from kilnworks.pipelines.craft.work import REPORT
from kilnworks.schemas.access import private_files
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.words import figure

SHARES = (0.25, 0.5, 1.0)
"""Of the training rows, where nobody says it."""


@private_files()
def diagnose_command(
    name: Name,
    shares: Annotated[
        str | None,
        typer.Option("--shares", help="Shares of the training rows, such as 0.1,0.3,1. [default: 0.25,0.5,1]"),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, max=2**32 - 1, help="Of the draw of rows.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the newest one.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="STEP.FIELD=VALUE", help="A setting of every training.")
    ] = None,
    store: StoreUrl = None,
    work: Annotated[str | None, typer.Option("--work", hidden=True)] = None,
) -> int:
    """Say what ails a training, and what to try: bias, variance, too few rows, a leak, wrong labels, sick layers.

    Trains on shares of the training rows, compares losses on training and validation rows, and looks at the model. The
    test rows are not read.
    """
    quiet_libraries()
    opened, console = open_store(store), Console(soft_wrap=True)
    opened.check_writable()
    asked = {"shares": shares, "seed": seed}
    given = {key: value for key, value in asked.items() if value is not None}
    if resume:
        this = Diagnosis.resumed(opened, name, given, settings or [])
    else:
        this = Diagnosis.named(opened, name, work) or _begun(opened, name, given, settings or [], work)
    pipeline = load(name).configured(this.record["settings"])
    with this.alone():
        say(console, f"shares   {', '.join(f'{s:g}' for s in this.record['shares'])}; the test rows are not read")

        def heard(share: float, point: dict[str, Any]) -> None:
            losses = {name: point["sides"][name]["loss"] for name in ("train", "val")}
            told = "  ".join(f"{name} loss {figure(sum(values) / len(values))}" for name, values in losses.items())
            say(console, f"point    {point['rows']:,} rows  {told}  best epoch {point['best_epoch']}")

        found = diagnose(this, pipeline, heard, lambda: say(console, "look     at the validation rows"))
        return _conclude(console, this, found)


def _begun(store: Store, name: str, given: dict[str, Any], settings: list[str], work: str | None) -> Diagnosis:
    """A new one, refused before anything is trained where it cannot be."""
    fixed = overrides(settings)
    shares = checked(load(name).configured(fixed), parsed(given["shares"]) if "shares" in given else SHARES)
    this = Diagnosis(store, name, clean(work or new_run_id()))
    this.begin({"settings": fixed, "shares": shares, "seed": given.get("seed", 0)})
    return this


def parsed(text: str) -> list[float]:
    """``0.1,0.3,1`` as numbers. Raises ``ConfigError``."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"--shares {text}", "numbers with commas between them, such as 0.1,0.3,1", "correct it"
        ) from None


def _conclude(console: Console, this: Diagnosis, found: dict[str, Any]) -> int:
    from kilnworks.components.reporting.diagnose_page import write_diagnosis

    told = {
        **found, "pipeline": this.pipeline, "name": this.name,
        "written": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
    }  # fmt: skip
    page = write_diagnosis(this.folder / REPORT, this.finish(told))
    this.store.push(f"{this.FOLDER}/{this.pipeline}/{this.folder.name}/{REPORT}")
    for one in found["verdicts"]:
        say(console, f"verdict  {one['title']}{'' if one['sure'] else ', perhaps'}: {one['said']}")
        for remedy in one["remedies"]:
            command = f": {remedy['command']}" if remedy["command"] else ""
            say(console, f"try      {remedy['words']}{command}")
    if not found["verdicts"]:
        say(console, f"verdict  nothing found: {', '.join(f'no {fault}' for fault in found['looked_for'])}")
    say(console, f"report   {page}")
    return 0
