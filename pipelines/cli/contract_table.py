"""Results of ``kilnworks contract`` as tables for a person."""

from collections import Counter
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from kilnworks.components.quality.contracts.diff import Change
from kilnworks.components.quality.screening.check import ScreeningOutcome
from kilnworks.pipelines.cli.console import table_console
from kilnworks.schemas.words import named

COLORS = {"critical": "red", "warning": "yellow", "looser": "yellow", "tighter": "green", "different": "cyan"}


ALIKE = 3
"""Lines of one rule that are shown in full; further columns are named only."""


def print_outcome(outcome: ScreeningOutcome, file: Path) -> None:
    """What a check found: one line a rule, the critical ones first; of many lines alike the first few."""
    console = table_console()
    if not outcome.failures:
        console.print(f"[green]ok[/] {escape(str(file))}: {outcome.rows} rows, {outcome.tests} results weighed")
        return
    table = Table(title=f"{file.name}: {outcome.rows} rows", title_justify="left", box=None, pad_edge=False)
    for name in ("severity", "column", "rule", "seen", "expected", "rows"):
        table.add_column(name, overflow="fold")
    shown = Counter[tuple[str, str]]()
    also: dict[tuple[str, str], list[str]] = {}
    for f in outcome.failures:
        color, kind = COLORS[f.severity], (f.severity, f.rule)
        shown[kind] += 1
        if shown[kind] > ALIKE:
            also.setdefault(kind, []).append(named(f.column) if f.column else "(table)")
            continue
        cells = [named(f.column) if f.column else "(table)", f.rule, f.seen, f.expected, ", ".join(map(str, f.rows))]
        table.add_row(f"[{color}]{f.severity}[/]", *map(escape, cells))
    console.print(table)
    for (severity, rule), columns in also.items():
        more = escape(f"{rule}: {', '.join(columns)}")
        console.print(f"[{COLORS[severity]}]{severity}[/] also {more}", soft_wrap=True)
    critical = sum(f.severity == "critical" for f in outcome.failures)
    console.print(f"{critical} critical, {len(outcome.failures) - critical} warnings")


def print_changes(changes: tuple[Change, ...]) -> None:
    """Differences of two contracts, one line each."""
    console = table_console()
    if not changes:
        console.print("no difference")
    for c in changes:
        console.print(f"[{COLORS[c.direction]}]{c.direction}[/]", escape(str(c)[10:]), soft_wrap=True)
