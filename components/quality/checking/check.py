"""``contract check``: a file against a contract. Rules of the contract, row by row, and the statistics of the clean data."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.quality.checking.evidence import Evidence, Failure, judge
from components.quality.checking.judgement import compare
from components.quality.checking.rules import check_rules
from schemas.contract import Contract


@dataclass(frozen=True)
class Outcome:
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


def check_file(contract: Contract, path: Path) -> Outcome:
    """Judge a file. Never raises for bad data: what cannot be read is a failure of the outcome."""
    statistics = contract.reference.statistics if contract.reference else {}
    evidence: list[Evidence] = []
    table = None
    if statistics:
        evidence, table = compare(statistics, path)
    if table is not None or not statistics:
        evidence = [*evidence, *check_rules(contract, path, table)]
    off = set(contract.reference.off) if contract.reference else set()
    failures = [f for f in judge(evidence) if not off & {f.rule, f"{f.column}: {f.rule}", f"{f.column}: *"}]
    return Outcome(table.rows if table else 0, tuple(_once(failures)), len(evidence))


def _once(failures: list[Failure]) -> list[Failure]:
    """The strongest failure of each rule of a column."""
    kept: dict[tuple[str | None, str], Failure] = {}
    for f in failures:
        kept.setdefault((f.column, f.rule), f)
    return list(kept.values())
