"""The rules of a contract that one row can break by itself, on a frame: which row, which column, which rule.

The same rules as the Great Expectations suite has for whole splits; here to name single rows, for requests and for
setting rows aside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from schemas.contract import NUMERIC, Feature, Severity
from schemas.magnitudes import FINITE, FLOAT32_MAX, plain

if TYPE_CHECKING:
    from schemas.contract import Contract

SHOWN = 3
MASK = "(masked)"


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
    asked: dict[str, Feature] = {}
    for name in (contract.key, contract.time):
        if name is not None:
            asked[name] = Feature(dtype="string")
    asked |= contract.features
    if contract.label is not None:
        label = contract.label
        asked[label.name] = Feature(dtype=label.dtype, allowed=label.classes, min=label.min, max=label.max)
    return _broken(asked, frame)


def _broken(features: Mapping[str, Feature], frame: pl.DataFrame) -> list[Broken]:
    found = []
    for name, feature in features.items():
        series = frame.get_column(name)
        checked = [(rule, feature.severity, mask) for rule, mask in _rules(feature, series)]
        if feature.dtype == "float":
            checked.insert(0, (FINITE, "critical", _endless(feature, series)))
        for rule, severity, mask in checked:
            rows = mask.fill_null(False).arg_true()
            if len(rows):
                found.append(Broken(name, rule, severity, rows, _samples(feature, series, rows)))
    return found


def _endless(feature: Feature, series: pl.Series) -> pl.Series:
    """Infinite, or beyond float32: no model can answer for such a row, whatever the severity of its other rules."""
    ends = _extremes(series) if feature.shape else (series,)
    first, *rest = [(end.abs() > FLOAT32_MAX) & end.is_not_nan() for end in ends]
    return first | rest[0] if rest else first


def _rules(feature: Feature, series: pl.Series) -> Iterator[tuple[str, pl.Series]]:
    """Each rule of a feature in words, and which rows break it (null where the rule does not apply)."""
    if not feature.nullable:
        yield "not missing", series.is_null()
    lowest, highest = (series, series) if not feature.shape else _extremes(series)
    if feature.dtype in NUMERIC:
        if feature.min is not None:
            yield f"at least {plain(feature.min)}{_unit(feature)}", lowest < feature.min
        if feature.max is not None:
            yield f"at most {plain(feature.max)}{_unit(feature)}", highest > feature.max
    if feature.allowed is not None:
        allowed = pl.Series(list(feature.allowed), dtype=series.dtype, strict=False)
        shown = ", ".join(map(str, feature.allowed[:10])) + (", ..." if len(feature.allowed) > 10 else "")
        yield f"one of {shown}", ~series.is_in(allowed.implode())
    if feature.dtype == "string":
        yield from _text_rules(feature, series)


def _text_rules(feature: Feature, series: pl.Series) -> Iterator[tuple[str, pl.Series]]:
    if feature.min_length is not None:
        yield f"at least {feature.min_length} characters", series.str.len_chars() < feature.min_length
    if feature.max_length is not None:
        yield f"at most {feature.max_length} characters", series.str.len_chars() > feature.max_length
    if feature.regex is not None:
        yield f"matches {feature.regex}", ~_matches(series, feature.regex)


def _matches(series: pl.Series, regex: str) -> pl.Series:
    """Which texts match from their start; patterns that only Python knows (look-around) are tried one by one."""
    try:
        return series.str.contains(f"^(?:{regex})")
    except pl.exceptions.ComputeError:
        pattern = re.compile(regex)
        found = [None if text is None else pattern.match(text) is not None for text in series]
        return pl.Series(series.name, found, dtype=pl.Boolean)


def _extremes(series: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Smallest and largest element of each tensor of a (nested) list column."""
    flat = series
    while flat.dtype.is_nested() and getattr(flat.dtype, "inner", None) is not None and flat.dtype.inner.is_nested():  # type: ignore[attr-defined]
        flat = flat.list.eval(pl.element().explode()) if isinstance(flat.dtype, pl.List) else flat.arr.to_list()
    if isinstance(flat.dtype, pl.Array):
        return flat.arr.min(), flat.arr.max()
    lowest, highest = flat.list.min(), flat.list.max()
    return pl.Series(lowest), pl.Series(highest)


def _unit(feature: Feature) -> str:
    return f" {feature.unit}" if feature.unit else ""


def _samples(feature: Feature, series: pl.Series, rows: pl.Series) -> tuple[str, ...]:
    if feature.sensitive:
        return (MASK,)
    if feature.shape:
        return ()
    return tuple("missing" if value is None else str(value) for value in series.gather(rows.head(SHOWN)).to_list())
