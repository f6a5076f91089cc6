"""Offsets from UTC behind the times of a file: some rows with and some without one, or rows of distant zones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from kilnworks.components.quality.screening.columns.table import Table
from kilnworks.components.quality.screening.probes.evidence import Evidence, certain, suspicious
from kilnworks.components.quality.screening.probes.probe import first_rows

_CLOCK = r"\d{1,2}:\d{2}"
_OFFSET = r"\d{1,2}:\d{2}.*?(Z|z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)$"
BARE = ""
SUMMER = 60
"""Minutes between the offsets of one place in summer and in winter."""
SHOWN = 4


def learn_offsets(table: Table) -> dict[str, dict[str, int]]:
    """Rows by offset ("" = none) of each column of texts that are times of a day; columns without an offset too."""
    texts = [n for n in table.names("datetime") if n in table.frame and table.frame[n].dtype == pl.String]
    return {name: counts for name in texts if (counts := offsets_of(table.frame[name]))}


def offsets_of(texts: pl.Series) -> dict[str, int]:
    """Rows by offset as it is written, "" for times without one; dates without a time are left out."""
    times = texts.filter(texts.str.contains(_CLOCK).fill_null(False)).str.strip_chars()
    found = times.str.extract(_OFFSET, 1).fill_null(BARE).alias("offset")
    return dict(found.value_counts(sort=True).iter_rows())


def compare_offsets(learned: dict[str, dict[str, int]], table: Table) -> Iterator[Evidence]:
    """Columns whose rows are of several zones where the clean rows were of one."""
    for name, now in learn_offsets(table).items():
        before = learned.get(name)
        if before is None or len({offset == BARE for offset in before}) > 1 or not any(map(minutes, [*before, *now])):
            continue
        mixed, was = len({offset == BARE for offset in now}) > 1, words(before)
        if mixed:
            odd = table.frame[name].str.strip_chars().str.extract(_OFFSET, 1).is_null() != (BARE in before)
            rows = first_rows(odd.fill_null(False).to_numpy())
            yield certain(name, "times with and without an offset from UTC are mixed", words(now), was, rows)
        elif (BARE in now) != (BARE in before):
            yield suspicious(name, "times are written with an offset from UTC as before", words(now), was)
        elif BARE not in now and _spread(now) > max(SUMMER, _spread(before)):
            yield suspicious(name, "times are of one zone", words(now), was)


def words(counts: dict[str, int]) -> str:
    """Offsets and their rows: ``'+02:00' in 300 rows, none in 12 rows``."""
    told = [f"{repr(offset) if offset else 'none'} in {rows:,} rows" for offset, rows in counts.items()]
    return ", ".join(told[:SHOWN]) + (f" and {len(told) - SHOWN} more" if len(told) > SHOWN else "")


def _spread(counts: dict[str, Any]) -> int:
    """Minutes between the most western and the most eastern offset."""
    found = [minutes(offset) for offset in counts]
    return max(found) - min(found)


def minutes(offset: str) -> int:
    """Minutes east of UTC: ``+05:30`` is 330, ``Z`` is 0."""
    if offset[:1] not in ("+", "-"):
        return 0
    whole = 60 * int(offset[1:3]) + int(offset[3:].lstrip(":") or 0)
    return whole if offset[0] == "+" else -whole
