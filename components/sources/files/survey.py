"""One pass over the bytes of a text file: lines with another number of fields, quotes never closed, bytes that are 0.

Polars fills lines that are too short without a word; this is where they are found. Quotes count as in RFC 4180: what
stands between two of them is no separator and no end of a line, and two within quotes are one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from kilnworks.components.sources.files.layout import Layout
from kilnworks.schemas.errors import DataUnreadable

QUOTE, CR = 34, 13
SHOWN = 5


@dataclass
class Survey:
    """What was found, line by line; lines count from 1 as an editor shows them.

    Attributes:
        width: fields of the header.
        rows: lines of rows, as far as they are not blank.
        wrong: first lines with another number of fields, and that number.
        wrong_count: how many such lines there are.
        one_more: how many of them have one field more than the header.
        last_short: whether the last line has too few fields.
        nul_line: first line with a byte that is 0; 0 where there is none.
        open_line: line of a quote that is never closed; 0 where there is none.
    """

    width: int
    rows: int = 0
    wrong: list[tuple[int, int]] = field(default_factory=list)
    wrong_count: int = 0
    one_more: int = 0
    last_short: bool = False
    nul_line: int = 0
    open_line: int = 0


def survey(chunks: Iterable[bytes], layout: Layout) -> Survey:
    """Count the fields of every line.

    Args:
        chunks: the file in UTF-8, from its first byte; a mark in front does not matter.
        layout: how the file begins.
    """
    counter = _Counter(layout)
    for chunk in chunks:
        counter.add(chunk)
    return counter.end()


class _Counter:
    """The state between two chunks: inside quotes or not, and the line that is not finished."""

    def __init__(self, layout: Layout) -> None:
        self.found = Survey(len(layout.names))
        self._skip = layout.header_line
        self._end, self._separator = ord(layout.line_end), layout.separator.encode()[0]
        self._inside = False
        self._line, self._start_line = 1, 1
        self._fields, self._length, self._last = 0, 0, 0

    def add(self, chunk: bytes) -> None:
        """Take the next bytes."""
        raw = np.frombuffer(chunk, np.uint8)
        if not self.found.nul_line and b"\0" in chunk:
            self.found.nul_line = self._line + chunk.count(bytes([self._end]), 0, chunk.index(b"\0"))
        marks = np.flatnonzero((raw == self._end) | (raw == self._separator) | (raw == QUOTE))
        kinds = raw[marks]
        breaks = marks[kinds == self._end]
        outside = self._outside(kinds, marks, breaks)
        ends = marks[outside & (kinds == self._end)]
        separators = marks[outside & (kinds == self._separator)]
        if ends.size:
            self._records(raw, ends, separators, breaks)
        after = int(ends[-1]) + 1 if ends.size else 0
        self._fields += int(separators.size - np.searchsorted(separators, after))
        self._length += len(chunk) - after
        self._last = chunk[-1] if chunk else self._last
        self._line += int(breaks.size)

    def end(self) -> Survey:
        """The last line may lack its end."""
        if self._inside:
            return self.found
        self.found.open_line = 0
        if self._length > 1 or (self._length == 1 and self._last != CR):
            self._judge(np.array([self._fields + 1]), np.array([self._start_line]))
        return self.found

    def _outside(self, kinds: np.ndarray, marks: np.ndarray, breaks: np.ndarray) -> np.ndarray:
        """Which of the marks stand outside quotes."""
        quotes = kinds == QUOTE
        if not quotes.any():
            return np.full(kinds.size, not self._inside)
        parity = (np.cumsum(quotes) + self._inside) & 1
        last = int(marks[quotes][-1])
        self.found.open_line = self._line + int(np.searchsorted(breaks, last))
        self._inside = bool(parity[-1])
        return np.asarray(parity == 0)

    def _records(self, raw: np.ndarray, ends: np.ndarray, separators: np.ndarray, breaks: np.ndarray) -> None:
        fields = np.diff(np.searchsorted(separators, ends), prepend=0) + 1
        fields[0] += self._fields
        lengths = np.diff(ends, prepend=-1) - 1
        lengths[0] += self._length
        before = raw[np.maximum(ends - 1, 0)]
        if ends[0] == 0:
            before[0] = self._last
        filled = (lengths > 1) | ((lengths == 1) & (before != CR))
        starts = np.concatenate([[self._start_line], self._line + np.searchsorted(breaks, ends[:-1] + 1)])
        self._judge(fields[filled], starts[filled])
        self._start_line = self._line + int(np.searchsorted(breaks, ends[-1] + 1))
        self._fields, self._length = 0, 0

    def _judge(self, fields: np.ndarray, lines: np.ndarray) -> None:
        """Keep those lines behind the header whose number of fields is another one."""
        below = lines > self._skip
        fields, lines = fields[below], lines[below]
        if not fields.size:
            return
        found, wrong = self.found, fields != self.found.width
        found.rows += int(fields.size)
        found.last_short = bool(fields[-1] < found.width)
        if wrong.any():
            room = SHOWN - len(found.wrong)
            some = np.flatnonzero(wrong)[:room]
            found.wrong += [(int(lines[at]), int(fields[at])) for at in some]
            found.wrong_count += int(wrong.sum())
            found.one_more += int((fields == found.width + 1).sum())


def refuse_ragged(found: Survey, layout: Layout, where: object, above: int = 0) -> None:
    """Raise ``DataUnreadable`` for what makes the rows of a file doubtful.

    Args:
        found: by ``survey``.
        layout: how the file begins.
        where: the file, for messages.
        above: lines of the file before those that were looked at.
    """
    if found.nul_line:
        raise DataUnreadable(
            f"{where}: line {found.nul_line + above} holds a byte that is 0",
            "text throughout",
            "write or copy the file again",
        )
    if found.open_line:
        raise DataUnreadable(
            f"{where}: the quote in line {found.open_line + above} is opened and never closed",
            "quotes in pairs",
            "close it, or double a quote that is meant as such",
        )
    if found.wrong:
        raise _ragged(found, layout, where, above)


def _ragged(found: Survey, layout: Layout, where: object, above: int) -> DataUnreadable:
    names = f"{found.width} fields, as in the header"
    if found.one_more == found.rows:
        return DataUnreadable(
            f"{where}: all {found.rows:,} rows have {found.width + 1} fields, the header has {found.width}",
            "as many names as fields",
            "name every column; R leaves out row names with `row.names = FALSE`",
        )
    line, fields = found.wrong[0]
    more = f" ({found.wrong_count:,} lines differ)" if found.wrong_count > 1 else ""
    few = f"{fields} field" + ("s" if fields > 1 else "")
    return DataUnreadable(
        f"{where}: line {line + above} has {few}{more}",
        names,
        "quote fields that contain the separator, or set the source's `separator`; a line that is cut off is no row",
    )
