"""Decision records: what each must say, and the list of them.

    python -m scripts.decisions        # writes docs/decisions/README.md; names what a record lacks, exit code 1

A record is ``docs/decisions/NNNN-words.md``: ``# N. Title``, a line ``Date: YYYY-MM-DD. Status: ...``, and sections
that begin with their name in bold, ``**Options.**`` and ``**Look again when**`` among them. A status begins with
``accepted`` or ``superseded by N``; what was extended or amended by another record may follow.
"""

import datetime
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "docs" / "decisions"
SECTIONS = ("**Options.**", "**Look again when**")
TITLE = re.compile(r"\A# (\d+)\. (.+)\n")
DATE_AND_STATUS = re.compile(
    r"^Date: (\d{4}-\d{2}-\d{2})\. Status: ((?:accepted|superseded by (\d+))\b[^\n]*)$", re.MULTILINE
)
HEAD = """# Why things are as they are

One decision a file, listed by `python -m scripts.decisions`. A new one has the next free number and the form of the
newest: title, date, status, **Options** with what was measured, **Look again when**. A decision that no longer holds
stays, as *superseded by* the one that took its place. Records of release 0.1.0 said less: their dates are those of the
commits, their options were put together later from their own text, and a figure that was not kept is not made up.
Numbers are given once and kept, since code and commits name them; one that is missing was never given.

| | decision | date | status |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Record:
    """A decision: its number, title, date (ISO 8601), status in words, and the number of what took its place."""

    path: Path
    number: int
    title: str
    date: str
    status: str
    superseded_by: int | None


def records(folder: Path = FOLDER) -> tuple[list[Record], list[str]]:
    """All decisions by number; a line for each fault: what a record lacks, a number given twice, no successor."""
    found, faults = [], []
    for path in sorted(folder.glob("*.md")):
        if path.name != "README.md":
            lacking = _lacking(path)
            faults += [f"{path.name}: lacks {what}" for what in lacking]
            found += [] if lacking else [_read(path)]
    numbers = Counter(record.number for record in found)
    faults += [f"{number} is the number of {count} decisions" for number, count in numbers.items() if count > 1]
    faults += [
        f"{record.path.name}: superseded by {record.superseded_by}, which there is not (or is itself)"
        for record in found
        if record.superseded_by is not None and record.superseded_by not in set(numbers) - {record.number}
    ]
    return sorted(found, key=lambda record: record.number), faults


def listed(found: list[Record]) -> str:
    """The list as Markdown: a row for each decision, with a link."""
    rows = (f"| {r.number} | [{r.title}]({r.path.name}) | {r.date} | {_linked(r, found)} |\n" for r in found)
    return HEAD + "".join(rows)


def main(folder: Path = FOLDER) -> int:
    """Write the list; 1 where a record lacks something, which is named."""
    found, faults = records(folder)
    (folder / "README.md").write_text(listed(found), encoding="utf-8")
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    return int(bool(faults))


def _lacking(path: Path) -> list[str]:
    """What a record must have and has not, in words."""
    text = path.read_text(encoding="utf-8")
    title = TITLE.match(text)
    lacking = []
    if title is None or path.name[:5] != f"{int(title[1]):04}-":
        lacking.append(f"a first line '# N. Title' with the number of its name ({path.name[:4]})")
    head = DATE_AND_STATUS.search(text)
    if head is None or not _is_date(head[1]):
        lacking.append("a line 'Date: YYYY-MM-DD. Status: accepted.' (or 'superseded by N.')")
    lines = text.splitlines()
    return lacking + [
        f"a paragraph that begins with {s!r}" for s in SECTIONS if not any(x.startswith(s) for x in lines)
    ]


def _read(path: Path) -> Record:
    """A record that lacks nothing."""
    text = path.read_text(encoding="utf-8")
    title, head = TITLE.match(text), DATE_AND_STATUS.search(text)
    assert title is not None and head is not None
    return Record(path, int(title[1]), title[2], head[1], head[2], int(head[3]) if head[3] else None)


def _is_date(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _linked(record: Record, found: list[Record]) -> str:
    """The first words of the status, with a link to the successor."""
    names = {other.number: other.path.name for other in found}
    by = record.superseded_by
    if by is None:
        return "accepted"
    return f"superseded by [{by}]({names[by]})" if by in names else f"superseded by {by}"


if __name__ == "__main__":
    raise SystemExit(main())
