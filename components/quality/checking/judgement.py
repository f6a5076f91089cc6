"""Learning a reference from clean rows, and judging a batch against it: the list of probes and the order of steps."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from components.quality.checking.evidence import Evidence, certain
from components.quality.checking.probe import Batch, Learned, Probe
from components.quality.checking.probe_categories import CategoryProbe
from components.quality.checking.probe_file import FileProbe
from components.quality.checking.probe_missing import MissingProbe
from components.quality.checking.probe_numbers import NumberProbe
from components.quality.checking.probe_order import OrderProbe, find_stream
from components.quality.checking.probe_relations import RelationProbe
from components.quality.checking.probe_rows import RowProbe, copies, repeats
from components.quality.checking.probe_texts import TextProbe
from components.quality.checking.probe_together import TogetherProbe
from components.quality.checking.reading import FileFacts
from components.quality.checking.table import Table

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

SAMPLE = 60_000
"""Most rows that distributions are computed from; counts of missing and forbidden values use all rows."""


def learn(table: Table, facts: FileFacts, label: str | None, time: str | None) -> dict[str, Any]:
    """Everything that is remembered of clean rows, JSON-serializable."""
    batch = Batch(table, table, np.arange(table.rows), label, time, facts)
    batch.notes["stream"] = find_stream(batch)
    again = repeats(batch.content) if batch.content.size else np.zeros(table.rows, bool)
    thin = bool(again.sum() < 0.02 * table.rows)
    batch = _sampled(batch, thin)
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


def compare_table(statistics: dict[str, Any], table: Table, facts: FileFacts) -> list[Evidence]:
    """The results of all tests of rows in memory."""
    batch = Batch(table, table, np.arange(table.rows), statistics["label"], statistics["time"], facts)
    batch.notes["stream"] = statistics["stream"]
    batch = _sampled(batch, statistics["once"])
    if not statistics["once"] and batch.content.size:
        batch.notes["copies"] = copies(batch.content, statistics["probes"]["rows"]["collision"])
    with threadpool_limits(1, "blas"):  # small matrices: on a busy machine threads would wait for one another
        return [e for p in PROBES for e in _results(p, statistics["probes"][p.name], batch)]


def _results(probe: Probe, learned: Learned, batch: Batch) -> list[Evidence]:
    """The results of one probe. Values that it cannot work with are a finding about the file, not an accident."""
    try:
        return list(probe.compare(learned, batch))
    except (ArithmeticError, LookupError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0][:160] if str(error) else ''}"
        return [certain(None, f"the {probe.name} of the file can be compared", reason, "values as in the clean file")]


def _sampled(batch: Batch, once: bool) -> Batch:
    """The batch with its sample: at most ``SAMPLE`` rows, evenly spread, each content only ``once`` if so wished."""
    rows = np.arange(batch.table.rows)
    if rows.size > SAMPLE:
        rows = np.linspace(0, rows.size - 1, SAMPLE).astype(np.int64)
    if once and batch.content.size:
        rows = rows[~repeats(batch.content[rows])]
    whole = rows.size == batch.table.rows
    sample = batch.table if whole else batch.table.take(rows)
    return replace(batch, sample=sample, sample_rows=rows)
