"""``kilnworks contract``: infer a contract, check a file, compare and change contracts, read and write other formats."""

import json
from pathlib import Path
from typing import Annotated

import typer

contract_app = typer.Typer(help="Contracts: what the data looks like.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


@contract_app.command("infer")
def infer(
    file: Annotated[Path, typer.Argument(help="A clean CSV, Parquet or JSON lines file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the contract is written.")],
    label: Annotated[str | None, typer.Option(help="Column to be predicted.")] = None,
    task: Annotated[str | None, typer.Option(help="classification or regression; by default seen from the label.")] = None,
    time: Annotated[str | None, typer.Option(help="Column that says when a row was made.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the contract; by default that of the file.")] = None,
) -> None:
    """Write the contract of a clean file."""
    from components.quality.infer import infer_contract
    from schemas.contract import dump_contract
    from schemas.errors import ConfigError
    from schemas.files import write_text

    if task not in (None, "classification", "regression"):
        raise ConfigError(f"--task {task}", "classification or regression", "correct the option")
    contract = infer_contract(file, label, task, time, name)  # type: ignore[arg-type]
    write_text(output, dump_contract(contract))
    columns = len(contract.features)
    typer.echo(f"{output}: {columns} features, label {label or 'none'}, key {contract.key or 'none'}", err=True)


@contract_app.command("check")
def check(
    contract: Annotated[Path, typer.Argument(help="The contract.")],
    file: Annotated[Path, typer.Argument(help="The file to be judged.")],
    as_json: Json = False,
) -> None:
    """Judge a file by a contract; exit code 1 when something critical failed."""
    from components.quality.checking.check import check_file
    from schemas.contract import load_contract

    outcome = check_file(load_contract(contract), file)
    if as_json:
        typer.echo(json.dumps(outcome.record(), ensure_ascii=False))
    else:
        from pipelines.contract_table import print_outcome

        print_outcome(outcome, file)
    if not outcome.success:
        raise typer.Exit(1)
