"""The rules that a contract itself writes down, checked row by row: missing, range, allowed values, lengths, pattern."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.quality.checking.evidence import Evidence, certain
from components.quality.checking.probe import first_rows
from components.quality.checking.reading import read_file
from components.quality.checking.table import Spec, Table
from schemas.contract import Contract, Feature, Label
from schemas.errors import DataUnreadable

Flags = NDArray[np.bool_]

TOLERATED = 0.002
"""Share of rows up to which a rule that was inferred, not written by a person, gives a warning, in [0, 1]."""


def check_rules(contract: Contract, path: Path, table: Table | None) -> Iterator[Evidence]:
    """Evidence of every broken rule; reads the file itself where that was not done yet."""
    if table is None:
        try:
            frame, _ = read_file(path)
        except DataUnreadable as error:
            yield certain(None, "the file can be read", error.got, error.wanted)
            return
        for name in (c for c in contract.columns if c not in frame.columns):
            yield certain(name, "column is missing", ", ".join(frame.columns[:12]), f"a column {name!r}")
        table = Table(frame, specs_of(contract))
    inferred = contract.reference is not None
    yield from _row_count(contract, table)
    for name, feature in contract.features.items():
        if name in table.frame.columns and not feature.shape:
            yield from _feature(table, name, feature, inferred)
    if contract.label and contract.label.name in table.frame.columns:
        yield from _label(table, contract.label, inferred)
    if contract.key and contract.key in table.frame.columns and not inferred:
        yield from _key(table, contract.key)


def specs_of(contract: Contract) -> dict[str, Spec]:
    """What the columns of a contract hold, where no statistics say it."""
    kinds: dict[str, Spec] = {}
    label = {contract.label.name: contract.label.dtype} if contract.label else {}
    for name, dtype in {**{n: f.dtype for n, f in contract.features.items()}, **label}.items():
        if dtype in ("int", "float"):
            kinds[name] = Spec("number", integer=dtype == "int")
        else:
            kinds[name] = Spec("datetime" if dtype == "datetime" else "category", boolean=dtype == "bool")
    if contract.key:
        kinds[contract.key] = Spec("key")
    return kinds


def _row_count(contract: Contract, table: Table) -> Iterator[Evidence]:
    rows, wanted = table.rows, contract.rows
    if rows < wanted.min or (wanted.max is not None and rows > wanted.max):
        upper = "" if wanted.max is None else f" and at most {wanted.max}"
        yield certain(None, "number of rows", str(rows), f"at least {wanted.min}{upper}")


def _feature(table: Table, name: str, feature: Feature, inferred: bool) -> Iterator[Evidence]:
    missing = table.missing(name)
    if not inferred:
        if not feature.nullable and missing.any():
            yield _broken(name, "not null", missing, "a value in every row", feature, inferred)
        if feature.max_missing is not None and missing.mean() > feature.max_missing:
            rule, share = "share of missing values", f"{missing.mean():.1%}"
            yield _graded(certain(name, rule, share, f"at most {feature.max_missing:.1%}"), feature)
        unreadable = table.unreadable(name)
        if unreadable.any():
            yield _broken(name, f"values are of type {feature.dtype}", unreadable, feature.dtype, feature, inferred)
    for rule, flags, wanted in _row_rules(table, name, feature):
        if flags.any():
            yield _broken(name, rule, flags & ~missing, wanted, feature, inferred)


def _row_rules(table: Table, name: str, feature: Feature) -> Iterator[tuple[str, Flags, str]]:
    if feature.min is not None or feature.max is not None:
        values = table.numbers(name)
        low, high = feature.min, feature.max
        if low is not None:
            yield f"at least {low:g}", values < low, f">= {low:g}"
        if high is not None:
            yield f"at most {high:g}", values > high, f"<= {high:g}"
    if feature.allowed is not None:
        yield "one of the allowed values", _outside(table, name, feature.allowed), ", ".join(map(str, feature.allowed))
    if feature.dtype != "string":
        return
    texts = table.texts(name)
    if feature.min_length is not None:
        yield f"at least {feature.min_length} characters", _flags(texts.str.len_chars() < feature.min_length), ""
    if feature.max_length is not None:
        yield f"at most {feature.max_length} characters", _flags(texts.str.len_chars() > feature.max_length), ""
    if feature.regex is not None:
        yield f"matches {feature.regex}", _flags(texts.str.contains(f"^(?:{feature.regex})").not_()), feature.regex
    if feature.unique:
        yield "unique", _flags(texts.is_duplicated() & texts.is_not_null()), "each value once"


def _outside(table: Table, name: str, allowed: tuple[object, ...]) -> Flags:
    if table.specs[name].kind == "number":
        return ~np.isin(table.numbers(name), np.array([float(str(v)) for v in allowed]))
    texts = table.texts(name)
    words = [str(v).lower() if isinstance(v, bool) else str(v) for v in allowed]
    if table.specs[name].boolean:
        texts = texts.str.to_lowercase()
    return _flags(texts.is_in(words).not_())


def _flags(series: pl.Series) -> Flags:
    return series.fill_null(False).to_numpy()


def _label(table: Table, label: Label, inferred: bool) -> Iterator[Evidence]:
    rule = Feature(
        dtype=label.dtype, allowed=label.classes, min=label.min, max=label.max, nullable=True
    )  # a missing label is judged by its share
    yield from _feature(table, label.name, rule, inferred)


def _key(table: Table, key: str) -> Iterator[Evidence]:
    texts = table.texts(key)
    missing = table.missing(key)
    if missing.any():
        yield certain(
            key, "key is never missing", f"{int(missing.sum())} rows", "a key in every row", first_rows(missing)
        )
    twice = _flags(texts.is_duplicated() & texts.is_not_null())
    if twice.any():
        yield certain(key, "keys are unique", f"{int(twice.sum())} rows", "each key once", first_rows(twice))


def _broken(name: str, rule: str, flags: Flags, wanted: str, feature: Feature, inferred: bool) -> Evidence:
    k, n = int(flags.sum()), flags.size
    mild = inferred and (k < 3 or k <= TOLERATED * n)
    evidence = Evidence(
        name, rule, _surprise(k, inferred), 0.5 if mild else 1.0, f"{k} of {n} rows", wanted, first_rows(flags), 0
    )
    return _graded(evidence, feature)


def _surprise(k: int, inferred: bool) -> float:
    """log10 p of breaking a rule ``k`` times: nil for a written rule; an inferred one may be off by a row."""
    if k == 0:
        return 0.0
    return -2.5 - 1.5 * k if inferred else -300.0


def _graded(e: Evidence, feature: Feature) -> Evidence:
    """A rule whose contract says ``warning`` never stops anything."""
    effect = min(e.effect, 0.5) if feature.severity == "warning" else e.effect
    return replace(e, effect=effect)
