"""The rules that a contract itself writes down, checked row by row: missing, range, allowed values, lengths, pattern.

They are the rules of ``kilnworks.schemas.rules`` on the values as a source would read them, so that a file is judged
here as a run judges it. Breaches are counted part by part and the counts add up, so that a file of any size can be
checked in slices.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kilnworks.components.quality.rows.row_rules import breaks, with_gaps
from kilnworks.components.quality.screening.columns.table import Spec, Table
from kilnworks.components.quality.screening.probes.evidence import Evidence, certain
from kilnworks.components.quality.screening.probes.probe import first_rows
from kilnworks.components.quality.stats.pvalues import rate_increase
from kilnworks.components.quality.stats.tails import stray
from kilnworks.components.sources.cast import cast_frame, fit
from kilnworks.components.sources.columns import contract_columns
from kilnworks.components.sources.csv import NULL_TEXTS
from kilnworks.schemas.contract import Contract, Feature, Severity
from kilnworks.schemas.errors import DataUnreadable
from kilnworks.schemas.magnitudes import FINITE
from kilnworks.schemas.rules import Matches, OneOf, Present, ValueRule, learned_columns, severity_of, value_rules, words
from kilnworks.schemas.words import listed

Flags = NDArray[np.bool_]

TOLERATED = 0.002
"""Share of rows up to which a rule that was inferred, not written by a person, gives a warning, in [0, 1]."""
SHOWN = 5
NOT_NULL = "not null"
ALLOWED = "one of the allowed values"
SHARE = "at most this share of missing values"
UNIQUE = "unique"
BAD_ROWS = ("", "bad rows")
"""Where a tally counts the rows that break a critical rule: those that quarantine sets aside."""


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
    bad = np.zeros(table.rows, bool)
    for name, feature in learned_columns(contract).items():
        if name not in table.frame.columns:
            continue
        values, unfit = _read(contract, table, name, feature)
        if not _by_statistics(contract, name):
            found[name, f"values are of type {feature.dtype}"] = _breach(unfit, feature.dtype, offset)
        for rule in value_rules(feature):
            hits = breaks(rule, values).to_numpy() & ~unfit
            bad |= hits if severity_of(rule, feature) == "critical" else False
            if not (isinstance(rule, Present) and _by_statistics(contract, name)):
                found[name, _named(rule)] = _breach(hits, _wanted(rule), offset)
        if feature.max_missing is not None and not contract.reference:
            missing = breaks(Present(), values).to_numpy() & ~unfit
            wanted = f"at most {feature.max_missing:.1%}"
            found[name, SHARE] = Breach(int(missing.sum()), missing.size, wanted, ())
    found[BAD_ROWS] = _breach(bad, "", offset)
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
    columns, aside = learned_columns(contract), rows_aside(contract, counts)
    for (name, rule), b in counts.items():
        if (name, rule) == BAD_ROWS or not b.broken:
            continue
        feature = columns[name]
        if rule == SHARE:
            if b.broken / b.checked > (feature.max_missing or 0.0):
                yield _graded(certain(name, rule, f"{b.broken / b.checked:.1%}", b.wanted), feature.severity)
            continue
        of_type = rule.startswith("values are of type")
        seen = f"{b.broken} of {b.checked} rows" + ("; such rows are set aside" if aside and not of_type else "")
        inferred = _by_statistics(contract, name) and rule != FINITE
        mild = inferred and (b.broken < 5 or b.broken <= TOLERATED * b.checked)
        effect = 0.5 if mild or (aside and not of_type) else 1.0
        surprise = _surprise(rule, b, contract) if inferred else -300.0
        severity: Severity = "critical" if rule == FINITE else feature.severity
        yield _graded(Evidence(name, rule, surprise, effect, seen, b.wanted, b.rows, 0), severity)


def rows_aside(contract: Contract, counts: Tally) -> int:
    """How many rows quarantine would set aside: the bad ones, where the contract asks for it and they are few."""
    bad = counts.get(BAD_ROWS)
    if contract.on_bad_rows != "quarantine" or bad is None or not bad.checked:
        return 0
    return bad.broken if bad.broken / bad.checked <= contract.max_quarantined else 0


def row_count(contract: Contract, rows: int) -> Iterator[Evidence]:
    """Whether the file has as many rows as the contract asks for."""
    wanted = contract.rows
    if rows < wanted.min or (wanted.max is not None and rows > wanted.max):
        upper = "" if wanted.max is None else f" and at most {wanted.max}"
        yield certain(None, "number of rows", str(rows), f"at least {wanted.min}{upper}")


def values_unique(contract: Contract, table: Table) -> Iterator[Evidence]:
    """No value twice: of features that say so, and of the key where no statistics of clean data look after it."""
    for name, severity in unique_columns(contract).items():
        if name not in table.frame.columns:
            continue
        values, _ = _read(contract, table, name, learned_columns(contract)[name])
        twice = (values.is_duplicated() & values.is_not_null()).to_numpy()
        if twice.any():
            yield repeated(contract, name, severity, int(twice.sum()), first_rows(twice))


def unique_columns(contract: Contract) -> dict[str, Severity]:
    """Columns in which no value may stand twice, with the severity of that."""
    key = [contract.key] if contract.key is not None and contract.reference is None else []
    features = {name: f.severity for name, f in contract.features.items() if f.unique}
    return {**features, **dict.fromkeys(key, "critical")}


def repeated(contract: Contract, name: str, severity: Severity, rows: int, first: tuple[int, ...] = ()) -> Evidence:
    """The evidence that values of a column stand in several rows."""
    rule, wanted = ("keys are unique", "each key once") if name == contract.key else (UNIQUE, "each value once")
    return _graded(certain(name, rule, f"{rows} rows", wanted, first), severity)


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
    for name, feature in learned_columns(contract).items():
        if feature.dtype in ("int", "float"):
            kinds[name] = Spec("number", integer=feature.dtype == "int")
        else:
            kinds[name] = Spec(
                "datetime" if feature.dtype == "datetime" else "category", boolean=feature.dtype == "bool"
            )
    if contract.key:
        kinds[contract.key] = Spec("key")
    return kinds


def _by_statistics(contract: Contract, name: str) -> bool:
    """Whether a column is judged by the statistics of clean rows: every feature of a contract that has them.

    Key, time and label are not: a run takes no row without them, and no class that it does not know.
    """
    return contract.reference is not None and name in contract.features


def _read(contract: Contract, table: Table, name: str, feature: Feature) -> tuple[pl.Series, Flags]:
    """The values as a source reads them, null where missing, and which are there and are no such values."""
    series, spec = table.frame[name], table.specs.get(name)
    if series.dtype == pl.String and spec is not None and spec.tokens:
        series = series.set(series.is_in(spec.tokens).fill_null(False), None)
    if name not in contract.features and name in (contract.key, contract.time):
        return with_gaps(series), np.zeros(table.rows, bool)
    if feature.shape:
        return _tensors(series, name, contract)
    absent = NULL_TEXTS if series.dtype == pl.String else ("",)
    values, unfit = fit(series, contract_columns(contract)[name], absent)
    return with_gaps(values), unfit.to_numpy()


def _tensors(series: pl.Series, name: str, contract: Contract) -> tuple[pl.Series, Flags]:
    """Values with a shape; where one of them has another or is no number, all that are there count as unfit."""
    try:
        wanted = {name: contract_columns(contract)[name]}
        values = cast_frame(pl.DataFrame([series]), wanted, lambda row, _: f"row {row + 1}")[name]
        return values, np.zeros(len(series), bool)
    except DataUnreadable:
        empty = pl.Series(name, [None], dtype=pl.List(pl.Float64)).new_from_index(0, len(series))
        return empty, series.is_not_null().to_numpy()


def _breach(hits: Flags, wanted: str, offset: int) -> Breach:
    rows = tuple(offset + row for row in first_rows(hits, SHOWN))
    return Breach(int(hits.sum()), hits.size, wanted, rows)


def _named(rule: ValueRule) -> str:
    """The name of a rule in reports, and in the list of those that are off."""
    match rule:
        case Present():
            return NOT_NULL
        case OneOf():
            return ALLOWED
        case Matches(pattern):
            return f"matches {pattern}"
        case _:
            return words(rule)


def _wanted(rule: ValueRule) -> str:
    if isinstance(rule, Present):
        return "a value in every row"
    return listed(map(str, rule.values), 12) if isinstance(rule, OneOf) else words(rule)


def _surprise(rule: str, b: Breach, contract: Contract) -> float:
    """log10 p of so many rows breaking an inferred rule, which may be off by a row or two."""
    assert contract.reference is not None
    if rule == ALLOWED:
        return 1.3 * rate_increase(b.broken, b.checked, 0, contract.reference.rows)
    return stray(b.broken, b.checked, contract.reference.rows)


def _graded(e: Evidence, severity: Severity) -> Evidence:
    """A rule whose contract says ``warning`` never stops anything."""
    return replace(e, effect=min(e.effect, 0.5)) if severity == "warning" else e
