"""The file itself: columns, delimiter, encoding, quotes, lines that are cut or have other fields, repeated headers."""

import difflib
import math
from collections.abc import Iterator

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kilnworks.components.quality.screening.files.text_file import TextFacts
from kilnworks.components.quality.screening.probes.evidence import Evidence, certain, suspicious
from kilnworks.components.quality.screening.probes.offsets import compare_offsets, learn_offsets
from kilnworks.components.quality.screening.probes.probe import Learned, ProbeInput, first_rows
from kilnworks.schemas.words import listed

NEARLY_ALL = 0.75
"""Share of the columns of texts whose names a row holds that is the header once more."""


class FileProbe:
    """Compares what was noticed while the file was read."""

    name = "file"

    def learn(self, batch: ProbeInput) -> Learned:
        """The facts themselves, and which columns have any value."""
        table = batch.table
        return {
            **batch.facts.to_json(),
            "kinds": {n: s.kind for n, s in table.specs.items()},
            "offsets": learn_offsets(table),
            "like_header": bool(_like_header(table.frame).any()),
        }

    def compare(self, learned: Learned, batch: ProbeInput) -> Iterator[Evidence]:
        """Columns first, then the text of the file."""
        yield from compare_columns(learned["columns"], list(batch.facts.columns))
        if learned["format"] == "csv" and batch.facts.format == "csv":
            yield from _text(learned["text"], batch.facts.text)
        yield from compare_offsets(learned.get("offsets", {}), batch.table)
        if not learned.get("like_header"):
            yield from _repeated_header(batch.table.frame)


def compare_columns(expected: list[str], got: list[str]) -> Iterator[Evidence]:
    """Missing, renamed, new and moved columns."""
    missing = [c for c in expected if c not in got]
    new = [c for c in got if c not in expected]
    for name in missing:
        near = difflib.get_close_matches(name.lower(), [c.lower() for c in new], n=1, cutoff=0.6)
        hint = f"; perhaps now called {next(c for c in new if c.lower() == near[0])!r}" if near else ""
        yield certain(name, "column is missing", f"columns {listed(got, 12)}{hint}", f"a column {name!r}")
    if not missing:
        for name in new:
            yield suspicious(name, "column is new", f"a column {name!r}", f"{len(expected)} columns")
    common = [c for c in got if c in expected]
    if common != [c for c in expected if c in got]:
        yield suspicious(None, "columns are in another order", listed(common, 12), listed(expected, 12))


def _text(kept: dict[str, object], facts: TextFacts) -> Iterator[Evidence]:
    if facts.delimiter != kept["delimiter"]:
        yield certain(None, "the delimiter changed", repr(facts.delimiter), repr(kept["delimiter"]))
    if facts.encoding != kept["encoding"]:
        harmless = {facts.encoding, kept["encoding"]} == {"utf-8", "utf-8-sig"}
        report = suspicious if harmless else certain
        yield report(None, "the encoding changed", facts.encoding, str(kept["encoding"]))
    if abs(facts.quoted_share - float(str(kept["quoted_share"]))) > 0.5:
        yield suspicious(None, "quoting of fields changed", f"{facts.quoted_share:.0%}", f"{kept['quoted_share']:.0%}")
    if facts.nul:
        yield certain(None, "the file is text throughout", f"{facts.nul} bytes that are 0", "none")
    if facts.ragged_count and not kept["ragged_count"]:
        count = f"{facts.ragged_count} rows"
        yield certain(None, "rows have as many fields as the header", count, "none", facts.ragged)
    if kept["ends_with_newline"] and not facts.ends_with_newline:
        cut = facts.last_short
        report = certain if cut else suspicious
        yield report(None, "the last line is complete", "the file ends in the middle of a line", "a line end")


def _repeated_header(frame: pl.DataFrame) -> Iterator[Evidence]:
    """Rows that hold the names of the columns."""
    flags = _like_header(frame)
    if flags.any():
        yield certain(None, "the header is repeated among the rows", f"{int(flags.sum())} rows", "", first_rows(flags))


def _like_header(frame: pl.DataFrame) -> NDArray[np.bool_]:
    """Which rows hold the names of nearly all columns of texts, [n]; one such value alone is a category."""
    names = [c for c, t in frame.schema.items() if t == pl.String]
    if not names:
        return np.zeros(frame.height, bool)
    hits = frame.select(pl.sum_horizontal((pl.col(c) == c).fill_null(False).cast(pl.Int32) for c in names)).to_series()
    return np.asarray((hits >= max(1, math.ceil(NEARLY_ALL * len(names)))).to_numpy(), bool)
