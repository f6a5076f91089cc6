"""Evidence that a batch differs from the reference, and the one place where evidence becomes an alarm."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kilnworks.schemas.contract import Severity


@dataclass(frozen=True)
class Evidence:
    """The result of one test.

    Attributes:
        column: the column it is about; None for the table.
        rule: what was tested, in words; together with ``column`` it names the test.
        log_p: log10 of the probability of such a result in clean data; 0 = nothing unusual.
        effect: size of the change; 1 = large enough to stop a pipeline, 0.3 = worth a line in a report.
        seen, expected: what was found and what the reference holds, in words.
        rows: numbers of some rows concerned, counted from 1 below the header.
        tests: how many tests this is the most extreme of.
        weight: share of the permitted false alarms that each of them gets, relative to the others (weighted
            Bonferroni; Genovese, Roeder and Wasserman 2006): more for the few tests of the table as a whole.
        family: what was tested where ``rule`` names a value, so that the same test of other rows is known again.
        soft: what a later period may bring without a fault where the column changes with time.
    """

    column: str | None
    rule: str
    log_p: float
    effect: float = 1.0
    seen: str = ""
    expected: str = ""
    rows: tuple[int, ...] = ()
    tests: int = 1
    weight: float = 1.0
    family: str = ""
    soft: bool = False

    @property
    def test(self) -> str:
        """Name of the test: the same for every file."""
        return f"{self.column}|{self.family or self.rule}"


@dataclass(frozen=True)
class Failure:
    """An alarm: a rule that the file breaks."""

    column: str | None
    rule: str
    severity: Severity
    seen: str = ""
    expected: str = ""
    rows: tuple[int, ...] = field(default=())

    def record(self) -> dict[str, Any]:
        """Column, rule and severity as plain values."""
        return {"column": self.column, "rule": self.rule, "severity": self.severity}


CRITICAL_LOG_P = -3.3
"""Evidence stops a pipeline when it is this unlikely among all tests of a file together (log10)."""
WARNING_LOG_P = -2.2
"""Evidence is shown when it is this unlikely among all tests of a file together (log10)."""
WARNING_EFFECT = 0.25
"""Smaller changes are not shown, however certain they are."""


def judge(evidence: Iterable[Evidence]) -> list[Failure]:
    """Turn the results of all tests into alarms, corrected for their number, the strongest first."""
    results = list(evidence)
    total = math.log10(max(1.0, sum(e.tests * e.weight for e in results)))
    alarms = [(e, _severity(e, total - math.log10(e.weight))) for e in results]
    hits = [(e, s) for e, s in alarms if s is not None]
    hits.sort(key=lambda pair: (pair[1] != "critical", pair[0].log_p))
    return [Failure(e.column, e.rule, s, e.seen, e.expected, e.rows) for e, s in hits]


def _severity(e: Evidence, correction: float) -> Severity | None:
    adjusted = e.log_p + correction
    if adjusted <= CRITICAL_LOG_P and e.effect >= 1:
        return "critical"
    return "warning" if adjusted <= WARNING_LOG_P and e.effect >= WARNING_EFFECT else None


def certain(column: str | None, rule: str, seen: str = "", expected: str = "", rows: Sequence[int] = ()) -> Evidence:
    """Evidence that clean data cannot give: it stops the pipeline whatever else was tested."""
    return Evidence(column, rule, -300.0, 1.0, seen, expected, tuple(rows), 0)


def suspicious(column: str | None, rule: str, seen: str = "", expected: str = "", rows: Sequence[int] = ()) -> Evidence:
    """Evidence that clean data hardly gives and that need not stop anything: a warning."""
    return Evidence(column, rule, -300.0, 0.5, seen, expected, tuple(rows), 0)
