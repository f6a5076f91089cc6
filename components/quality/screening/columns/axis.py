"""The order of rows in time, also of files that are not sorted: which column says it, and its value in each row."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilnworks.components.quality.screening.columns.table import Table

Floats = NDArray[np.float64]

MOMENT_NAME = re.compile(
    r"(^|[_\W])(ts|time|timestamp|epoch|unix|unixtime|date|day|moment|at)($|[_\W])|time$|date$", re.I
)
"""Names of whole numbers that are moments."""
EPOCH = ((5e8, 4.2e9), (5e11, 4.2e12), (5e14, 4.2e15), (5e17, 4.2e18))
"""Seconds, milli-, micro- and nanoseconds since 1970 between the years 1985 and 2103."""
CALENDAR = (re.compile(r"^(year|yr|jahr|annee|ano)$", re.I), re.compile(r"^(month|mnth|mon|monat)$", re.I))
"""Names of columns that together are a month."""
DAY = re.compile(r"^(day|day_?of_?month|dom|tag)$", re.I)
SORTED = 0.999
"""Least share of the steps from row to row that do not go back where rows are sorted, in [0, 1]."""
LEAST = 20
"""Fewer moments than this do not make an axis."""


@dataclass(frozen=True)
class Axis:
    """Where the moments of the rows stand.

    Attributes:
        columns: the column, or year, month and, if there is one, day of the month.
        rows: the rows themselves are in the order of this column, which counts on: no moments, an order.
    """

    columns: tuple[str, ...]
    rows: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``from_json`` reads them back."""
        return asdict(self)

    @classmethod
    def from_json(cls, tree: dict[str, Any] | None) -> "Axis | None":
        """Read what ``to_json`` wrote; None where a contract has none."""
        return None if tree is None else cls(tuple(tree["columns"]), tree["rows"])

    def values(self, table: Table) -> Floats:
        """The moment of each row, larger = later, [n]; NaN where it is missing or the file lacks a column."""
        if any(
            c not in table.frame.columns or table.specs[c].kind not in ("number", "datetime", "key")
            for c in self.columns
        ):
            return np.full(table.rows, np.nan)
        if len(self.columns) == 1:
            return _plain(table, self.columns[0])
        total = np.zeros(table.rows)
        for column, size in zip(self.columns, (1.0, 13.0, 32.0), strict=False):
            total = total * size + table.numbers(column)
        return total

    def order(self, table: Table) -> NDArray[np.intp]:
        """Positions of the rows from the earliest to the latest; those without a moment are left out."""
        values = self.values(table)
        known = np.flatnonzero(~np.isnan(values))
        return known[np.argsort(values[known], kind="stable")]


def find_axis(table: Table, time: str | None, stream: str | None) -> Axis | None:
    """The column that orders the rows in time.

    In this order: the one that was named, the one that the rows are sorted by, dates (those that follow a running
    key best), moments written as whole numbers, year and month, a key that counts up. None where nothing does.
    """
    for name in (time, stream, *_likeliest(table, _dated(table)), *_epochs(table)):
        if name is not None and _enough(_plain(table, name)):
            return Axis((name,))
    calendar = _calendar(table)
    if calendar and _enough(Axis(calendar).values(table)):
        return Axis(calendar)
    for name in table.names("key"):
        if table.specs[name].integer and is_sorted(_plain(table, name)):
            return Axis((name,))
    return None


def is_sorted(values: Floats) -> bool:
    """Whether rows hardly ever go back; NaN apart."""
    steps = np.diff(values[~np.isnan(values)])
    return bool(steps.size >= LEAST and (steps >= 0).mean() > SORTED)


def _enough(values: Floats) -> bool:
    present = values[~np.isnan(values)]
    return bool(present.size >= LEAST and present.size >= 0.9 * values.size and np.unique(present).size >= 2)


def _plain(table: Table, name: str) -> Floats:
    return table.numbers(name)


def _dated(table: Table) -> list[str]:
    return [n for n in table.names("datetime") if _enough(table.numbers(n))]


def _likeliest(table: Table, names: list[str]) -> list[str]:
    """Dates, those first whose order is that of a running number; then those seldom missing, in the shortest time.

    Of several dates in a row the one that the file was cut by spans the least: what is planned before it or follows
    it reaches further.
    """
    numbers = [table.numbers(k) for k in table.names("key", "number") if table.specs[k].integer]
    running = [v for v in numbers if np.unique(v[~np.isnan(v)]).size > 0.9 * v.size]

    def rank(name: str) -> tuple[float, float, float]:
        """What a column is ordered by: the smallest comes first."""
        values = table.numbers(name)
        low, high = np.nanquantile(values, [0.005, 0.995])
        alike = max((_alike(values, k) for k in running), default=0.0)
        return -alike, round(float(table.missing(name).mean()), 2), round(float(np.log10(1 + high - low)), 1)

    return sorted(names, key=rank)


def _alike(a: Floats, b: Floats) -> float:
    """Rank correlation of two columns, to a tenth, where it is high."""
    both = np.isfinite(a) & np.isfinite(b)
    if both.sum() < LEAST:
        return 0.0
    found = float(np.corrcoef(np.argsort(np.argsort(a[both])), np.argsort(np.argsort(b[both])))[0, 1])
    return round(found, 1) if found > 0.9 else 0.0


def _epochs(table: Table) -> Iterator[str]:
    """Whole numbers that are seconds since 1970 (or parts of them), or dates such as 20241231."""
    for name in table.names("number"):
        values = table.numbers(name)
        if table.specs[name].integer and _enough(values) and (is_epoch(name, values) or is_day_number(values)):
            yield name


def is_epoch(name: str, values: Floats) -> bool:
    """Whether whole numbers are seconds, milli-, micro- or nanoseconds since 1970: by their size and name or order."""
    present = values[~np.isnan(values)]
    fits = any(low <= present.min() and present.max() <= high for low, high in EPOCH)
    return fits and (bool(MOMENT_NAME.search(name)) or is_sorted(values))


def is_day_number(values: Floats) -> bool:
    """Whether whole numbers are dates such as 20241231."""
    present = values[~np.isnan(values)].astype(np.int64)
    year, month, day = present // 10_000, present // 100 % 100, present % 100
    fits = (year >= 1950) & (year <= 2100) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    return bool(fits.all() and (np.unique(present).size > 1))


def _calendar(table: Table) -> tuple[str, ...]:
    numbers = [n for n in table.names("number") if table.specs[n].integer]
    found = [next((n for n in numbers if pattern.search(n)), None) for pattern in CALENDAR]
    if None in found:
        return ()
    day = next((n for n in numbers if DAY.search(n)), None)
    return tuple(n for n in (*found, day) if n is not None)
