"""The steps of a number that goes on, in the order of time or of the rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.quality.screening.columns.advance import Advance, group_codes
from kilnworks.components.quality.screening.columns.table import Table
from kilnworks.components.quality.screening.probes.probe import ProbeInput

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Steps:
    """The steps of a number in the order in which it goes on.

    Attributes:
        rows: positions of the rows that have a value, by group and moment (of one moment the smaller first); [n].
        values, moments: of these rows, [n].
        same: whether a row and the next are of one group, [n - 1].
        change, time: what value and moment grow by to the next row, [n - 1].
    """

    rows: NDArray[np.intp]
    values: Floats
    moments: Floats
    same: NDArray[np.bool_]
    change: Floats
    time: Floats

    def within(self) -> tuple[Floats, Floats]:
        """The changes and times between rows of one group."""
        return self.change[self.same], self.time[self.same]


def steps_of(table: Table, name: str, moments: Floats, within: str) -> Steps:
    """The steps of a column by ``moments`` [n], within the groups of another column where one is named."""
    values = table.numbers(name)
    codes = group_codes(table, within) if within else np.zeros(values.size, np.int64)
    known = np.flatnonzero(~np.isnan(values) & ~np.isnan(moments))
    rows = known[np.lexsort((values[known], moments[known], codes[known]))]
    same = np.diff(codes[rows]) == 0
    return Steps(rows, values[rows], moments[rows], same, np.diff(values[rows]), np.diff(moments[rows]))


def steps_in(batch: ProbeInput, name: str, advance: Advance) -> Steps:
    """The steps of a column of a batch, in the order that its ``advance`` says."""
    return steps_of(batch.table, name, moments_of(batch, advance), advance.within)


def moments_of(batch: ProbeInput, advance: Advance) -> Floats:
    """The moment of each row, or its place in the file where no column says the time."""
    values = batch.axis.values(batch.table) if batch.axis is not None and advance.by == "time" else np.array([])
    return values if np.isfinite(values).any() else np.arange(batch.table.rows, dtype=float)
