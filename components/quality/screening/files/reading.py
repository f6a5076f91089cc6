"""Reading rows without trusting them: what cannot be read is an error in plain words, what is odd is a fact.

Comma-separated text (any usual delimiter), Parquet, JSON lines and NumPy archives, one file or a folder of them. Text
stays text: what a column means is decided later, so that "12,5" in a column of numbers is seen and not guessed away.
"""

import gzip
import io
import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from kilnworks.components.quality.screening.files.text_file import TextFacts, inspect_text, lines_above
from kilnworks.components.sources.files.content import cut_off, read_head, refuse_empty, refuse_other
from kilnworks.components.sources.files.endings import ENDINGS, Kind, gzipped
from kilnworks.components.sources.files.guard import reading
from kilnworks.components.sources.files.json_lines import column, fields, rows
from kilnworks.components.sources.files.kinds import kind_inside, kind_of_path
from kilnworks.components.sources.files.layout import Layout, layout_of, refuse_repeated, unnamed_words
from kilnworks.components.sources.files.notes import say
from kilnworks.components.sources.files.survey import refuse_ragged, survey
from kilnworks.components.sources.parquet import parquet_schema
from kilnworks.components.sources.paths import find_files
from kilnworks.schemas.errors import DataUnreadable

Format = Kind


@dataclass(frozen=True)
class FileFacts:
    """What was noticed about the file itself."""

    format: Format
    suffix: str
    columns: tuple[str, ...]
    text: TextFacts = field(default_factory=TextFacts)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "columns": list(self.columns)}


def read_file(path: Path, delimiter: str | None = None, *, lenient: bool = False) -> tuple[pl.DataFrame, FileFacts]:
    """Read a file, or the tables of a folder, whole.

    Args:
        path: of the file or folder.
        delimiter: of text, tried first.
        lenient: lines with another number of fields, and bytes that are 0, are facts for a check and no errors, and
            lines without any content are rows.

    Raises:
        DataUnreadable: no file, empty, cut off, binary, or not what its name says; parts that differ.
        DataInvalid: a column is there twice.
    """
    if path.is_dir():
        return _read_folder(path, delimiter, lenient)
    kind = kind_inside(path)
    facts = TextFacts()
    if kind == "csv":
        frame, facts = _read_text(path, delimiter, lenient)
    else:
        frame = _READERS[kind](path)
    if frame.height == 0:
        raise DataUnreadable(f"{path} has columns and no rows", "at least one row", "send the file again")
    return frame, FileFacts(kind, path.suffix.lower(), tuple(frame.columns), facts)


def together(frames: Sequence[pl.DataFrame], files: Sequence[Path], *, absent: bool = False) -> pl.DataFrame:
    """The rows of several files, by the names of their columns.

    Args:
        frames: rows of each file.
        files: where they are from, for messages.
        absent: whether a column that a file lacks is missing there, as in JSON lines.

    Raises:
        DataUnreadable: a file has other columns than the first, or another type of values.
    """
    first = frames[0].columns
    for frame, file in zip(frames[1:], files[1:], strict=True):
        more = [name for name in frame.columns if name not in first]
        less = [name for name in first if name not in frame.columns]
        if (more or less) and not absent:
            told = [f"has {', '.join(more)} beside" if more else "", f"lacks {', '.join(less)}" if less else ""]
            raise DataUnreadable(
                f"{file} {' and '.join(t for t in told if t)}",
                f"the columns of {files[0]}: {', '.join(first)}",
                "give all files the same columns, in any order, and each a header",
            )
    with reading(files[0].parent, "values of one type in each column", "write the column the same way in all files"):
        if absent:
            return pl.concat(frames, how="diagonal_relaxed")
        return pl.concat([frame.select(first) for frame in frames], how="vertical_relaxed")


def _read_folder(path: Path, delimiter: str | None, lenient: bool) -> tuple[pl.DataFrame, FileFacts]:
    kind = kind_of_path(path)
    if kind == "images":
        raise DataUnreadable(f"folder {path} holds images", "a file of a table, or a folder of them", "name one")
    files = find_files(str(path), ENDINGS[kind])
    if kind == "jsonl":
        frame = _read_jsonl(files)
        return frame, FileFacts(kind, files[0].suffix.lower(), tuple(frame.columns))
    frames, facts = zip(*(read_file(file, delimiter, lenient=lenient) for file in files), strict=True)
    one_way([one.text.delimiter for one in facts], files, "separated by")
    return together(frames, files), facts[0]


def one_way(found: Sequence[str], files: Sequence[Path], words: str) -> str:
    """What all files have in common. Raises ``DataUnreadable`` naming the first that is written otherwise."""
    for one, file in zip(found, files, strict=True):
        if one != found[0]:
            raise DataUnreadable(
                f"{file} is {words} {one!r}", f"{found[0]!r}, as {files[0]}", "write all files in one way"
            )
    return found[0]


def _read_parquet(path: Path) -> pl.DataFrame:
    parquet_schema(path)
    with reading(path, "a whole Parquet file"):
        return pl.read_parquet(path.absolute(), glob=False)


def _read_jsonl(files: Sequence[Path]) -> pl.DataFrame:
    """All rows; what nests is its JSON text."""
    holds = fields(files)
    objects = [row for file in files for _, row in rows(file)]
    frame = pl.DataFrame([column(name, [row.get(name) for row in objects], kind) for name, kind in holds.items()])
    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    return frame.with_columns(column(name, [_nested(row.get(name)) for row in objects], "text") for name in nested)


def _nested(value: Any) -> Any:
    return None if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _read_npz(path: Path) -> pl.DataFrame:
    """Arrays of one value a row; others are passed over."""
    from kilnworks.components.sources.base import Wanted
    from kilnworks.components.sources.columns import Column
    from kilnworks.components.sources.npz import NpzSource

    source = NpzSource(path=str(path))
    names = source.column_names()
    frame = pl.concat(list(source.batches(names, Wanted({n: Column(n, "key") for n in names}))))
    return frame.drop([name for name, dtype in frame.schema.items() if dtype.is_nested()])


_READERS = {"parquet": _read_parquet, "jsonl": lambda path: _read_jsonl([path]), "npz": _read_npz}


def _read_text(path: Path, delimiter: str | None, lenient: bool) -> tuple[pl.DataFrame, TextFacts]:
    data = _text_bytes(path)
    text, facts = inspect_text(data, delimiter)
    layout = layout_of(text[: 2**20].decode("utf-8", "ignore"), facts.delimiter, path)
    refuse_repeated(layout.names, path)
    if not lenient:
        refuse_ragged(survey([text], layout), layout, path, lines_above(data))
    if facts.encoding == "not utf-8":
        say(f"{path} is not UTF-8 and is read as cp1252; save it as UTF-8 to be sure")
    if told := unnamed_words(layout.names):
        say(f"{path}: {told} and {'is' if told.startswith('column ') else 'are'} passed over")
    with reading(path, "a CSV file that can be read", "correct the file, or write it again"):
        frame = pl.read_csv(
            io.BytesIO(_renamed(text, layout)),
            separator=facts.delimiter,
            schema=dict.fromkeys(_short(layout), pl.String()),
            infer_schema=False,
            truncate_ragged_lines=True,
            quote_char='"' if facts.quotes else None,
        )
    frame.columns = layout.physical
    if not lenient and len(layout.names) > 1:
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    return frame.select(layout.named), facts


def _short(layout: Layout) -> list[str]:
    return [f"c{at}" for at in range(len(layout.names))]


def _renamed(text: bytes, layout: Layout) -> bytes:
    """The text under a header of names that every reader takes for the same."""
    rows = text.split(b"\n", layout.above)
    return layout.separator.join(_short(layout)).encode() + b"\n" + (rows[-1] if len(rows) > layout.above else b"")


def _text_bytes(path: Path) -> bytes:
    head = read_head(path)
    refuse_empty(path, head)
    refuse_other(path, head, "csv")
    try:
        return gzip.decompress(path.read_bytes()) if gzipped(path.name) else path.read_bytes()
    except (EOFError, zlib.error, OSError) as error:
        raise cut_off(path, error) from None
