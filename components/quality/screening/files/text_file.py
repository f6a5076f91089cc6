"""What a text file of rows looks like before it is read: encoding, delimiter, quotes, line ends, ragged lines."""

import csv
import io
from dataclasses import dataclass

import numpy as np

from kilnworks.components.sources.files.content import MARKS
from kilnworks.components.sources.files.layout import layout_of

DELIMITERS = ",;\t|"
START = 2**20
"""Bytes within which the header ends."""
_QUOTED_LIMIT = 300_000
"""Lines with quotes are counted one by one up to this many."""


@dataclass(frozen=True)
class TextFacts:
    """What was noticed.

    Attributes:
        delimiter: between the fields.
        encoding: ``utf-8`` unless a mark or an undecodable byte says otherwise.
        quotes: whether any field is quoted.
        quoted_share: share of fields in the first lines that are quoted, in [0, 1].
        ends_with_newline: whether the last line is finished.
        ragged: rows (from 1) whose number of fields differs from the header's; first few.
        ragged_count: how many such rows there are.
        last_short: whether the last row has too few fields.
        nul: bytes that are 0, which no text holds.
    """

    delimiter: str = ","
    encoding: str = "utf-8"
    quotes: bool = False
    quoted_share: float = 0.0
    ends_with_newline: bool = True
    ragged: tuple[int, ...] = ()
    ragged_count: int = 0
    last_short: bool = False
    nul: int = 0


def inspect_text(data: bytes, delimiter: str | None) -> tuple[bytes, TextFacts]:
    """The text as UTF-8 bytes without mark, from the header on, and what was noticed.

    Blank lines and a ``sep=`` line above the header are left out, and lines that end with CR alone end with LF.

    Args:
        data: the bytes of the file.
        delimiter: kept where it splits the header, unless the file says in a ``sep=`` line what it is.

    Raises:
        DataUnreadable: there is no text.
    """
    data, encoding = _to_utf8(data)
    data, delimiter = _from_header(data, delimiter)
    quotes = b'"' in data
    sample = data[:65536].decode("utf-8", "ignore")
    header = sample.split("\n", 1)[0].rstrip("\r").replace("\r", " ")
    found = _delimiter(sample, header, delimiter)
    width = len(next(csv.reader([header], delimiter=found), [header]))
    rows, count, last_short = _ragged(data, found.encode(), width, quotes)
    share = _quoted_share(sample, found) if quotes else 0.0
    whole = data.endswith((b"\n", b"\r"))
    return data, TextFacts(found, encoding, quotes, share, whole, rows, count, last_short, data.count(b"\x00"))


def lines_above(data: bytes) -> int:
    """How many lines stand above the header."""
    return layout_of(_to_utf8(data[:START])[0].decode("utf-8", "ignore"), "", "the text").skipped


def _from_header(data: bytes, delimiter: str | None) -> tuple[bytes, str | None]:
    """The text from the header on, and the delimiter that it announces."""
    layout = layout_of(data[:START].decode("utf-8", "ignore"), delimiter or "", "the text")
    if layout.line_end == "\r":
        data = data.replace(b"\r", b"\n")
    return data.split(b"\n", layout.skipped)[layout.skipped], layout.separator or delimiter


def _to_utf8(data: bytes) -> tuple[bytes, str]:
    for mark, name in MARKS.items():
        if data.startswith(mark):
            return (data[3:] if name == "utf-8-sig" else data.decode(name, "replace").encode()), name
    try:
        if not data.isascii():
            data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace").encode(), "not utf-8"
    return data, "utf-8"


def _delimiter(sample: str, header: str, wanted: str | None) -> str:
    if wanted is not None and wanted in header:
        return wanted
    lines = sample.splitlines()[1:51]
    scores = {}
    for d in DELIMITERS:
        fields = header.count(d)
        same = sum(line.count(d) == fields for line in lines) / max(len(lines), 1)
        scores[d] = fields * (0.2 + same)
    best = max(scores, key=lambda d: scores[d])
    return best if scores[best] > 0 else (wanted or ",")


def _ragged(data: bytes, delimiter: bytes, width: int, quotes: bool) -> tuple[tuple[int, ...], int, bool]:
    """Rows whose number of fields is not ``width``: the first five, how many, and whether the last one is short."""
    if quotes:
        return _ragged_quoted(data, delimiter.decode(), width)
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw == ord("\n"))
    if ends.size == 0 or ends[-1] != raw.size - 1:
        ends = np.append(ends, raw.size)
    marks = np.flatnonzero(raw == ord(delimiter))
    fields = np.diff(np.searchsorted(marks, ends), prepend=0) + 1
    lengths = np.diff(ends, prepend=-1) - 1
    filled = (lengths > 1) | ((lengths == 1) & (raw[ends - 1] != ord("\r")))
    wrong = np.flatnonzero((fields != width) & filled)
    wrong = wrong[wrong > 0]
    last = np.flatnonzero(filled)[-1] if filled.any() else 0
    return tuple(wrong[:5].tolist()), int(wrong.size), bool(last > 0 and fields[last] < width)


def _ragged_quoted(data: bytes, delimiter: str, width: int) -> tuple[tuple[int, ...], int, bool]:
    reader = csv.reader(io.StringIO(data.decode("utf-8", "ignore"), newline=""), delimiter=delimiter)
    wrong: list[int] = []
    count, last = 0, width
    try:
        for number, fields in enumerate(reader):
            if number > _QUOTED_LIMIT:
                break
            if fields:
                last = len(fields)
                if number and last != width:
                    count += 1
                    wrong.append(number)
    except csv.Error:
        count += 1
    return tuple(wrong[:5]), count, last < width


def _quoted_share(sample: str, delimiter: str) -> float:
    lines = sample.splitlines()[1:101]
    fields = [f for line in lines for f in line.split(delimiter)]
    return sum(f.startswith('"') for f in fields) / max(len(fields), 1)
