"""Learning a reference from clean rows, and judging a batch against it: the list of probes and the order of steps."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from components.quality.checking.evidence import Evidence, certain
from components.quality.checking.hashing import local_hashes
from components.quality.checking.probe import Batch, Probe
from components.quality.checking.probe_categories import CategoryProbe
from components.quality.checking.probe_file import FileProbe
from components.quality.checking.probe_missing import MissingProbe
from components.quality.checking.probe_numbers import NumberProbe
from components.quality.checking.probe_order import OrderProbe, find_stream
from components.quality.checking.probe_relations import RelationProbe
from components.quality.checking.probe_rows import RowProbe, contents, first_seen
from components.quality.checking.probe_texts import TextProbe
from components.quality.checking.probe_together import TogetherProbe
from components.quality.checking.reading import FileFacts, read_file
from components.quality.checking.table import Spec, Table
from schemas.errors import DataUnreadable

PROBES: tuple[Probe, ...] = (
    FileProbe(),
    MissingProbe(),
    NumberProbe(),
    CategoryProbe(),
    TextProbe(),
    RowProbe(),
    OrderProbe(),
    RelationProbe(),
    TogetherProbe(),
)
"""Every test there is."""

SAMPLE = 100_000
"""Most rows that distributions are computed from; counts of missing and forbidden values use all rows."""


def learn(table: Table, facts: FileFacts, label: str | None, time: str | None) -> dict[str, Any]:
    """Everything that is remembered of clean rows, JSON-serializable."""
    batch = Batch(table, table, np.arange(table.rows), label, time, facts)
    batch.notes["stream"] = find_stream(batch)
    first = first_seen(local_hashes(table.frame.select(contents(batch)))) if contents(batch) else np.arange(table.rows)
    once = first == np.arange(table.rows)
    thin = bool((~once).sum() < 0.02 * table.rows)
    batch = _sampled(batch, once if thin else np.ones(table.rows, bool))
    return {
        "version": 1,
        "rows": table.rows,
        "specs": {n: s.to_json() for n, s in table.specs.items()},
        "label": label,
        "time": time,
        "stream": batch.notes["stream"],
        "once": thin,
        "probes": {p.name: p.learn(batch) for p in PROBES},
    }


def compare(statistics: dict[str, Any], path: Path) -> tuple[list[Evidence], Table | None]:
    """The results of all tests of a file, and its rows where it could be read."""
    delimiter = statistics["probes"]["file"]["text"]["delimiter"]
    try:
        frame, facts = read_file(path, delimiter)
    except DataUnreadable as error:
        return [certain(None, "the file can be read", error.got, error.wanted)], None
    table = Table(frame, {n: Spec.from_json(s) for n, s in statistics["specs"].items() if n in frame.columns})
    if not table.specs:
        kept = statistics["probes"]["file"]["columns"]
        return [
            certain(None, "the columns are those of the contract", ", ".join(frame.columns[:8]), ", ".join(kept[:8]))
        ], None
    return compare_table(statistics, table, facts), table


def compare_table(statistics: dict[str, Any], table: Table, facts: FileFacts) -> list[Evidence]:
    """``compare`` for rows in memory."""
    batch = Batch(table, table, np.arange(table.rows), statistics["label"], statistics["time"], facts)
    batch.notes["stream"] = statistics["stream"]
    once = np.ones(table.rows, bool)
    if statistics["once"] and contents(batch):
        once = first_seen(local_hashes(table.frame.select(contents(batch)))) == np.arange(table.rows)
    batch = _sampled(batch, once)
    return [e for p in PROBES for e in p.compare(statistics["probes"][p.name], batch)]


def _sampled(batch: Batch, flags: np.ndarray) -> Batch:
    """The batch with its sample: at most ``SAMPLE`` of the flagged rows, evenly spread."""
    rows = np.flatnonzero(flags)
    if rows.size > SAMPLE:
        rows = rows[np.linspace(0, rows.size - 1, SAMPLE).astype(np.int64)]
    whole = rows.size == batch.table.rows
    sample = batch.table if whole else batch.table.take(rows)
    return Batch(batch.table, sample, rows, batch.label, batch.time, batch.facts, batch.notes)


def with_specs(frame: pl.DataFrame, specs: dict[str, Spec]) -> Table:
    """A table of those columns that have a meaning."""
    return Table(frame, {n: s for n, s in specs.items() if n in frame.columns})
