"""Rows of a file that somebody wants predictions for: read, checked against the contract, sent as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.predicting.images import image_frames, takes_images
from components.quality.row_rules import Broken, broken_rules
from components.sources import CsvSource, JsonLinesSource, NpzSource, ParquetSource
from components.sources.base import Source, Wanted
from components.sources.columns import contract_columns
from schemas.errors import DataUnreadable, RequestInvalid

if TYPE_CHECKING:
    import polars as pl

    from schemas.contract import Contract

KINDS: dict[str, type[CsvSource | JsonLinesSource | NpzSource | ParquetSource]] = {
    ".csv": CsvSource,
    ".csv.gz": CsvSource,
    ".tsv": CsvSource,
    ".tsv.gz": CsvSource,
    ".npz": NpzSource,
    ".pq": ParquetSource,
    ".jsonl": JsonLinesSource,
    ".ndjson": JsonLinesSource,
    ".parquet": ParquetSource,
}


def request_frames(path: Path, contract: Contract, like: Source | None = None) -> Iterator[pl.DataFrame]:
    """The features of a file's rows in contract dtypes, batch by batch, each batch checked before it is handed out.

    Label, key and time column may be absent; columns that the contract does not know are passed over. Images come with
    a further column, the name of the file.

    Args:
        path: of the rows; for a model of images also a folder.
        contract: that the model was trained under.
        like: how the training data were read; a file of the same kind is read so, too (separator, encoding, ...).

    Raises:
        DataUnreadable: the file is missing, empty, of an unknown kind or broken.
        RequestInvalid: a row breaks a rule; names rows, columns, rules and values. Nothing of its batch is predicted.
        DataInvalid: a feature's column is missing.
    """
    if takes_images(contract) and path.suffix.lower() not in (".parquet", ".jsonl", ".npz"):
        yield from image_frames(path, contract, like)
        return
    columns = {name: column for name, column in contract_columns(contract).items() if name in contract.features}
    seen = 0
    for frame in file_source(path, like).frames(Wanted(columns, any_extra=True)):
        broken = [b for b in broken_rules(contract, frame) if b.severity == "critical"]
        if broken:
            raise _refusal(path, broken, seen)
        seen += frame.height
        yield frame.select(list(columns))


def file_source(path: Path, like: Source | None = None) -> Source:
    """Reads a file of rows by its ending, like the training data where these are of the same kind.

    In a file of another kind, texts of numbers and datetimes are read as in the training data.

    Raises:
        DataUnreadable: the ending says nothing.
    """
    ending = next((e for e in KINDS if path.name.lower().endswith(e)), None)
    if ending is None:
        raise DataUnreadable(
            f"{path}: cannot tell the kind of file", f"one of {', '.join(KINDS)}", "convert or rename it"
        )
    if isinstance(like, KINDS[ending]):
        return like.model_copy(update={"path": str(path)})
    written: dict[str, Any] = {}
    if like is not None:
        written = {"number_formats": like.number_formats, "datetime_formats": like.datetime_formats}
    if ending in (".tsv", ".tsv.gz"):
        return CsvSource(path=str(path), separator="\t", **written)
    return KINDS[ending](path=str(path), **written)


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
