"""Columns of which a contract says that they advance, where no statistics of clean data know their steps."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from kilnworks.components.quality.screening.columns.kinds import describe
from kilnworks.components.quality.screening.columns.table import Table
from kilnworks.components.quality.screening.probes.evidence import Evidence, certain
from kilnworks.components.quality.screening.probes.steps import steps_of
from kilnworks.schemas.contract import Advances, Contract


def going_back(contract: Contract, table: Table) -> Iterator[Evidence]:
    """Rows in which a column that advances goes back, in the order of the contract's time or of the rows."""
    time = contract.time
    if time is not None and time in table.frame.columns and time not in table.names("number", "datetime"):
        table = Table(table.frame, {**table.specs, time: describe(time, table.frame[time])})
    for name, feature in contract.features.items():
        known = name in table.frame.columns and table.specs[name].kind in ("number", "datetime")
        if feature.advances is None or not known or name == time:
            continue
        found = _back(time, feature.advances, table, name)
        if found is not None:
            mild = feature.severity == "warning"
            yield replace(found, effect=0.5) if mild else found


def _back(time: str | None, advances: Advances, table: Table, name: str) -> Evidence | None:
    moments = np.arange(table.rows, dtype=float)
    if advances.by == "time" and time in table.names("number", "datetime") and time is not None:
        moments = table.numbers(time)
    within = advances.within if advances.within in table.specs else ""
    steps = steps_of(table, name, moments, within or "")
    back = np.flatnonzero(steps.same & (steps.change < 0))
    if back.size == 0:
        return None
    rows = tuple((steps.rows[back[:5] + 1] + 1).tolist())
    return certain(name, "never goes back", f"{back.size} steps back", "it advances", rows)
