"""Columns that advance: what they hold moves on from file to file, so that their level says nothing of a fault.

Dates, running numbers, meters and totals (over all rows or within groups: a meter for each household), versions and
periods written as text, and parts of a date such as the month. ``find_advances`` sees them in the clean rows.
"""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import gammaln

from kilnworks.components.quality.screening.columns.axis import LEAST, SORTED, Axis, is_sorted
from kilnworks.components.quality.screening.columns.date_parts import find_part
from kilnworks.components.quality.screening.columns.table import Table

Floats = NDArray[np.float64]
Form = Literal["number", "date", "text", "part", "cycle", "constant"]

RISES = 20
"""Least number of steps upward, with hardly any back, that are not taken for chance (1 in a million)."""
LEVELS = 3
"""Least number of values of what goes on within groups: a flag that groups raise once has a share to be checked."""
GROUPS = 12
"""Most columns that are tried as groups."""
ROWS = 20_000
SEQUENCE_NAME = re.compile(
    r"(^|[_\W])(year|yr|jahr|month|mnth|week|quarter|period|batch|load|file|run|cycle|wave|round|season|snapshot|as_?of|"
    r"extract(ed)?(_on)?|version|build|release|seq|sequence|issue|edition|semester|term|revision|generation|cohort)"
    r"([_\W]?(id|no|nr|number))?$",
    re.I,
)
"""Names of what is the same in all rows of one file and moves on in the next."""
COUNTER_NAME = re.compile(
    r"(^|[_\W])(meter|counter|count|total|reading|odometer|km|miles|hours|seq|cum\w*|index|so_far|since|elapsed|ticks|"
    r"pulses|cycles|running\w*)([_\W]|$)",
    re.I,
)
"""Names that make a number which rises with the rows a counter, where no column says the time."""


CYCLES = (
    (re.compile(r"^(month|mnth|mon|monat|month_?of_?year)$", re.I), 12),
    (re.compile(r"^(quarter|qtr|season)$", re.I), 4),
    (re.compile(r"^(week|wk|kw|iso_?week|week_?(no|nr|number|of_?year))$", re.I), 53),
    (re.compile(r"^(day_?of_?year|doy|yday)$", re.I), 366),
    (re.compile(r"^(day_?of_?month|dom|mday)$", re.I), 31),
)
"""Names of parts of a date, and their largest values."""


@dataclass(frozen=True)
class Advance:
    """How a column goes on.

    Attributes:
        form: a number, a date, a text with numbers in it, a ``part`` of a date in the same row, a part of a date that
            the file does not hold (``cycle``: months begin again with 1), or the same in all rows (``constant``).
        by: with the ``time`` of the rows or with the ``rows`` as they stand.
        within: the column whose groups each go on by themselves; empty for all rows together.
        part: which part of which date, e.g. ``("sold_at", "month")``; empty for other forms.
    """

    form: Form
    by: Literal["time", "rows"] = "time"
    within: str = ""
    part: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``from_json`` reads them back."""
        return {**asdict(self), "part": list(self.part)}

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> "Advance":
        """Read what ``to_json`` wrote."""
        return cls(**{**tree, "part": tuple(tree["part"])})


def find_advances(table: Table, axis: Axis | None, label: str | None) -> dict[str, Advance]:
    """Columns of clean rows that advance; of keys those that are running numbers.

    Args:
        table: the clean rows.
        axis: their order in time, if a column says it.
        label: the column to be predicted, which is never one of them.
    """
    if table.rows > ROWS:
        table = table.take(np.linspace(0, table.rows - 1, ROWS).astype(np.int64))
    found: dict[str, Advance] = {}
    for name in (n for n in table.names("number", "category", "text", "datetime") if n != label):
        form = _alone(table, name, axis)
        if form is not None:
            found[name] = form
    for name in table.names("key"):
        running = table.specs[name].integer and axis is not None
        if running and axis is not None and (name in axis.columns or _rises(table.numbers(name)[axis.order(table)])):
            found[name] = Advance("number", "rows" if axis.rows else "time")
    left = [n for n in table.names("number") if n not in found and n != label and _levels(table, n) >= LEVELS]
    found.update(_grouped(table, left, axis, label))
    return found


def _alone(table: Table, name: str, axis: Axis | None) -> Advance | None:
    """How a column goes on over all rows together."""
    kind = table.specs[name].kind
    part = find_part(table, name)
    if part is not None:
        return Advance("part", part=part)
    if cycle_of(name, table) is not None or (axis is not None and name in axis.columns[1:]):
        return Advance("cycle")
    if kind == "datetime":
        return Advance("date") if _goes_on(table.numbers(name)) else None
    if _constant(table, name):
        return Advance("constant") if SEQUENCE_NAME.search(name) and _ordered(table, name) is not None else None
    values = table.numbers(name) if kind == "number" else _ordered(table, name)
    if values is None:
        return None
    form: Form = "number" if kind == "number" else "text"
    if axis is None:
        return Advance(form, "rows") if kind == "number" and _counts_on(name, values, table) else None
    if name in axis.columns:
        return Advance(form)
    in_time = values[axis.order(table)]
    if _rises(in_time) or (kind != "number" and _enters_on_top(in_time)):
        return Advance(form, "rows" if axis.rows else "time")
    return None


def cycle_of(name: str, table: Table) -> int | None:
    """The largest value that a part of a date can have, told by the name of the column and by its values."""
    if table.specs[name].kind != "number" or not table.specs[name].integer:
        return None
    size = next((size for pattern, size in CYCLES if pattern.search(name)), None)
    values = table.numbers(name)
    return size if size and float(np.nanmin(values)) >= 0 and float(np.nanmax(values)) <= size else None


def _levels(table: Table, name: str) -> int:
    """How many different values there are."""
    return table.frame[name].drop_nulls().n_unique()


def _constant(table: Table, name: str) -> bool:
    return table.texts(name).drop_nulls().n_unique() == 1


def _goes_on(seconds: Floats) -> bool:
    """Whether dates go on up to now, as those of events do, and do not fade out as dates of birth do."""
    present = seconds[~np.isnan(seconds)]
    span = float(np.ptp(present)) if present.size else 0.0
    late = float((present >= present.max() - 0.05 * span).sum()) if present.size else 0.0
    return present.size > 0 and late >= max(0.01 * present.size, 1.0)


def _ordered(table: Table, name: str) -> Floats | None:
    """Texts of one outline as numbers of the same order; numbers as they are; None for other texts."""
    if table.specs[name].kind == "number":
        return table.numbers(name)
    usual = usual_outline(table.texts(name))
    return None if usual is None else ordered_texts(table.texts(name), usual)


def usual_outline(texts: pl.Series) -> str | None:
    """The outline (digits as 9) that 99 of 100 texts have; None where there is none or it has no digits."""
    outlines = _outlines(texts.drop_nulls())
    usual = str(outlines.mode().sort()[0]) if outlines.len() else ""
    return usual if "9" in usual and float((outlines == usual).mean() or 0) >= 0.99 else None  # type: ignore[arg-type]


def _outlines(texts: pl.Series) -> pl.Series:
    return texts.str.replace_all(r"\d+", "9")


def ordered_texts(texts: pl.Series, usual: str) -> Floats:
    """Numbers [n] in the natural order of texts that differ in their digits alone, such as v2.9 and v2.10.

    NaN where the text is missing or has another than the ``usual`` outline.
    """
    fits = (_outlines(texts) == usual).fill_null(False)
    parts = pl.select(pl.when(fits).then(texts).otherwise(None)).to_series().str.extract_all(r"\d+")
    total = np.zeros(texts.len())
    for i in range(min(usual.count("9"), 4)):
        number = parts.list.get(i, null_on_oob=True).str.slice(0, 12).cast(pl.Float64, strict=False).to_numpy()
        total = total * 1e4 + number
    return np.where(fits.to_numpy(), total, np.nan)


def _rises(values: Floats) -> bool:
    """Whether values in the order of time hardly ever go back, and could not lie so by chance."""
    present = values[~np.isnan(values)]
    steps = np.diff(present)
    moves = int((steps != 0).sum())  # a rare 1 among zeros goes back as often as it rises
    if present.size < LEAST or (steps < 0).sum() > (1 - SORTED) * moves or not (steps > 0).any():
        return False
    counts = np.unique(present, return_counts=True)[1]
    return bool(gammaln(present.size + 1) - gammaln(counts + 1).sum() > 14)


def _enters_on_top(values: Floats) -> bool:
    """Whether values that come up after the first third of the rows are larger than all before, nine times of ten."""
    present = values[~np.isnan(values)]
    first = np.unique(present, return_index=True)[1]
    first = np.sort(first[first > present.size // 3])
    if first.size < 3:
        return False
    top = np.maximum.accumulate(present)
    return bool((present[first] > top[first - 1]).mean() >= 0.9)


def _counts_on(name: str, values: Floats, table: Table) -> bool:
    """Whether a number that rises with the rows is a counter, and not what the file was sorted by.

    A counter goes on at one pace; sorted amounts go faster at both ends. A fraction needs a name that says it counts.
    """
    present = values[~np.isnan(values)]
    if present.size < 3 * RISES or not is_sorted(values) or np.unique(present).size < 0.3 * present.size:
        return False
    if not (table.specs[name].integer or COUNTER_NAME.search(name)):
        return False
    tenth = present.size // 10
    pace = [float(np.ptp(p)) / p.size for p in (present[:tenth], present[tenth:-tenth], present[-tenth:])]
    return min(pace) > 0 and max(pace) / min(pace) < 2.5


def _grouped(table: Table, names: list[str], axis: Axis | None, label: str | None) -> dict[str, Advance]:
    """Numbers that never go back within the groups of another column."""
    best: dict[str, tuple[int, str]] = {}
    moments = axis.values(table) if axis is not None else np.arange(table.rows, dtype=float)
    for group in _groups(table, label):
        codes = group_codes(table, group)
        order = np.lexsort((moments, codes))
        same = np.diff(codes[order]) == 0
        same &= np.diff(moments[order]) > 0
        for name in (n for n in names if n != group):
            steps = np.diff(table.numbers(name)[order])[same]
            up, down = int((steps > 0).sum()), int((steps < 0).sum())
            if up >= RISES and down <= (1 - SORTED) * (up + down) and up > best.get(name, (0, ""))[0]:
                best[name] = (up, group)
    by: Literal["time", "rows"] = "rows" if axis is None or axis.rows else "time"
    return {name: Advance("number", by, group) for name, (_, group) in best.items()}


def _groups(table: Table, label: str | None) -> Iterator[str]:
    """Columns whose values several rows share, codes and names of things."""
    given = 0
    for name in table.names("category", "text", "number"):
        if given == GROUPS or name == label or (table.specs[name].kind == "number" and not table.specs[name].integer):
            continue
        kinds = table.frame[name].n_unique()
        if 2 <= kinds <= table.rows / 3:
            given += 1
            yield name


def group_codes(table: Table, group: str) -> NDArray[np.int64]:
    """The group of each row as a whole number, [n]; missing is a group of its own."""
    return table.texts(group).fill_null("").rank("dense").to_numpy().astype(np.int64)
