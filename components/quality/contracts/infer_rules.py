"""The readable rules of an inferred contract: what a person would write down after a good look at the column."""

import math

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kilnworks.components.quality.contracts.closed_ranges import closed_range, guarded
from kilnworks.components.quality.profile.free_text import why_read
from kilnworks.components.quality.screening.columns.advance import Advance
from kilnworks.components.quality.screening.columns.table import Spec, Table
from kilnworks.components.quality.stats.tails import bounds, ends
from kilnworks.components.sources.label_texts import absent_labels
from kilnworks.components.tasks.asked import CLASSES, Asked
from kilnworks.schemas.contract import Advances, Dtype, Feature, Label, Scalar
from kilnworks.schemas.errors import ConfigError
from kilnworks.schemas.magnitudes import EXACT_IN_FLOAT32

Floats = NDArray[np.float64]

ALLOWED = 30
"""Categories with at most this many levels, each seen several times, are a closed list."""
CODES = 6
"""Whole numbers with at most this many different values are a closed list, too."""
SEEN = 5
"""How often each level of a closed list must have been seen."""


def feature_of(table: Table, column: str, drifts: bool = False, grows: bool = False) -> Feature:
    """The rules of one feature.

    Args:
        table: the clean rows.
        column: its name.
        drifts: its level moves with time, so that only natural ends are limits.
        grows: new values come in with time, so that no list of them is closed.
    """
    spec = table.specs[column]
    nullable, most = _gaps(table, column)
    if spec.kind == "number":
        dtype: Dtype = "int" if spec.integer else "float"
        unit = spec.number.unit if spec.number else ""
        codes = _codes(table.numbers(column)) if spec.integer and not drifts and not grows else None
        if codes is not None:
            return Feature(dtype=dtype, nullable=nullable, max_missing=most, allowed=codes, unit=unit)
        low, high = _range(table, column, drifts)
        return Feature(dtype=dtype, nullable=nullable, max_missing=most, min=low, max=high, unit=unit)
    if spec.kind == "datetime":
        return Feature(dtype="datetime", nullable=nullable, max_missing=most)
    allowed = None if grows else closed_list(table, column)
    if spec.boolean:
        return Feature(dtype="bool", nullable=nullable, max_missing=most)
    text = spec.kind == "text" and allowed is None and bool(why_read(table.frame[column].cast(pl.String)))
    return Feature(dtype="string", nullable=nullable, max_missing=most, allowed=allowed, text=text)


def _range(table: Table, column: str, drifts: bool) -> tuple[float | None, float | None]:
    """Smallest and largest value of numbers: by what they are, else by what was seen."""
    values, whole = table.numbers(column), table.specs[column].integer
    known = closed_range(column, values, whole=whole)
    if known is not None:
        return known
    if drifts:
        return _natural(values)
    low, high = guarded(limits(values, whole=whole), values)
    return (low, high) if not whole else (low and math.floor(low), high and math.ceil(high))


def advancing_feature(table: Table, column: str, advance: Advance, step: float | None) -> Feature:
    """The rules of a column that advances: no largest value and no list; the smallest is 0 where none is below."""
    spec = table.specs[column]
    nullable, most = _gaps(table, column)
    advances = Advances(by=advance.by, within=advance.within or None, step=_to_digits(step) if step else None)
    dtype: Dtype = "string"
    if spec.kind == "number":
        dtype = "int" if spec.integer else "float"
    elif spec.kind == "datetime":
        dtype = "datetime"
    elif spec.boolean:
        dtype = "bool"
    known = closed_range(column, table.numbers(column), whole=True) if spec.kind == "number" and spec.integer else None
    if known is not None:
        return Feature(dtype=dtype, nullable=nullable, max_missing=most, min=known[0], max=known[1], advances=advances)
    low = 0.0 if spec.kind == "number" and float(np.nanmin(table.numbers(column))) >= 0 else None
    unit = spec.number.unit if spec.number else ""
    return Feature(dtype=dtype, nullable=nullable, max_missing=most, min=low, unit=unit, advances=advances)


def _gaps(table: Table, column: str) -> tuple[bool, float | None]:
    """Whether values may be missing, and the largest share of them."""
    missing = table.missing(column)
    share = float(missing.mean())
    most = _rounded_up(min(1.0, share + 6 * math.sqrt((share + 0.01) / table.rows) + 0.02))
    return bool(missing.any()), most if missing.any() else None


def _natural(values: Floats) -> tuple[float | None, float | None]:
    """Natural ends alone: nothing below 0 or above 0, shares up to 1, per cent up to 100."""
    low, high = limits(values)
    return (0.0 if low == 0 else None), (high if high in (0.0, 1.0, 100.0) else None)


def _to_digits(step: float) -> float:
    return float(f"{step:.3g}")


def _codes(values: Floats) -> tuple[int, ...] | None:
    """Few whole numbers, each seen several times, as a closed list."""
    kinds, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    few = 1 < kinds.size <= CODES and counts.min() >= SEEN and values.size >= 10 * kinds.size
    return tuple(int(k) for k in kinds) if few else None


def limits(values: Floats, *, whole: bool = False) -> tuple[float | None, float | None]:
    """Smallest and largest value to be allowed: natural ends where there are, else far outside what was seen.

    A largest value that says next to nothing is left out, but for long numbers, of which it says how long they are.

    Args:
        values: of a column, NaN where missing, [n].
        whole: they are whole numbers; those that begin at 1, several times, count something and are never below 0.
    """
    present = values[~np.isnan(values)]
    if present.size == 0:
        return None, None
    low, high = bounds(present)
    first, last = ends(present)
    least, top = float(present.min()), float(present.max())
    counts = whole and least == 1 and int((present == 1).sum()) >= SEEN
    if least >= 0 and (max(low, first) >= 0 or counts or _stays_above_nought(present)):
        low = 0.0
    if top <= 0 and (min(high, last) <= 0 or _stays_above_nought(-present)):
        high = 0.0
    if low == 0 and 0 < top <= 1 and (last <= 1 < high or (present == 1).sum() >= 2):
        high = 1.0
    if least >= 0 and top == 100 and last <= 100 and (present == 100).sum() >= SEEN:
        high = 100.0
    span = max(top - least, 1e-12)
    rounded_low = low if low == 0 else _rounded(low, math.floor)
    rounded_high = high if high in (0.0, 1.0, 100.0) else _rounded(high, math.ceil)
    loose = rounded_high > top + 1e5 * span and top <= EXACT_IN_FLOAT32
    return rounded_low, (None if loose else rounded_high)


def _stays_above_nought(present: Floats) -> bool:
    """Whether numbers that are never negative stay so for a reason.

    Zeros among them, a smallest one nearer to the middle than to 0, or a long right tail.
    """
    median = float(np.median(present))
    if (present == 0).sum() >= 2 or present.min() > median - present.min():
        return True
    q = np.quantile(present, [0.01, 0.99])
    return bool(present.min() > 0 and q[1] - median > 2 * (median - q[0]))


def _rounded(value: float, toward: object) -> float:
    """To two digits, outward."""
    if value == 0:
        return 0.0
    scale = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    steps = math.floor(value / scale) if toward is math.floor else math.ceil(value / scale)
    return float(f"{steps * scale:.12g}")


def _rounded_up(share: float) -> float:
    return min(1.0, math.ceil(share * 100) / 100)


def closed_list(table: Table, column: str) -> tuple[Scalar, ...] | None:
    """The levels of a category when there are few and each was seen several times."""
    texts = table.texts(column).drop_nulls()
    counts = texts.alias("value").value_counts(sort=True)
    if counts.height == 0 or counts.height > ALLOWED or int(counts["count"].min()) < SEEN:  # type: ignore[arg-type]
        return None
    return tuple(sorted(counts[counts.columns[0]].to_list()))


def label_of(table: Table, column: str, task: Asked | None) -> Label:
    """The label: classes in sorted order, or a number."""
    spec = table.specs[column]
    if spec.kind == "category" or task == CLASSES:
        return _classes(table, column, spec)
    if spec.kind != "number":
        raise ConfigError(
            f"label {column!r} holds {spec.kind}", "a number or classes", "choose another --label or --task"
        )
    low, high = limits(table.numbers(column), whole=spec.integer)
    unit = spec.number.unit if spec.number else ""
    return Label(name=column, dtype="int" if spec.integer else "float", min=low, max=high, unit=unit)


def absent_classes(series: pl.Series) -> tuple[str, ...]:
    """The texts of a label that mean it is missing: only where two classes are left without them."""
    if series.dtype != pl.String:
        return ()
    kinds = series.drop_nulls().unique()
    absent = absent_labels(kinds)
    return tuple(sorted(kinds.filter(absent))) if len(kinds) - int(absent.sum()) >= 2 else ()


def _classes(table: Table, column: str, spec: Spec) -> Label:
    found = table.texts(column).unique().drop_nulls().to_list()
    if len(found) < 2:
        raise ConfigError(f"label {column!r} has {len(found)} class", "at least two", "choose another --label")
    if spec.boolean:
        return Label(name=column, dtype="bool", classes=(False, True))
    if spec.integer:
        return Label(name=column, dtype="int", classes=tuple(sorted({_whole(v) for v in found})))
    return Label(name=column, dtype="string", classes=tuple(sorted(found)))


def _whole(text: str) -> int:
    """A whole number with every digit that is written; 3.0 and 1e3 are such numbers, too."""
    try:
        return int(text)
    except ValueError:
        return int(float(text))
