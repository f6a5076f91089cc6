"""Learning a reference from clean rows, and judging a batch against it: the list of probes and the order of steps."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from kilnworks.components.quality.screening.columns.advance import Advance, find_advances
from kilnworks.components.quality.screening.columns.axis import Axis, find_axis
from kilnworks.components.quality.screening.columns.drifts import find_drifts, find_growing, widen
from kilnworks.components.quality.screening.columns.table import Table
from kilnworks.components.quality.screening.files.reading import FileFacts
from kilnworks.components.quality.screening.probes.evidence import Evidence, certain
from kilnworks.components.quality.screening.probes.probe import Learned, Probe, ProbeInput
from kilnworks.components.quality.screening.probes.probe_advance import AdvanceProbe
from kilnworks.components.quality.screening.probes.probe_categories import CategoryProbe
from kilnworks.components.quality.screening.probes.probe_file import FileProbe
from kilnworks.components.quality.screening.probes.probe_missing import MissingProbe
from kilnworks.components.quality.screening.probes.probe_numbers import NumberProbe
from kilnworks.components.quality.screening.probes.probe_order import OrderProbe, find_stream
from kilnworks.components.quality.screening.probes.probe_relations import RelationProbe
from kilnworks.components.quality.screening.probes.probe_rows import RowProbe, copies, repeats
from kilnworks.components.quality.screening.probes.probe_texts import TextProbe
from kilnworks.components.quality.screening.probes.probe_together import TogetherProbe
from kilnworks.components.quality.screening.probes.stretches import beyond_usual, ends_of, passage_of, usual_changes
from kilnworks.schemas.contract import Contract

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
    AdvanceProbe(),
)
"""Every test there is."""

SAMPLE = 60_000
"""Most rows that distributions are computed from; counts of missing and forbidden values use all rows."""


def learn(table: Table, facts: FileFacts, label: str | None, time: str | None) -> dict[str, Any]:
    """Everything that is remembered of clean rows, JSON-serializable."""
    batch = ProbeInput(table, table, np.arange(table.rows), label, time, facts)
    stream = find_stream(batch)
    axis = find_axis(table, time, stream)
    advances = find_advances(table, axis, label)
    if axis is None:
        axis = next((Axis((n,), rows=True) for n, a in advances.items() if a.by == "rows" and not a.within), None)
    drifts = find_drifts(table, axis, [*advances, label or ""])
    batch = replace(batch, axis=axis, advances=advances, drifts=drifts, notes={"stream": stream})
    again = repeats(batch.content) if batch.content.size else np.zeros(table.rows, bool)
    thin = bool(again.sum() < 0.02 * table.rows)
    batch = _sampled(batch, thin)
    probes = {p.name: p.learn(batch) for p in PROBES}
    usual = _usual_changes(batch, thin) if axis is not None else {}
    widen(probes, drifts)
    return {
        "version": 1,
        "rows": table.rows,
        "specs": {n: s.to_json() for n, s in table.specs.items()},
        "label": label,
        "time": time,
        "stream": stream,
        "once": thin,
        "axis": axis.to_json() if axis is not None else None,
        "ends": ends_of(axis, table) if axis is not None else None,
        "usual": usual,
        "drifts": drifts,
        "grow": find_growing(table, axis, advances),
        "probes": probes,
    }


def advances_of(statistics: dict[str, Any]) -> dict[str, Advance]:
    """The columns that advance; none in statistics made before they were looked for."""
    columns = statistics.get("probes", {}).get("advance", {}).get("columns", {})
    return {name: Advance.from_json(kept["advance"]) for name, kept in columns.items()}


def compare_table(
    statistics: dict[str, Any], table: Table, facts: FileFacts, contract: Contract | None = None
) -> list[Evidence]:
    """The results of all tests of rows in memory. Which columns advance is what the contract says today."""
    advances = _as_written(advances_of(statistics), contract)
    axis = Axis.from_json(statistics.get("axis"))
    batch = ProbeInput(table, table, np.arange(table.rows), statistics["label"], statistics["time"], facts)
    batch = replace(
        batch,
        axis=axis,
        advances=advances,
        drifts=statistics.get("drifts", ()),
        notes={"stream": statistics["stream"]},
    )
    batch = _sampled(batch, statistics["once"])
    if not statistics["once"] and batch.content.size:
        batch.notes["copies"] = copies(batch.content, statistics["probes"]["rows"]["collision"])
    with threadpool_limits(1, "blas"):  # small matrices: on a busy machine threads would wait for one another
        found = [
            e
            for p in PROBES
            if p.name in statistics["probes"]
            for e in _results(p, statistics["probes"][p.name], batch)
        ]
    if axis is None:
        return found
    return list(beyond_usual(found, statistics["usual"], passage_of(axis, table, *statistics["ends"])))


def _as_written(learned: Mapping[str, Advance], contract: Contract | None) -> dict[str, Advance]:
    """The columns that advance, less those features of which the contract no longer says so, and those it adds."""
    features = contract.features if contract is not None else {}
    kept = {n: a for n, a in learned.items() if n not in features or features[n].advances is not None}
    added = {n: f.advances for n, f in features.items() if f.advances is not None and n not in learned}
    return kept | {n: Advance("number", a.by, a.within or "") for n, a in added.items() if a is not None}


CHANGING: tuple[str, ...] = ("missing", "numbers", "categories", "texts", "order", "relations", "together")
"""Probes whose results a source may change by itself from one stretch of time to the next."""


def _usual_changes(batch: ProbeInput, once: bool) -> dict[str, list[float]]:
    """What those probes find between stretches of the clean rows."""
    probes = [p for p in PROBES if p.name in CHANGING]

    def part(table: Table) -> ProbeInput:
        return _sampled(
            replace(batch, table=table, sample=table, sample_rows=np.arange(table.rows), notes=dict(batch.notes)), once
        )

    def taught(table: Table) -> dict[str, Learned]:
        rows = part(table)
        return {p.name: p.learn(rows) for p in probes}

    def compared(learned: dict[str, Learned], table: Table) -> list[Evidence]:
        rows = part(table)
        return [e for p in probes for e in _results(p, learned[p.name], rows)]

    assert batch.axis is not None
    with threadpool_limits(1, "blas"):
        return usual_changes(batch.sample, batch.axis, taught, compared)


def _results(probe: Probe, learned: Learned, batch: ProbeInput) -> list[Evidence]:
    """The results of one probe. Values that it cannot work with are a finding about the file, not an accident."""
    try:
        return list(probe.compare(learned, batch))
    except (ArithmeticError, LookupError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0][:160] if str(error) else ''}"
        return [certain(None, f"the {probe.name} of the file can be compared", reason, "values as in the clean file")]


def _sampled(batch: ProbeInput, once: bool) -> ProbeInput:
    """The batch with its sample: at most ``SAMPLE`` rows, evenly spread, each content only ``once`` if so wished."""
    rows = np.arange(batch.table.rows)
    if rows.size > SAMPLE:
        rows = np.linspace(0, rows.size - 1, SAMPLE).astype(np.int64)
    if once and batch.content.size:
        rows = rows[~repeats(batch.content[rows])]
    whole = rows.size == batch.table.rows
    sample = batch.table if whole else batch.table.take(rows)
    return replace(batch, sample=sample, sample_rows=rows)
