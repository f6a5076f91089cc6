"""The rules that a contract itself writes down, checked row by row: missing, range, allowed values, lengths, pattern.

Breaches are counted part by part and the counts add up, so that a file of any size can be checked in slices.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.quality.checking.evidence import Evidence, certain
from components.quality.checking.probe import first_rows
from components.quality.checking.table import Spec, Table
from components.quality.stats.pvalues import rate_increase
from components.quality.stats.tails import stray
from schemas.contract import Contract, Feature, Label
from schemas.magnitudes import EXACT, FINITE, plain

Flags = NDArray[np.bool_]

TOLERATED = 0.002
"""Share of rows up to which a rule that was inferred, not written by a person, gives a warning, in [0, 1]."""
SHOWN = 5


@dataclass(frozen=True)
class Breach:
    """How many rows break a rule, of how many, what is wanted, and the numbers of the first ones (from 1)."""

    broken: int
    checked: int
    wanted: str
    rows: tuple[int, ...]


Tally = dict[tuple[str, str], Breach]
"""Breaches by column and rule; rules that are kept are there with 0."""


def tally(contract: Contract, table: Table, offset: int = 0) -> Tally:
    """Count breaches in some rows, of which ``offset`` others come before."""
    found: Tally = {}
    inferred = contract.reference is not None
    for name, feature in _columns(contract):
        if name not in table.frame.columns or feature.shape or name not in table.specs:
            continue
        missing = table.missing(name)
        for rule, flags, wanted in _row_rules(table, name, feature, inferred):
            hits = flags if rule == NOT_NULL else flags & ~missing
            rows = tuple(offset + r for r in first_rows(hits, SHOWN))
            found[name, rule] = Breach(int(hits.sum()), hits.size, wanted, rows)
        if feature.max_missing is not None and not inferred:
            found[name, SHARE] = Breach(int(missing.sum()), missing.size, f"at most {feature.max_missing:.1%}", ())
    return found


def add(a: Tally, b: Tally) -> Tally:
    """The tally of both parts."""
    total = dict(a)
    for key, breach in b.items():
        if key in total:
            old = total[key]
            rows = (*old.rows, *breach.rows)[:SHOWN]
            total[key] = Breach(old.broken + breach.broken, old.checked + breach.checked, breach.wanted, rows)
        else:
            total[key] = breach
    return total


def evidence_of(contract: Contract, counts: Tally) -> Iterator[Evidence]:
    """What the breaches of the whole file mean."""
    features = dict(_columns(contract))
    inferred = contract.reference is not None
    for (name, rule), b in counts.items():
        feature = features[name]
        if rule == SHARE:
            if b.broken > (feature.max_missing or 0.0) * b.checked:
                yield _graded(certain(name, rule, f"{b.broken / b.checked:.1%}", b.wanted), feature)
        elif b.broken and rule == FINITE:
            yield certain(name, rule, f"{b.broken} of {b.checked} rows", b.wanted, b.rows)
        elif b.broken:
            mild = inferred and (b.broken < 5 or b.broken <= TOLERATED * b.checked)
            effect, surprise = (0.5 if mild else 1.0), _surprise(rule, b, contract)
            seen = f"{b.broken} of {b.checked} rows"
            yield _graded(Evidence(name, rule, surprise, effect, seen, b.wanted, b.rows, 0), feature)


def row_count(contract: Contract, rows: int) -> Iterator[Evidence]:
    """Whether the file has as many rows as the contract asks for."""
    wanted = contract.rows
    if rows < wanted.min or (wanted.max is not None and rows > wanted.max):
        upper = "" if wanted.max is None else f" and at most {wanted.max}"
        yield certain(None, "number of rows", str(rows), f"at least {wanted.min}{upper}")


def keys_unique(contract: Contract, table: Table) -> Iterator[Evidence]:
    """The key's own rules, where no statistics of clean data look after it."""
    key = contract.key
    if key is None or contract.reference is not None or key not in table.frame.columns:
        return
    texts, missing = table.texts(key), table.missing(key)
    if missing.any():
        yield certain(key, "key is never missing", f"{int(missing.sum())} rows", "a key each", first_rows(missing))
    twice = _flags(texts.is_duplicated() & texts.is_not_null())
    if twice.any():
        yield certain(key, "keys are unique", f"{int(twice.sum())} rows", "each key once", first_rows(twice))


def specs_of(contract: Contract) -> dict[str, Spec]:
    """What the columns of a contract hold: by its statistics, else by its rules; written as it says."""
    known = contract.reference.statistics.get("specs") if contract.reference else None
    specs = {n: Spec.from_json(s) for n, s in known.items()} if known else _by_rules(contract)
    for name, how in contract.dates.items():
        if name in specs:
            specs[name] = replace(specs[name], date_format=how.format, first_year=how.first_year)
    return {n: replace(s, number=contract.numbers.get(n)) for n, s in specs.items()}


def _by_rules(contract: Contract) -> dict[str, Spec]:
    kinds: dict[str, Spec] = {}
    for name, feature in _columns(contract):
        if feature.dtype in ("int", "float"):
            kinds[name] = Spec("number", integer=feature.dtype == "int")
        else:
            kinds[name] = Spec(
                "datetime" if feature.dtype == "datetime" else "category", boolean=feature.dtype == "bool"
            )
    if contract.key:
        kinds[contract.key] = Spec("key")
    return kinds


NOT_NULL = "not null"
ALLOWED = "one of the allowed values"
SHARE = "at most this share of missing values"


def _columns(contract: Contract) -> Iterator[tuple[str, Feature]]:
    """The features, and the label as if it were one; with statistics, new classes are judged by how rare ones occur."""
    yield from contract.features.items()
    label: Label | None = contract.label
    if label is not None:
        classes = None if contract.reference is not None else label.classes
        yield label.name, Feature(dtype=label.dtype, allowed=classes, min=label.min, max=label.max, nullable=True)


def _row_rules(table: Table, name: str, feature: Feature, inferred: bool) -> Iterator[tuple[str, Flags, str]]:
    if not inferred:
        if not feature.nullable:
            yield NOT_NULL, table.missing(name), "a value in every row"
        yield f"values are of type {feature.dtype}", table.unreadable(name), feature.dtype
    if table.specs[name].kind == "number":
        yield FINITE, table.endless(name), FINITE
    if feature.min is not None:
        yield f"at least {plain(feature.min)}", table.less(name, feature.min), f">= {plain(feature.min)}"
    if feature.max is not None:
        yield f"at most {plain(feature.max)}", table.greater(name, feature.max), f"<= {plain(feature.max)}"
    if feature.allowed is not None:
        yield ALLOWED, _outside(table, name, feature.allowed), ", ".join(map(str, feature.allowed))
    if feature.dtype == "string":
        yield from _text_rules(table.texts(name), feature)


def _text_rules(texts: pl.Series, feature: Feature) -> Iterator[tuple[str, Flags, str]]:
    least, most = feature.min_length, feature.max_length
    if least is not None:
        yield f"at least {least} characters", _flags(texts.str.len_chars() < least), f">= {least} characters"
    if most is not None:
        yield f"at most {most} characters", _flags(texts.str.len_chars() > most), f"<= {most} characters"
    if feature.regex is not None:
        yield f"matches {feature.regex}", _flags(texts.str.contains(f"^(?:{feature.regex})").not_()), feature.regex
    if feature.unique:
        yield "unique", _flags(texts.is_duplicated() & texts.is_not_null()), "each value once"


def _outside(table: Table, name: str, allowed: tuple[object, ...]) -> Flags:
    if table.specs[name].kind == "number":
        if any(isinstance(v, int) and abs(v) >= EXACT for v in allowed):
            return _flags(table.whole(name).is_in(pl.Series(allowed, dtype=pl.Int128).implode()).not_())
        return ~np.isin(table.numbers(name), np.array([float(str(v)) for v in allowed]))
    texts = table.texts(name)
    words = [str(v).lower() if isinstance(v, bool) else str(v) for v in allowed]
    if table.specs[name].boolean:
        texts = texts.str.to_lowercase()
    return _flags(texts.is_in(words).not_())


def _flags(series: pl.Series) -> Flags:
    return series.fill_null(False).to_numpy()


def _surprise(rule: str, b: Breach, contract: Contract) -> float:
    """log10 p of so many rows breaking a rule: nil for a written rule; an inferred one may be off by a row or two."""
    if contract.reference is None:
        return -300.0
    if rule == ALLOWED:
        return 1.3 * rate_increase(b.broken, b.checked, 0, contract.reference.rows)
    return stray(b.broken, b.checked, contract.reference.rows)


def _graded(e: Evidence, feature: Feature) -> Evidence:
    """A rule whose contract says ``warning`` never stops anything."""
    return replace(e, effect=min(e.effect, 0.5)) if feature.severity == "warning" else e
