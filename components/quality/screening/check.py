"""``contract check``: a file against a contract, by the rules written there and by the statistics of the clean data."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from kilnworks.components.quality.screening.columns.table import Spec, Table
from kilnworks.components.quality.screening.contract_rules import (
    Tally,
    add,
    evidence_of,
    repeated,
    row_count,
    rows_aside,
    specs_of,
    tally,
    unique_columns,
    values_unique,
)
from kilnworks.components.quality.screening.files.large import height, is_large, repeats_of, scan, slices, spread
from kilnworks.components.quality.screening.files.reading import FileFacts, read_file
from kilnworks.components.quality.screening.judgement import SAMPLE, compare_table
from kilnworks.components.quality.screening.probes.evidence import Evidence, Failure, certain, judge
from kilnworks.components.quality.screening.probes.goes_back import going_back
from kilnworks.schemas.contract import Contract
from kilnworks.schemas.errors import DataInvalid, DataUnreadable
from kilnworks.schemas.wire import MASK
from kilnworks.schemas.words import listed


@dataclass(frozen=True)
class ScreeningOutcome:
    """What a check found.

    Attributes:
        rows: rows of the file; 0 where it could not be read.
        failures: the alarms, critical ones first.
        tests: how many results were weighed.
    """

    rows: int
    failures: tuple[Failure, ...]
    tests: int

    @property
    def success(self) -> bool:
        """Whether nothing critical was found."""
        return not any(f.severity == "critical" for f in self.failures)

    def record(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {"success": self.success, "failures": [f.record() for f in self.failures]}


def check_file(contract: Contract, path: Path) -> ScreeningOutcome:
    """Judge a file. Never raises for bad data: what cannot be read is a failure of the outcome."""
    try:
        if any(feature.dtype == "image" for feature in contract.features.values()):
            rows, failures, tests = _check_images(contract, path)
        else:
            rows, failures, tests = _check_table(contract, path)
    except (DataUnreadable, DataInvalid) as error:
        rows, failures, tests = 0, judge([certain(None, "the file can be read", error.got, error.wanted)]), 1
    off = set(contract.reference.off) if contract.reference else set()
    failures = [f for f in failures if not off & {f.rule, f"{f.column}: {f.rule}", f"{f.column}: *"}]
    hidden = {n for n, f in contract.features.items() if f.sensitive}
    return ScreeningOutcome(rows, tuple(_once([_masked(f) if f.column in hidden else f for f in failures])), tests)


def _check_table(contract: Contract, path: Path) -> tuple[int, list[Failure], int]:
    """Rows, alarms, and how many results were weighed."""
    statistics = contract.reference.statistics if contract.reference else {}
    rows, evidence = (_check_large if is_large(path) else _check_whole)(contract, statistics, path)
    return rows, judge(evidence), len(evidence)


def _check_images(contract: Contract, path: Path) -> tuple[int, list[Failure], int]:
    """The same for images; Great Expectations is loaded only here."""
    from kilnworks.components.quality.screening.check_images import check_images

    return check_images(contract, path)


def _check_whole(contract: Contract, statistics: dict[str, Any], path: Path) -> tuple[int, list[Evidence]]:
    """A file held in memory."""
    frame, facts = read_file(path, _delimiter(statistics), lenient=bool(statistics))
    table = _table(frame, specs_of(contract))
    evidence = _compared(statistics, table, facts, contract)
    counts = tally(contract, table)
    kept = table.rows - rows_aside(contract, counts)
    rules = [*row_count(contract, kept), *evidence_of(contract, counts), *values_unique(contract, table)]
    return table.rows, [*evidence, *rules]


def _check_large(contract: Contract, statistics: dict[str, Any], path: Path) -> tuple[int, list[Evidence]]:
    """A file read in slices: every rule on every row, distributions on ``SAMPLE`` rows."""
    lazy, facts = scan(path, _delimiter(statistics))
    rows = height(lazy, path)
    specs = specs_of(contract)
    counts: Tally = {}
    taken: list[pl.DataFrame] = []
    for start, part in slices(lazy, rows, path):
        counts = add(counts, tally(contract, _table(part, specs), start))
        taken.append(spread(part, start, rows, SAMPLE))
    evidence = _compared(statistics, _table(pl.concat(taken), specs), facts, contract)
    kept = rows - rows_aside(contract, counts)
    twice = [
        repeated(contract, name, severity, again)
        for name, severity in unique_columns(contract).items()
        if name in facts.columns and (again := repeats_of(lazy, name, path))
    ]
    return rows, [*evidence, *row_count(contract, kept), *evidence_of(contract, counts), *twice]


def _compared(statistics: dict[str, Any], table: Table, facts: FileFacts, contract: Contract) -> list[Evidence]:
    if statistics:
        return compare_table(statistics, table, facts, contract)
    got = listed(facts.columns, 12)
    missing = [c for c in contract.columns if c not in facts.columns]
    found = [certain(name, "column is missing", got, f"a column {name!r}") for name in missing]
    return [*found, *going_back(contract, table)]


def _table(frame: pl.DataFrame, specs: dict[str, Spec]) -> Table:
    return Table(frame, {n: s for n, s in specs.items() if n in frame.columns})


def _delimiter(statistics: dict[str, Any]) -> str | None:
    return str(statistics["probes"]["file"]["text"]["delimiter"]) if statistics else None


def _masked(failure: Failure) -> Failure:
    """The failure without any value of the column."""
    rule = re.sub(r"'.*'|(?<=the value ).*", MASK, failure.rule)
    return replace(failure, rule=rule, seen=MASK, expected=MASK)


def _once(failures: list[Failure]) -> list[Failure]:
    """The strongest failure of each rule of a column."""
    kept: dict[tuple[str | None, str], Failure] = {}
    for f in failures:
        kept.setdefault((f.column, f.rule), f)
    return list(kept.values())
