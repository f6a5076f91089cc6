"""Reading a file of rows without trusting it: what cannot be read is an error in plain words, what is odd is a fact.

Comma-separated text (any usual delimiter), Parquet and JSON lines. Text stays text: what a column means is decided
later, so that "12,5" in a column of numbers is seen and not guessed away.
"""

import csv
import io
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl

from components.quality.checking.text_file import ENCODINGS, TextFacts, inspect_text
from schemas.errors import DataUnreadable

Format = Literal["csv", "parquet", "jsonl"]

_SUFFIXES: dict[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
_SIGNATURES = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"\x1f\x8b": "a gzip archive",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"%PDF": "a PDF document",
    b"SQLite format 3": "an SQLite database",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"BZh": "a bzip2 archive",
    b"(\xb5/\xfd": "a zstd archive",
    b"\x80\x04\x95": "a Python pickle",
}


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


def read_file(path: Path, delimiter: str | None = None) -> tuple[pl.DataFrame, FileFacts]:
    """Read a file whole; ``delimiter`` is tried first for text.

    Raises:
        DataUnreadable: no file, empty, cut off, binary, or not what its name says.
    """
    head = _head(path)
    expected = _SUFFIXES.get(path.suffix.lower(), "csv")
    actual = _detect(head, path)
    if actual != expected and not (expected == "csv" and path.suffix.lower() not in (".csv", ".tsv", ".txt", "")):
        raise DataUnreadable(
            f"{path.name} is {actual} inside", f"{expected}, as its name says", "give the file its true suffix"
        )
    try:
        if actual == "parquet":
            frame, facts = pl.read_parquet(path), TextFacts()
        elif actual == "jsonl":
            frame, facts = _read_jsonl(path), TextFacts()
        else:
            frame, facts = _read_text(path, delimiter)
    except (pl.exceptions.PolarsError, OSError, ValueError, csv.Error) as error:
        reason = str(error).splitlines()[0][:200]
        raise DataUnreadable(
            f"{path.name} cannot be read: {reason}", f"a whole {actual} file", "send it again"
        ) from None
    return frame, FileFacts(actual, path.suffix.lower(), tuple(frame.columns), facts)


def _head(path: Path) -> bytes:
    if not path.is_file():
        raise DataUnreadable(f"no file {path}", "a CSV, Parquet or JSON lines file", "check the path")
    with path.open("rb") as f:
        head = f.read(65536)
    if not head.strip(b" \t\r\n\xef\xbb\xbf\x00"):
        raise DataUnreadable(f"{path.name} is empty", "a header and rows", "send the file again")
    return head


def _detect(head: bytes, path: Path) -> Format:
    if head.startswith(b"PAR1"):
        return "parquet"
    for signature, what in _SIGNATURES.items():
        if head.startswith(signature):
            raise DataUnreadable(f"{path.name} is {what}", "CSV, Parquet or JSON lines", "unpack or export it first")
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return "jsonl"
    text_like = head.startswith(tuple(ENCODINGS)) or b"\x00" not in head
    control = sum(head.count(bytes([c])) for c in range(1, 9)) + sum(head.count(bytes([c])) for c in range(14, 27))
    if not text_like or control > len(head) * 0.01:
        raise DataUnreadable(f"{path.name} is binary", "CSV, Parquet or JSON lines", "export it as one of these")
    lowered = head[:2000].lstrip().lower()
    if lowered.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise DataUnreadable(f"{path.name} is a web page or XML", "CSV, Parquet or JSON lines", "check the download")
    return "csv"


def _read_jsonl(path: Path) -> pl.DataFrame:
    frame = pl.read_ndjson(path, infer_schema_length=10_000)
    nested = [c for c, t in frame.schema.items() if t.is_nested()]
    return frame.with_columns(pl.col(c).cast(pl.String, strict=False) for c in nested) if nested else frame


def _read_text(path: Path, delimiter: str | None) -> tuple[pl.DataFrame, TextFacts]:
    text, facts = inspect_text(path.read_bytes(), delimiter)
    frame = pl.read_csv(
        io.BytesIO(text),
        separator=facts.delimiter,
        infer_schema=False,
        truncate_ragged_lines=True,
        quote_char='"' if facts.quotes else None,
    )
    if frame.height == 0:
        raise DataUnreadable(f"{path.name} has a header and no rows", "at least one row", "send the file again")
    return frame, facts
