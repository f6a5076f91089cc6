"""What is inside a file, whatever its name says: the first bytes tell."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from kilnworks.components.sources.files.endings import Kind, gzipped
from kilnworks.schemas.errors import DataUnreadable

HEAD = 65536
FEW = 4
"""Control characters that a text may hold by accident; more than this, and than 1 %, and it is no text."""
MARKS: dict[bytes, str] = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
"""Byte order marks and the encodings that they announce."""
WORDS: dict[Kind, str] = {
    "csv": "text (CSV)",
    "jsonl": "JSON lines",
    "parquet": "Parquet",
    "npz": "a NumPy archive (.npz)",
}
_SIGNATURES = {
    b"PK\x03\x04": "a ZIP archive or an Excel workbook",
    b"PK\x05\x06": "an empty ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"%PDF": "a PDF document",
    b"SQLite format 3": "an SQLite database",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"BZh": "a bzip2 archive",
    b"(\xb5/\xfd": "a zstd archive",
    b"\xfd7zXZ": "an xz archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x80\x04\x95": "a Python pickle",
    b"\x93NUMPY": "a single NumPy array (.npy)",
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
    b"ARROW1": "an Arrow (Feather) file",
    b"\x89HDF": "an HDF5 file",
}
_TABLES = "CSV, Parquet or JSON lines"


def read_head(file: Path) -> bytes:
    """The first bytes, unpacked where the name says gzip.

    Raises:
        DataUnreadable: there is no such file, it is empty, cut off, or no gzip archive.
    """
    if not file.is_file():
        raise DataUnreadable(f"no file {file}", f"a {_TABLES} file", "check the path")
    try:
        with file.open("rb") as raw:
            head = raw.read(HEAD)
            if gzipped(file.name) and head:
                raw.seek(0)
                with gzip.open(raw) as packed:
                    head = packed.read(HEAD)
    except gzip.BadGzipFile:
        raise DataUnreadable(f"{file} is no gzip archive", "one, as its name says", "rename it") from None
    except (EOFError, zlib.error, OSError) as error:
        raise cut_off(file, error) from None
    return head


def refuse_empty(file: Path, head: bytes) -> None:
    """Raise ``DataUnreadable`` for a file that holds nothing but blanks."""
    if not head.strip(b" \t\r\n\xef\xbb\xbf\xff\xfe\x00"):
        raise DataUnreadable(f"{file} is empty", "a file with rows", "check how the file was written")


def detect(file: Path, head: bytes) -> Kind:
    """What the first bytes look like.

    Raises:
        DataUnreadable: something that is no table, said by name.
    """
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04") and b".npy" in head[:200]:
        return "npz"
    for signature, what in _SIGNATURES.items():
        if head.startswith(signature):
            raise DataUnreadable(f"{file} is {what}", _TABLES, "unpack or export it first")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith((b"{", b"[")):
        return "jsonl"
    if not head.startswith(tuple(MARKS)) and _binary(head):
        raise DataUnreadable(f"{file} is binary", _TABLES, "export it as one of these")
    if start[:2000].lower().startswith((b"<!doctype", b"<html", b"<?xml")):
        raise DataUnreadable(f"{file} is a web page or XML", _TABLES, "check the download")
    return "csv"


def refuse_other(file: Path, head: bytes, expected: Kind) -> None:
    """Raise ``DataUnreadable`` where a file is not what its name, or the source, says."""
    actual = detect(file, head)
    if actual != expected and not (expected == "csv" and actual == "jsonl" and head.lstrip()[:1] == b"["):
        raise DataUnreadable(
            f"{file} cannot be read as {WORDS[expected]}: it is {WORDS[actual]} inside",
            f"{WORDS[expected]}, as its name says",
            "give the file its true ending",
        )


def cut_off(file: Path, error: Exception) -> DataUnreadable:
    """The error for a gzip archive that does not end, or is damaged."""
    if isinstance(error, EOFError):
        return DataUnreadable(f"{file} is cut off", "a whole gzip archive", "copy or write the file again")
    reason = getattr(error, "strerror", None) or error
    damaged = isinstance(error, zlib.error | gzip.BadGzipFile)
    got = f"{file} is damaged ({reason})" if damaged else f"{file}: {reason}"
    return DataUnreadable(got, "a file that can be read", "copy or write the file again")


def _binary(head: bytes) -> bool:
    control = sum(head.count(bytes([c])) for c in (*range(9), *range(14, 27)))
    return control > max(FEW, len(head) * 0.01)
