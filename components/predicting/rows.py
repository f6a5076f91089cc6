"""Rows of a file that somebody wants predictions for: read, checked against the contract, sent as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from components.quality.row_rules import Broken, broken_rules
from components.sources import CsvSource, JsonLinesSource, ParquetSource
from components.sources.base import Source, Wanted
from components.sources.columns import contract_columns
from schemas.errors import DataUnreadable, RequestInvalid

if TYPE_CHECKING:
    import polars as pl

    from schemas.contract import Contract

KINDS: dict[str, type[CsvSource] | type[JsonLinesSource] | type[ParquetSource]] = {
    ".csv": CsvSource,
    ".tsv": CsvSource,
    ".jsonl": JsonLinesSource,
    ".ndjson": JsonLinesSource,
    ".parquet": ParquetSource,
}


def request_frames(path: Path, contract: Contract) -> Iterator[pl.DataFrame]:
    """The features of a file's rows in contract dtypes, batch by batch, each batch checked before it is handed out.

    Label, key and time column may be absent; columns that the contract does not know are passed over.

    Raises:
        DataUnreadable: the file is missing, empty, of an unknown kind or broken.
        RequestInvalid: a row breaks a rule; names rows, columns, rules and values. Nothing of its batch is predicted.
        DataInvalid: a feature's column is missing.
    """
    columns = {name: column for name, column in contract_columns(contract).items() if name in contract.features}
    seen = 0
    for frame in _source(path).frames(Wanted(columns, any_extra=True)):
        broken = [b for b in broken_rules(contract, frame) if b.severity == "critical"]
        if broken:
            raise _refusal(path, broken, seen)
        seen += frame.height
        yield frame


def _source(path: Path) -> Source:
    if path.suffix not in KINDS:
        raise DataUnreadable(
            f"{path}: cannot tell the kind of file", f"one of {', '.join(KINDS)}", "convert or rename it"
        )
    if path.suffix == ".tsv":
        return CsvSource(path=str(path), separator="\t")
    return KINDS[path.suffix](path=str(path))


def _refusal(path: Path, broken: list[Broken], offset: int) -> RequestInvalid:
    lines = []
    for b in broken:
        rows = ", ".join(str(row + offset + 1) for row in b.rows.head(3))
        more = f" and {len(b.rows) - 3} more" if len(b.rows) > 3 else ""
        values = f" (got {', '.join(b.samples)})" if b.samples else ""
        lines.append(f"column {b.column!r}, row {rows}{more}{values}: must be {b.rule}")
    details = [{"column": b.column, "rule": b.rule, "rows": len(b.rows), "samples": list(b.samples)} for b in broken]
    return RequestInvalid(
        f"{path} breaks the contract:\n    " + "\n    ".join(lines),
        "rows that keep every rule of the contract the model was trained under",
        "correct these rows, or leave them out",
        {"failures": details},
    )
