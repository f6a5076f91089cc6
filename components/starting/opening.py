"""From what a person wrote after ``--data`` to a source, and to a frame to look at."""

from __future__ import annotations

import gzip
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import polars as pl

from components.quality.checking.column_specs import describe_columns
from components.quality.checking.reading import read_file
from components.quality.checking.table import Spec
from components.quality.checking.text_file import TextFacts, inspect_text
from components.sources import CsvSource, JsonLinesSource, NpzSource, ParquetSource, TfdsSource
from components.sources.base import Source
from components.sources.csv import NULL_TEXTS
from components.sources.image_files import SUFFIXES as IMAGE_SUFFIXES
from components.sources.paths import find_files, missing_file
from components.sources.sql import SqlSource
from schemas.errors import ConfigError, DataUnreadable

Kind = Literal["csv", "jsonl", "parquet", "npz", "sql", "tfds", "images"]

_ENDINGS: dict[str, Kind] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".csv.gz": "csv",
    ".tsv.gz": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".jsonlines": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".npz": "npz",
}
_TFDS_NAME = re.compile(r"[a-z][a-z0-9_]*(/[a-z0-9_.-]+)?(:[\d.]+)?")


@dataclass(frozen=True)
class Opened:
    """A table that was opened.

    Attributes:
        source: how a pipeline reads it.
        frame: all rows, in the types of the file (texts where it is text).
        specs: what each column holds.
        left_out: columns that cannot be looked at (lists, bytes), with the reason.
    """

    source: Source
    frame: pl.DataFrame
    specs: dict[str, Spec]
    left_out: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def as_file(self) -> Iterator[Path]:
        """The frame as a Parquet file, for as long as the block runs."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows.parquet"
            self.frame.write_parquet(path)
            yield path


def kind_of(data: str) -> Kind:
    """What ``--data`` names.

    Raises:
        DataUnreadable: nothing is there, or it is of no known kind.
    """
    if "://" in data:
        return "sql"
    path = Path(data).expanduser()
    if path.is_dir():
        return _kind_of_folder(path)
    if path.is_file():
        found = next((k for ending, k in _ENDINGS.items() if path.name.lower().endswith(ending)), None)
        if found is None:
            endings = ", ".join(_ENDINGS)
            raise DataUnreadable(f"{path}: cannot tell the kind of file", f"one of {endings}", "convert or rename it")
        return found
    if _TFDS_NAME.fullmatch(data) and not path.suffix:
        return "tfds"
    raise missing_file(path)


def _kind_of_folder(path: Path) -> Kind:
    names = [p.name.lower() for p in path.rglob("*") if p.is_file() and p.name[0] not in "._"]
    if any(name.endswith(IMAGE_SUFFIXES) for name in names):
        return "images"
    kinds: tuple[Kind, ...] = ("parquet", "csv", "jsonl")
    for kind in kinds:
        if any(name.endswith(ending) for name in names for ending, k in _ENDINGS.items() if k == kind):
            return kind
    raise DataUnreadable(f"folder {path} holds no image and no table", "images, CSV, Parquet or JSON lines", "check it")


def open_table(data: str, kind: Kind, query: str | None = None, decimals: Mapping[str, str] | None = None) -> Opened:
    """Read a table whole and see what its columns hold; ``decimals``: decimal signs of columns, where a person says it.

    Raises:
        DataUnreadable: it cannot be read.
        ConfigError: a database without a query.
    """
    said = dict(decimals or {})
    if kind == "csv":
        return _open_csv(data, said)
    if kind == "jsonl":
        return _described(JsonLinesSource(path=data), _together(data, (".jsonl", ".ndjson", ".jsonlines")), said)
    if kind == "parquet":
        return _described(ParquetSource(path=data), pl.concat([pl.read_parquet(f) for f in _parquet_files(data)]), said)
    if kind == "sql":
        if not query:
            raise ConfigError("a database, and no query", "--query 'SELECT ...' or the name of a table", "add it")
        return _streamed(SqlSource(url=data, query=query), said)
    if kind == "tfds":
        return _streamed(TfdsSource(name=data), said, "train")
    return _streamed(NpzSource(path=data), said)


def _parquet_files(data: str) -> list[Path]:
    return find_files(data, (".parquet", ".pq"))


def _together(data: str, endings: tuple[str, ...]) -> pl.DataFrame:
    return pl.concat([read_file(file)[0] for file in find_files(data, endings)], how="diagonal_relaxed")


def _streamed(source: Source, decimals: Mapping[str, str], split: str | None = None) -> Opened:
    """The rows of a source that is no file of rows."""
    from components.sources.base import Wanted
    from components.sources.columns import Column

    names = source.column_names(split)
    wanted = Wanted({name: Column(name, "key") for name in names})
    frame = pl.concat(list(source.batches(names, wanted, split)), how="vertical_relaxed")
    return _described(source, frame, decimals)


def _described(source: Source, frame: pl.DataFrame, decimals: Mapping[str, str]) -> Opened:
    odd = {n: f"holds {t}" for n, t in frame.schema.items() if t.is_nested() or t in (pl.Binary, pl.Object, pl.Time)}
    plain = frame.drop(list(odd))
    texts = [n for n, t in plain.schema.items() if t in (pl.Categorical, pl.Enum)]
    plain = plain.with_columns(pl.col(n).cast(pl.String) for n in texts)
    return Opened(source, plain, describe_columns(plain, decimals), odd)


def _open_csv(data: str, decimals: Mapping[str, str]) -> Opened:
    """Text, with the delimiter, encoding and number format that it turns out to have."""
    files = find_files(data, (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz"))
    frames, facts = zip(*(_read_text(file) for file in files), strict=True)
    frame = pl.concat(frames, how="vertical")
    specs = describe_columns(frame, decimals, facts[0].delimiter)
    tokens = {t for s in specs.values() if s.kind in ("number", "datetime") for t in s.tokens}
    source = CsvSource(
        path=data,
        separator=facts[0].delimiter,
        encoding=_encoding(facts[0].encoding),
        null_values=tuple(dict.fromkeys((*NULL_TEXTS, *sorted(tokens)))),
    )
    return Opened(source, frame, specs)


def _read_text(file: Path) -> tuple[pl.DataFrame, TextFacts]:
    """One file, also gzipped, every column as text."""
    if not file.name.lower().endswith(".gz"):
        frame, found = read_file(file)
        return frame, found.text
    text, facts = inspect_text(gzip.decompress(file.read_bytes()), None)
    quote = '"' if facts.quotes else None
    return pl.read_csv(text, separator=facts.delimiter, infer_schema=False, quote_char=quote), facts


def _encoding(found: str) -> str:
    return {"not utf-8": "cp1252", "utf-8-sig": "utf-8"}.get(found, found)
