"""The rules on single values, on a frame: which row, which column, which rule.

For setting rows aside, for naming rows in reports, for the rows of ``predict`` and for ``contract check``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

import polars as pl

from kilnworks.schemas.contract import Feature, Severity
from kilnworks.schemas.magnitudes import FLOAT32_MAX, fits_int64
from kilnworks.schemas.patterns import matches
from kilnworks.schemas.rules import (
    AtLeast,
    AtMost,
    Finite,
    LongEnough,
    Matches,
    OneOf,
    Present,
    ShortEnough,
    ValueRule,
    learned_columns,
    severity_of,
    value_rules,
    words,
)
from kilnworks.schemas.wire import MASK
from kilnworks.schemas.words import named

if TYPE_CHECKING:
    from kilnworks.schemas.contract import Contract

SHOWN = 3


@dataclass(frozen=True)
class Broken:
    """One rule that some rows break.

    Attributes:
        column: the feature.
        rule: what it asks, in words, e.g. ``between 0 and 120``.
        severity: of the feature.
        rows: positions of the rows, from 0, ascending; uint32.
        samples: up to three of the values as text; masked for a sensitive feature.
    """

    column: str
    rule: str
    severity: Severity
    rows: pl.Series
    samples: tuple[str, ...]


def broken_rules(contract: Contract, frame: pl.DataFrame) -> list[Broken]:
    """Every rule that some row of ``frame`` breaks, in the order of the contract.

    Args:
        contract: what rows should look like.
        frame: its features in contract dtypes (as ``Source.frames`` gives them); missing is null.
    """
    return _broken(contract.features, frame)


def broken_rows(contract: Contract, frame: pl.DataFrame) -> list[Broken]:
    """``broken_rules`` with those of the key, the time and the label: for rows that a model will learn from."""
    return _broken(learned_columns(contract), frame)


def _broken(features: Mapping[str, Feature], frame: pl.DataFrame) -> list[Broken]:
    found = []
    for name, feature in features.items():
        series = with_gaps(frame.get_column(name))
        for rule in value_rules(feature):
            rows = breaks(rule, series).arg_true()
            if len(rows):
                found.append(
                    Broken(name, words(rule), severity_of(rule, feature), rows, _samples(feature, series, rows))
                )
    return found


def with_gaps(series: pl.Series) -> pl.Series:
    """The values with null for whatever counts as missing: NaN and texts without a character."""
    if series.dtype == pl.String:
        empty = (series == "").fill_null(False)
        return series.set(empty, None) if empty.any() else series
    return series.fill_nan(None) if series.dtype.is_float() else series


def breaks(rule: ValueRule, series: pl.Series) -> pl.Series:
    """Which values break a rule, [n] of booleans.

    Args:
        rule: one of ``value_rules``.
        series: values in the dtype of the contract, null where missing; for values with a shape a list or an array a
            row.
    """
    return _mask(rule, series).fill_null(False)


def _mask(rule: ValueRule, series: pl.Series) -> pl.Series:
    """``breaks``, null where the rule does not apply."""
    match rule:
        case Present():
            return _missing(series)
        case Finite():
            lowest, highest = _extremes(series)
            return (lowest.abs() > FLOAT32_MAX) | (highest.abs() > FLOAT32_MAX)
        case AtLeast(value):
            return _below(_extremes(series)[0], value)
        case AtMost(value):
            return _above(_extremes(series)[1], value)
        case OneOf(values):
            return ~series.is_in(pl.Series(list(values), dtype=series.dtype, strict=False).implode())
        case LongEnough(length):
            return series.str.len_chars() < length
        case ShortEnough(length):
            return series.str.len_chars() > length
        case Matches(pattern):
            return ~matches(series, pattern)
        case _:
            assert_never(rule)


def _missing(series: pl.Series) -> pl.Series:
    """Where no value is; of a value with a shape, where an element is not."""
    if series.dtype.is_nested():
        return _elements(series, pl.element().is_null() | _is_nan(series)) | series.is_null()
    return series.is_null()


def _below(values: pl.Series, bound: float) -> pl.Series:
    """Which numbers are smaller; whole ones are compared as such, however long they are."""
    if not values.dtype.is_integer():
        return values < bound
    least = math.ceil(bound)
    if fits_int64(least):
        return values < least
    return values.is_not_null() & (least > 0)


def _above(values: pl.Series, bound: float) -> pl.Series:
    """Which numbers are larger; as ``_below``."""
    if not values.dtype.is_integer():
        return values > bound
    most = math.floor(bound)
    if fits_int64(most):
        return values > most
    return values.is_not_null() & (most < 0)


def _extremes(series: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Smallest and largest number of each value: itself, or of its elements; NaN counts for nothing."""
    if not series.dtype.is_nested():
        return series, series
    flat = _flat(series)
    if _innermost(flat.dtype).is_float():
        flat = flat.list.eval(pl.element().fill_nan(None))
    return flat.list.min(), flat.list.max()


def _elements(series: pl.Series, condition: pl.Expr) -> pl.Series:
    """Whether an element of each list meets a condition."""
    return _flat(series).list.eval(condition.any()).list.first().fill_null(False)


def _is_nan(series: pl.Series) -> pl.Expr:
    return pl.element().is_nan().fill_null(False) if _innermost(series.dtype).is_float() else pl.lit(False)


def _flat(series: pl.Series) -> pl.Series:
    """A list a row, without lists inside."""
    if isinstance(series.dtype, pl.Array) and len(series.dtype.shape) > 1 and len(series):
        series = series.reshape((len(series), math.prod(series.dtype.shape)))
    flat = series.arr.to_list() if isinstance(series.dtype, pl.Array) else series
    while isinstance(flat.dtype, pl.List) and flat.dtype.inner.is_nested():
        flat = flat.list.eval(pl.element().explode())
    return flat


def _innermost(dtype: pl.DataType) -> pl.DataType:
    while isinstance(dtype, pl.List | pl.Array):
        dtype = dtype.inner  # type: ignore[assignment]
    return dtype


def _samples(feature: Feature, series: pl.Series, rows: pl.Series) -> tuple[str, ...]:
    if feature.sensitive:
        return (MASK,)
    if feature.shape:
        return ()
    some = series.gather(rows.head(SHOWN)).to_list()
    return tuple("missing" if value is None else named(str(value)) for value in some)
