"""How a text file of rows begins: blank lines, Excel's ``sep=`` line, ends of lines, and the names of its columns."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kilnworks.schemas.errors import DataInvalid, DataUnreadable

_SEP = re.compile(r"(?:sep|SEP)=(.)")
PLACEHOLDER = "\0column "
"""How a column without a name of its own is called inside; followed by its position."""


@dataclass(frozen=True)
class Layout:
    r"""Where a text file's rows begin and how they are cut.

    Attributes:
        skipped: lines before the header.
        separator: between the fields; as the file's ``sep=`` line says, where it has one.
        line_end: ``"\n"`` or, as on old Macintoshes, ``"\r"``.
        names: of the columns, in order, as written.
        blank: blank lines between the header and the first row.
    """

    skipped: int
    separator: str
    line_end: str
    names: tuple[str, ...]
    blank: int = 0

    @property
    def header_line(self) -> int:
        """Number of the header's line, from 1."""
        return self.skipped + 1

    @property
    def above(self) -> int:
        """Lines before the first row; a name may hold line breaks."""
        return self.skipped + self._header_lines + self.blank

    @property
    def _header_lines(self) -> int:
        return 1 + sum(name.count(self.line_end) for name in self.names)

    @property
    def named(self) -> list[str]:
        """The names without those that are blank."""
        return [name for name in self.names if name.strip()]

    @property
    def physical(self) -> list[str]:
        """A name of its own for every column: blank and repeated ones get a placeholder."""
        return [
            name if name.strip() and name not in self.names[:at] else f"{PLACEHOLDER}{at + 1}"
            for at, name in enumerate(self.names)
        ]


def layout_of(start: str, separator: str, where: object) -> Layout:
    """Look at the first characters of a file.

    Args:
        start: the beginning of the text, without a byte order mark, at least the header's line.
        separator: between the fields, unless the file says otherwise; empty where that is not known yet.
        where: the file, for messages.

    Raises:
        DataUnreadable: there is no line with anything in it.
    """
    line_end = "\r" if "\r" in start and "\n" not in start else "\n"
    skipped = 0
    for line in start.split(line_end):
        told = _SEP.fullmatch(line.strip("\r"))
        if told and skipped_only_blank(start, line_end, skipped):
            separator = told[1]
        elif line.strip(" \t\r"):
            break
        skipped += 1
    else:
        raise DataUnreadable(f"{where} is empty", "a header and rows", "check how the file was written")
    rest = start.split(line_end, skipped)[skipped]
    names = _names(rest, line_end, separator, f"{where}, line {skipped + 1}")
    found = Layout(skipped, separator, line_end, tuple(names))
    below = rest.split(line_end)[found.above - skipped :]
    _refuse_comment(found, below, where)
    blank = next((at for at, line in enumerate(below) if line.strip("\r")), 0) if len(names) > 1 else 0
    return replace(found, blank=blank)


def _names(text: str, line_end: str, separator: str, where: str) -> list[str]:
    """The fields of the first line. Raises ``DataUnreadable`` where it is no such line."""
    try:
        return next(csv.reader(_lines(text, line_end), delimiter=separator or ","), [])
    except csv.Error:
        if "\r" in text.partition("\n")[0].rstrip("\r"):
            got, wanted = "holds a carriage return (CR) that does not end it", "lines that all end in the same way"
        else:
            got, wanted = "is no header: a name is longer than 131,072 characters", "the names of the columns"
        fix = "write the file again, or remove what does not belong there"
        raise DataUnreadable(f"{where} {got}", wanted, fix) from None


def _refuse_comment(found: Layout, below: Sequence[str], where: object) -> None:
    """Raise where the first line is a remark: it begins with # and has other fields than the next."""
    following = next((line.replace("\r", " ") for line in below if line.strip(" \t\r")), "")
    if not (found.separator and found.names[0].startswith("#") and following):
        return
    if len(next(csv.reader([following], delimiter=found.separator), [])) != len(found.names):
        raise DataUnreadable(
            f"{where}: line {found.header_line} begins with # and is no header",
            "the names of the columns in the first line",
            "remove the lines above the header",
        )


def skipped_only_blank(start: str, line_end: str, skipped: int) -> bool:
    """Whether the lines before number ``skipped`` (from 0) are blank: a ``sep=`` line comes first."""
    return not any(line.strip(" \t\r") for line in start.split(line_end, skipped)[:skipped])


def _lines(text: str, line_end: str) -> Sequence[str]:
    return text.split("\r") if line_end == "\r" else re.findall(r"[^\n]*\n|[^\n]+", text)


def unnamed(names: Sequence[str]) -> list[int]:
    """Positions, from 1, of columns without a name."""
    return [at for at, name in enumerate(names, 1) if not name.strip()]


def unnamed_words(names: Sequence[str]) -> str:
    """``column 1 has no name``; empty where all have one."""
    places = unnamed(names)
    if not places:
        return ""
    few = "column" if len(places) == 1 else "columns"
    return f"{few} {', '.join(map(str, places))} {'has' if len(places) == 1 else 'have'} no name"


def refuse_repeated(names: Sequence[str], where: object, only: Sequence[str] | None = None) -> None:
    """Raise ``DataInvalid`` where a name is there twice (of ``only``, where given), with the positions."""
    counts = Counter(name for name in names if name.strip() and (only is None or name in only))
    twice = [name for name, count in counts.items() if count > 1]
    if not twice:
        return
    lines = [f"column {name!r} is there twice (columns {_places(names, name)})" for name in twice]
    failures: list[dict[str, object]] = [
        {"split": None, "column": name, "rule": "column is there once", "severity": "critical", "unexpected": None,
         "checked": None, "samples": []}
        for name in twice
    ]  # fmt: skip
    raise DataInvalid(f"{where}: " + "; ".join(lines), "every name once", "rename or remove one of them", failures)


def _places(names: Sequence[str], name: str) -> str:
    places = [str(at) for at, other in enumerate(names, 1) if other == name]
    return ", ".join(places[:-1]) + f" and {places[-1]}"
