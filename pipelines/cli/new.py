"""``kilnworks new``: from data to a contract and a pipeline that trains."""

import keyword
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kilnworks.pipelines.cli.console import Console
from kilnworks.pipelines.cli.decision_lines import decision_lines
from kilnworks.pipelines.cli.quiet import quiet_libraries
from kilnworks.pipelines.cli.writing import write_asked, write_contract
from kilnworks.schemas.errors import ConfigError

if TYPE_CHECKING:
    from kilnworks.components.starting.recipe import Recipe

FORECAST = "forecast"
_RESERVED = ("cli_", "contract_", "_")
"""How names of files in ``pipelines/`` begin that are no definitions."""


def new(
    name: Annotated[str, typer.Argument(help="Name of the pipeline and of its model.", show_default=False)],
    data: Annotated[
        str,
        typer.Option(
            help="CSV, Parquet, JSON lines or .npz file; folder of images by class, or with an annotation file; "
            "SQLAlchemy URL; TFDS name; or gym: and the name of an environment, gym:CartPole-v1.",
            show_default=False,
        ),
    ],
    label: Annotated[str | None, typer.Option(help="Column to be predicted, or none [default: guessed]")] = None,
    task: Annotated[
        str | None,
        typer.Option(
            help="classification or regression [default: seen from the label]; anomaly, clusters or codes "
            "without; generation of images"
        ),
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="Column that says when a row was made, or none [default: found]")
    ] = None,
    positive: Annotated[
        str | None, typer.Option(help="Of two classes the one that is looked for [default: the rarer one]")
    ] = None,
    decimal: Annotated[
        list[str] | None,
        typer.Option(help="Decimal sign of a column, price=, or price=.; may be repeated [default: found]"),
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(min=1, max=10_000, help="Rows are moments of a series: forecast so many steps ahead.")
    ] = None,
    known_ahead: Annotated[
        str | None, typer.Option(help="Columns that are known for the steps ahead, such as temp,humidity.")
    ] = None,
    sequence: Annotated[
        str | None,
        typer.Option(help="Columns with a number behind (t for t0 to t28), or an array of .npz, that are one course."),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(min=0.1, metavar="MINUTES", help="Minutes that the training may take [default: any]."),
    ] = None,
    query: Annotated[str | None, typer.Option(help="SELECT, or name of a table, for a database.")] = None,
    root: Annotated[
        Path | None, typer.Option(help="Project folder [default: $KILNWORKS_ROOT or the current one]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
) -> None:
    """Look at data, write a contract and a pipeline, and say what was decided and why."""
    from kilnworks.components.sources.paths import local
    from kilnworks.schemas.places import project_root

    quiet_libraries()
    folder = local(root).resolve() if root else project_root()
    contract, definition = _places(name, folder, force)
    from kilnworks.components.quality.screening.columns.column_specs import parse_decimals
    from kilnworks.components.starting.durations import timed
    from kilnworks.components.starting.start import start
    from kilnworks.components.tasks.asked import as_asked

    wanted = None if task == FORECAST else as_asked(task)

    decimals = parse_decimals(decimal or [])
    ahead, sequences = _split(known_ahead), _split(sequence)
    if horizon is None and (ahead or task == FORECAST):
        raise ConfigError(f"--{'known-ahead' if ahead else 'task forecast'} alone", "--horizon too", "add --horizon 24")
    recipe = start(
        name, data, label=label, task=wanted, time=time, query=query, decimals=decimals,
        positive=positive, horizon=horizon, ahead=ahead, sequences=sequences,
    )  # fmt: skip
    recipe = timed(recipe, budget)
    _write(name, recipe, folder, contract, definition)
    _tell(name, recipe, folder, contract, definition)


def _split(text: str | None) -> tuple[str, ...]:
    """Names between commas."""
    return tuple(one.strip() for one in (text or "").split(",") if one.strip())


def _places(name: str, folder: Path, force: bool) -> tuple[Path, Path]:
    """The two files to be written. Raises ``ConfigError`` for a name that cannot be one, or files that are there."""
    usable = re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) and not keyword.iskeyword(name)
    if not usable or name.startswith(_RESERVED) or name in ("core", "cli"):
        raise ConfigError(
            f"name {name!r}", f"letters, digits and _, first a letter, not {', '.join(_RESERVED)}...", "choose another"
        )
    contract, definition = folder / "schemas/contracts" / f"{name}.yaml", folder / "pipelines" / f"{name}.py"
    there = [str(path) for path in (contract, definition) if path.exists()]
    if there and not force:
        raise ConfigError(f"{' and '.join(there)} is there already", "a new name", "choose another, or use --force")
    return contract, definition


def _write(name: str, recipe: "Recipe", folder: Path, contract: Path, definition: Path) -> None:
    from kilnworks.components.starting.definition import definition as written

    write_contract(contract, recipe.contract)
    write_asked(definition, written(name, recipe, folder, contract))


def _tell(name: str, recipe: "Recipe", folder: Path, contract: Path, definition: Path) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    for line, flagged in decision_lines(recipe.decisions):
        console.print(line, style="yellow" if flagged else None)
    console.print(f"\nwritten: {_shown(contract)}\n         {_shown(definition)}")
    console.print(f"next:    {_prefix(folder)}kilnworks run {name}")


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _prefix(folder: Path) -> str:
    """What makes the next command find the project, where it would not."""
    from kilnworks.schemas.places import project_root

    return "" if folder == project_root() else f"KILNWORKS_ROOT={_quoted(os.fspath(folder))} "


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)
