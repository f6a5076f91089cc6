"""``kilnworks contract``: infer a contract, check a file, compare and change contracts, speak to other tools."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kilnworks.pipelines.cli.console import echo
from kilnworks.pipelines.cli.writing import write_asked, write_contract

if TYPE_CHECKING:
    from kilnworks.components.tasks.asked import Asked
    from kilnworks.schemas.contract import Contract

contract_app = typer.Typer(help="Contracts: what the data looks like.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]


@contract_app.command("infer")
def infer(
    file: Annotated[Path, typer.Argument(help="A clean CSV, Parquet or JSON lines file, or a folder of images.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the contract is written.")],
    label: Annotated[str | None, typer.Option(help="Column to be predicted.")] = None,
    task: Annotated[
        str | None, typer.Option(help="classification or regression; by default seen from the label.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="Column that says when a row was made.")] = None,
    decimal: Annotated[
        list[str] | None,
        typer.Option(help="Decimal sign of a column, price=, or price=.; may be repeated [default: found]"),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the contract; by default that of the file.")] = None,
    sensitive: Annotated[
        list[str] | None, typer.Option(help="A feature with personal values; may be repeated.")
    ] = None,
) -> None:
    """Write the contract of a clean file, or of images in folders or named by a table, and say how values are read."""
    from kilnworks.components.quality.screening.columns.column_specs import parse_decimals
    from kilnworks.components.tasks.asked import as_asked

    wanted = as_asked(task)
    decimals = parse_decimals(decimal or [])
    contract = _inferred(file, label, wanted, time, name, sensitive or [], decimals)
    write_contract(output, contract)
    columns, target = len(contract.features), contract.label.name if contract.label else "none"
    echo(f"{output}: {columns} features, label {target}, key {contract.key or 'none'}", err=True)
    if not any(f.dtype == "image" for f in contract.features.values()):
        from kilnworks.components.starting.of_file import decisions_of_file
        from kilnworks.pipelines.cli.decision_lines import decision_lines

        for line, _ in decision_lines(decisions_of_file(file, contract, sensitive or [], decimals)):
            echo(line, err=True)


def _inferred(
    file: Path,
    label: str | None,
    task: "Asked | None",
    time: str | None,
    name: str | None,
    sensitive: list[str],
    decimals: Mapping[str, str],
) -> "Contract":
    from kilnworks.components.quality.contracts.infer import contract_name, hide, infer_contract
    from kilnworks.components.starting.pictures.images import annotated, start_with_images
    from kilnworks.components.tasks.asked import NUMBERS
    from kilnworks.schemas.errors import ConfigError, UnknownName

    if not file.is_dir() and not (file.suffix.lower() == ".csv" and annotated(str(file), "csv")):
        return infer_contract(file, label, task, time, name, sensitive, decimals=decimals)
    if task == NUMBERS or time or decimals:
        raise ConfigError(
            "--time, --decimal or --task regression with images", "images and their classes", "leave the option out"
        )
    contract = start_with_images(name or contract_name(file), str(file), label=label).contract
    for one in sensitive:
        if one not in contract.features:
            raise UnknownName("feature", one, list(contract.features))
    return hide(contract, sensitive)


@contract_app.command("check")
def check(
    contract: Annotated[Path, typer.Argument(help="The contract.")],
    file: Annotated[Path, typer.Argument(help="The file, or folder of images, to be judged.")],
    as_json: Json = False,
) -> None:
    """Judge a file by a contract; exit code 1 when something critical failed."""
    from kilnworks.components.quality.screening.check import check_file
    from kilnworks.schemas.contract import load_contract

    outcome = check_file(load_contract(contract), file)
    if as_json:
        typer.echo(json.dumps(outcome.record(), ensure_ascii=False))
    else:
        from kilnworks.pipelines.cli.contract_table import print_outcome

        print_outcome(outcome, file)
    if not outcome.success:
        raise typer.Exit(1)


@contract_app.command("diff")
def diff(
    old: Annotated[Path, typer.Argument(help="A contract.")],
    new: Annotated[Path, typer.Argument(help="Another one.")],
    as_json: Json = False,
) -> None:
    """Show what two contracts say differently, and which accepts more."""
    from kilnworks.components.quality.contracts.diff import diff_contracts
    from kilnworks.schemas.contract import load_contract

    changes = diff_contracts(load_contract(old), load_contract(new))
    if as_json:
        typer.echo(json.dumps([c.record() for c in changes], ensure_ascii=False, default=str))
    else:
        from kilnworks.pipelines.cli.contract_table import print_changes

        print_changes(tuple(changes))


@contract_app.command("evolve")
def evolve(
    contract: Annotated[Path, typer.Argument(help="The contract.")],
    file: Annotated[Path, typer.Argument(help="A file that it should accept.")],
    write: Annotated[bool, typer.Option("--write", help="Replace the contract; else it is only shown.")] = False,
    as_json: Json = False,
) -> None:
    """Propose the smallest change by which a contract accepts a file, and say what it loosens."""
    from kilnworks.components.quality.contracts.evolve import evolve_contract
    from kilnworks.schemas.contract import load_contract

    evolution = evolve_contract(load_contract(contract), file)
    if as_json:
        changes = [c.record() for c in evolution.changes]
        typer.echo(json.dumps({"changes": changes, "written": write}, ensure_ascii=False, default=str))
    else:
        from kilnworks.pipelines.cli.contract_table import print_changes

        print_changes(evolution.changes)
        echo(f"{len(evolution.loosened)} of {len(evolution.changes)} changes loosen the contract")
    if write and evolution.changes:
        write_contract(contract, evolution.contract, durable=True)


@contract_app.command("import")
def import_schema(
    schema: Annotated[Path, typer.Argument(help="A TensorFlow Metadata schema.pbtxt.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where the contract is written.")],
    label: Annotated[str | None, typer.Option(help="Feature to be predicted.")] = None,
) -> None:
    """Write the contract that a TensorFlow Metadata schema stands for."""
    from kilnworks.components.quality.contracts.tfmd_read import read_schema

    read = read_schema(schema, label)
    write_contract(output, read.contract)
    echo(f"{output}: {len(read.contract.features)} features", err=True)
    _tell_left_out(read.left_out)


@contract_app.command("export")
def export(
    contract: Annotated[Path, typer.Argument(help="The contract.")],
    to: Annotated[str, typer.Option("--to", help="gx (suite), tfmd (schema.pbtxt) or jsonschema.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="A file; by default standard output.")] = None,
) -> None:
    """Write a contract in the format of another tool, and say what that format cannot hold."""
    from kilnworks.schemas.contract import load_contract

    loaded = load_contract(contract)
    text, left_out = _exported(loaded, to)
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_asked(output, text)
        echo(f"{output}: {_FORMATS[to]}, from contract {loaded.name}: {len(loaded.features)} features", err=True)
    _tell_left_out(left_out)


_FORMATS = {
    "tfmd": "a TensorFlow Metadata schema",
    "jsonschema": "a JSON schema of its rows",
    "gx": "a Great Expectations suite",
}


def _tell_left_out(lines: Sequence[str]) -> None:
    """What another format cannot say, one line each."""
    if lines:
        echo(f"left out ({len(lines)}):", err=True)
    for line in lines:
        echo(f"  {line}", err=True)


def _exported(contract: "Contract", to: str) -> tuple[str, Sequence[str]]:
    """The text in a format, and what of the contract is not in it."""
    from kilnworks.schemas.errors import UnknownName

    if to == "tfmd":
        from kilnworks.components.quality.contracts.tfmd import export_schema

        schema = export_schema(contract)
        return schema.text, schema.left_out
    if to == "jsonschema":
        from kilnworks.components.quality.contracts.json_schema import export_json_schema

        exported = export_json_schema(contract)
        return json.dumps(exported.tree, indent=2, ensure_ascii=False) + "\n", exported.left_out
    if to == "gx":
        from kilnworks.components.quality.contracts.gx_suite import export_gx

        suite = export_gx(contract)
        return json.dumps(suite.tree, indent=2, ensure_ascii=False, default=str) + "\n", suite.left_out
    raise UnknownName("format", to, ["gx", "tfmd", "jsonschema"])
