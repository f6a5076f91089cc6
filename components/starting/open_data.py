"""From what a person wrote after ``--data`` to a source, and to a frame to look at."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl

from kilnworks.components.quality.screening.columns.column_specs import describe_columns
from kilnworks.components.quality.screening.columns.table import Spec
from kilnworks.components.quality.screening.files.reading import one_way, read_file, together
from kilnworks.components.sources import CsvSource, JsonLinesSource, NpzSource, ParquetSource, TfdsSource
from kilnworks.components.sources.base import Source
from kilnworks.components.sources.csv import NULL_TEXTS
from kilnworks.components.sources.files.endings import ENDINGS
from kilnworks.components.sources.files.guard import reading
from kilnworks.components.sources.files.kinds import kind_of_path
from kilnworks.components.sources.files.layout import refuse_repeated
from kilnworks.components.sources.paths import find_files, local, missing_file
from kilnworks.components.sources.sql import SqlSource
from kilnworks.components.sources.tfds_folders import VARIABLE, full_name, newest_version, prepared_below
from kilnworks.schemas.config import SecretUrl
from kilnworks.schemas.errors import ConfigError

Kind = Literal["csv", "jsonl", "parquet", "npz", "sql", "tfds", "images"]

_NO_MOMENTS: tuple[tuple[Any, str], ...] = (
    (pl.Time, "times of day, which are not read as numbers: write them as seconds or hours"),
    (pl.Duration, "durations, which are not read as numbers: write them as seconds or hours"),
)
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
    path = local(data)
    if path.is_dir() and prepared_below(path):
        return "tfds"
    if path.exists():
        return kind_of_path(path)
    if _TFDS_NAME.fullmatch(data) and not path.suffix:
        return "tfds"
    raise missing_file(path)


def images_refused(what: str) -> ConfigError:
    """Why images are not read where the columns of a table are."""
    return ConfigError(
        f"{what} holds images, and what was asked for reads the columns of a table",
        "a table, or images in folders by class",
        "leave --label none, --task, --horizon and --sequence out; --task generation makes more images of the kind",
    )


def open_table(data: str, kind: Kind, query: str | None = None, decimals: Mapping[str, str] | None = None) -> Opened:
    """Read a table whole and see what its columns hold; ``decimals``: decimal signs of columns, where a person says it.

    Raises:
        DataUnreadable: it cannot be read.
        ConfigError: a database without a query, or images.
    """
    if kind == "images":
        raise images_refused(data)
    said = dict(decimals or {})
    if kind == "csv":
        return _open_csv(data, said)
    if kind == "jsonl":
        return _described(JsonLinesSource(path=data), read_file(local(data))[0], said)
    if kind == "parquet":
        return _described(ParquetSource(path=data), read_file(local(data))[0], said)
    if kind == "sql":
        if not query:
            raise ConfigError("a database, and no query", "--query 'SELECT ...' or the name of a table", "add it")
        return _streamed(SqlSource(url=SecretUrl(data), query=query), said)
    if kind == "tfds":
        return _streamed(data_set(data), said, "train")
    return _streamed(NpzSource(path=data), said)


def data_set(data: str) -> TfdsSource:
    """A data set of TensorFlow Datasets by its name, or by its prepared folder."""
    path = local(data)
    if path.is_dir():
        folder = newest_version(path)
        return TfdsSource(name=full_name(folder), data_dir=str(folder))
    return TfdsSource(name=data, data_dir=os.environ.get(VARIABLE) or None)


def _streamed(source: Source, decimals: Mapping[str, str], split: str | None = None) -> Opened:
    """The rows of a source that is no file of rows."""
    from kilnworks.components.sources.base import Wanted
    from kilnworks.components.sources.columns import Column

    names = source.column_names(split)
    refuse_repeated(names, source)
    wanted = Wanted({name: Column(name, "key") for name in names})
    with reading(source, "values of one type in each column"):
        frame = pl.concat(list(source.batches(names, wanted, split)), how="vertical_relaxed")
    return _described(source, frame, decimals)


def _described(source: Source, frame: pl.DataFrame, decimals: Mapping[str, str]) -> Opened:
    odd = {n: _held(t) for n, t in frame.schema.items() if t.is_nested() or t in (pl.Binary, pl.Object)}
    odd |= {n: why for n, t in frame.schema.items() for kind, why in _NO_MOMENTS if t == kind}
    plain = frame.drop(list(odd))
    texts = [n for n, t in plain.schema.items() if t in (pl.Categorical, pl.Enum)]
    plain = plain.with_columns(pl.col(n).cast(pl.String) for n in texts)
    return Opened(source, plain, describe_columns(plain, decimals), odd)


def _held(kind: pl.DataType) -> str:
    """What a column holds that a table cannot have, in words."""
    if isinstance(kind, pl.Array) and len(kind.shape) == 1 and kind.inner.is_numeric():
        return f"holds {kind.shape[0]} numbers a row; as [{kind.shape[0]}, 1], steps and channels, it is a sequence"
    return f"holds {kind}"


def _open_csv(data: str, decimals: Mapping[str, str]) -> Opened:
    """Text, with the delimiter, encoding and number format that it turns out to have."""
    files = find_files(data, ENDINGS["csv"])
    frames, facts = zip(*(read_file(file) for file in files), strict=True)
    frame = together(frames, files)
    texts = [one.text for one in facts]
    specs = describe_columns(frame, decimals, texts[0].delimiter)
    tokens = {t for s in specs.values() if s.kind in ("number", "datetime") for t in s.tokens}
    source = CsvSource(
        path=data,
        separator=one_way([t.delimiter for t in texts], files, "separated by"),
        encoding=one_way(_encodings([t.encoding for t in texts], frames), files, "written in"),
        null_values=tuple(dict.fromkeys((*NULL_TEXTS, *sorted(tokens)))),
    )
    return Opened(source, frame, specs)


def _encodings(found: list[str], frames: tuple[pl.DataFrame, ...]) -> list[str]:
    """Encodings as sources know them; a file of plain ASCII beside others in cp1252 is in cp1252, too."""
    named = [{"not utf-8": "cp1252", "utf-8-sig": "utf-8"}.get(one, one) for one in found]
    if "cp1252" not in named:
        return named
    return ["cp1252" if _is_ascii(frame) else one for one, frame in zip(named, frames, strict=True)]


def _is_ascii(frame: pl.DataFrame) -> bool:
    plain = frame.select((pl.all().str.len_bytes() == pl.all().str.len_chars()).all())
    return "".join(frame.columns).isascii() and all(plain.row(0))
