"""Rows of a file that somebody wants predictions for: read, checked against the contract, sent as arrays."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kilnworks.components.predicting.images import image_frames, takes_images
from kilnworks.components.predicting.named_arrays import with_named_arrays
from kilnworks.components.predicting.separated import separated
from kilnworks.components.quality.rows.row_rules import Broken, broken_rules
from kilnworks.components.sources import CsvSource, JsonLinesSource, NpzSource, ParquetSource
from kilnworks.components.sources.base import Source, Wanted
from kilnworks.components.sources.columns import contract_columns
from kilnworks.components.sources.files.endings import kind_of_name
from kilnworks.components.sources.files.kinds import kind_of_path
from kilnworks.components.sources.paths import missing_file
from kilnworks.schemas.errors import DataUnreadable, RequestInvalid

if TYPE_CHECKING:
    import polars as pl

    from kilnworks.schemas.contract import Contract

KINDS: Mapping[str, type[CsvSource | JsonLinesSource | NpzSource | ParquetSource]] = {
    "csv": CsvSource,
    "jsonl": JsonLinesSource,
    "npz": NpzSource,
    "parquet": ParquetSource,
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
    if takes_images(contract) and not _encoded(path):
        yield from image_frames(path, contract, like)
        return
    columns = {name: column for name, column in contract_columns(contract).items() if name in contract.features}
    seen = 0
    source = with_named_arrays(file_source(path, like, list(columns)), contract)
    for frame in source.frames(Wanted(columns, any_extra=True)):
        broken = [b for b in broken_rules(contract, frame) if b.severity == "critical"]
        if broken:
            raise _refusal(path, broken, seen, source)
        seen += frame.height
        yield frame.select(list(columns))


def file_source(path: Path, like: Source | None = None, names: Collection[str] = ()) -> Source:
    """Reads a file of rows, or a folder of them, by its ending, like the training data where these are of that kind.

    In a file of another kind, texts of numbers and datetimes are read as in the training data. A text file that is
    separated otherwise than the training data is recognised by its header.

    Args:
        path: of the file or folder; its name is never a pattern.
        like: how the training data were read.
        names: columns that are needed.

    Raises:
        DataUnreadable: nothing is there, or the ending says nothing.
    """
    if not path.exists():
        raise missing_file(path)
    kind = kind_of_path(path)
    if kind == "images":
        raise DataUnreadable(f"folder {path} holds images", "a table of the model's features", "name another")
    made = KINDS[kind]
    if isinstance(like, made):
        source = like.model_copy(update={"path": str(path), **({"arrays": {}} if kind == "npz" else {})})
    else:
        written: dict[str, Any] = {}
        if like is not None:
            written = {name: getattr(like, name) for name in ("number_formats", "datetime_formats", "sequences")}
        source = made(path=str(path), **written)
    needed = [step for name in names for step in source.sequences.get(name, (name,))]
    return separated(source, needed) if isinstance(source, CsvSource) else source


def _encoded(path: Path) -> bool:
    """Whether a file holds images as bytes or arrays in its rows."""
    return path.is_file() and kind_of_name(path.name) in ("parquet", "jsonl", "npz")


def row_words(source: Source, row: int, column: str = "") -> str:
    """``row 41, line 42 of data.csv``; the row alone where the source knows no more."""
    place = source.place(row, column)
    return f"row {row + 1}" if place == f"row {row + 1}" else f"row {row + 1}, {place}"


def _refusal(path: Path, broken: list[Broken], offset: int, source: Source) -> RequestInvalid:
    lines = []
    for b in broken:
        rows = ", ".join(str(row + offset + 1) for row in b.rows.head(3))
        more = f" and {len(b.rows) - 3} more" if len(b.rows) > 3 else ""
        values = f" (got {', '.join(b.samples)})" if b.samples else ""
        lines.append(f"column {b.column!r}, row {rows}{more}{values}: must be {b.rule}")
    first = min(int(b.rows[0]) for b in broken) + offset
    if (where := source.place(first, broken[0].column)) != f"row {first + 1}":
        lines.append(f"row {first + 1} is {where}")
    details = [{"column": b.column, "rule": b.rule, "rows": len(b.rows), "samples": list(b.samples)} for b in broken]
    return RequestInvalid(
        f"{path} breaks the contract:\n    " + "\n    ".join(lines),
        "rows that keep every rule of the contract the model was trained under",
        "correct these rows, or leave them out",
        {"failures": details},
    )
