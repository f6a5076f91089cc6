"""Results of ``kilnworks contract`` as tables for a person."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.quality.checking.check import Outcome
from components.quality.contracts_io.diff import Change

COLORS = {"critical": "red", "warning": "yellow", "looser": "yellow", "tighter": "green", "different": "cyan"}


def print_outcome(outcome: Outcome, file: Path) -> None:
    """What a check found: one line a rule, the critical ones first."""
    console = Console()
    if not outcome.failures:
        console.print(f"[green]ok[/] {escape(str(file))}: {outcome.rows} rows, {outcome.tests} results weighed")
        return
    table = Table(title=f"{file.name}: {outcome.rows} rows", title_justify="left")
    for name in ("severity", "column", "rule", "seen", "expected", "rows"):
        table.add_column(name, overflow="fold")
    for f in outcome.failures:
        color = COLORS[f.severity]
        cells = [f.column or "(table)", f.rule, f.seen, f.expected, ", ".join(map(str, f.rows))]
        table.add_row(f"[{color}]{f.severity}[/]", *map(escape, cells))
    console.print(table)
    critical = sum(f.severity == "critical" for f in outcome.failures)
    console.print(f"{critical} critical, {len(outcome.failures) - critical} warnings")


def print_changes(changes: tuple[Change, ...]) -> None:
    """Differences of two contracts, one line each."""
    console = Console()
    if not changes:
        console.print("no difference")
    for c in changes:
        console.print(f"[{COLORS[c.direction]}]{c.direction}[/]", escape(str(c)[10:]), soft_wrap=True)
