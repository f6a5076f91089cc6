"""Showing a run while it runs: a live table in a terminal, else one line a change."""

import os
import re
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import rich.console
import typer
from rich.console import ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from kilnworks.pipelines.cli.pace import Pace
from kilnworks.pipelines.core.events import Listener, StepEvent
from kilnworks.pipelines.core.graph import Pipeline
from kilnworks.schemas.context import Progress
from kilnworks.schemas.masking import masked
from kilnworks.schemas.secret import shown_url
from kilnworks.schemas.words import printable

STYLE = {
    "waiting": "dim",
    "running": "cyan",
    "done": "green",
    "cached": "blue",
    "skipped": "yellow",
    "failed": "bold red",
}
MARK = {"waiting": "·", "running": "▸", "done": "✓", "cached": "≡", "skipped": "↷", "failed": "✗"}
QUIET_SECONDS = 30.0
"""Without a terminal, how long a running step may say nothing."""
WIDTH_IN_FILES = 160
"""Columns of a table that goes to a file or a pipe."""
WITH_STORE = (
    "run", "step", "finish", "tune", "crossval", "diagnose", "lr-find", "compare", "compress", "promote", "rollback",
    "landed", "runs", "report", "predict", "explain", "drift", "doctor", "metrics", "mlflow", "prune", "serve",
    "serving config",
)  # fmt: skip
"""Commands that take ``--store``."""
TOLD = re.compile(rf"\bkilnworks ({'|'.join(WITH_STORE)})(?![\w-])(?![^\n]*--store[ =])")
"""One of them in a text, where it does not say the store itself."""
_named: dict[str, str] = {}
"""The store that the command was given, under ``store``."""
MOST_LINES = 20
"""Without a terminal, about how many lines a running step gets, however many parts (epochs) it has."""


class Console(rich.console.Console):
    """Rich's, for what comes from a person's data: without secrets, with control characters escaped."""

    def print(self, *objects: Any, **options: Any) -> None:
        """As Rich's."""
        super().print(*map(_safe, objects), **options)


@dataclass(frozen=True)
class _Safe:
    """Anything that Rich shows, piece by piece."""

    inside: RenderableType

    def __rich_console__(self, console: rich.console.Console, options: ConsoleOptions) -> RenderResult:
        for piece in console.render(self.inside, options):
            yield piece if piece.control else Segment(safe(piece.text), piece.style)


def _safe(thing: Any) -> Any:
    return safe(thing) if isinstance(thing, str) else _Safe(thing)


def safe(text: str) -> str:
    """A text for a terminal; commands of ours in it are for the store that this one was given."""
    return printable(masked(_on_store(text)))


def name_store(url: str | None) -> str | None:
    """Have the commands that are told name this store, too; none with None. Returns it: for the option ``--store``."""
    _named.clear()
    if url:
        _named["store"] = shlex.quote(shown_url(url))
    return url


def _on_store(text: str) -> str:
    if not _named or "kilnworks " not in text:
        return text
    return TOLD.sub(lambda found: f"{found[0]} --store {_named['store']}", text)


def say(console: rich.console.Console, line: str) -> None:
    """Print a line as it is: no markup, no colours, never broken."""
    console.print(safe(line), markup=False, highlight=False, soft_wrap=True)


def echo(text: object, *, err: bool = False) -> None:
    """Print a line where a pipe may listen."""
    typer.echo(safe(str(text)), err=err)


def table_console() -> Console:
    """For tables: as wide as the terminal; where there is none, as ``COLUMNS`` says or so wide that nothing breaks."""
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH_IN_FILES
    return console


@contextmanager
def watched(console: rich.console.Console, pipeline: Pipeline) -> Iterator[Listener]:
    """A listener for ``run_all`` whose news appear on ``console`` while the block runs."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    board = _Board(pipeline)
    with Live(board, console=console, refresh_per_second=8):
        yield board.hear


def sectioned(console: rich.console.Console, listener: Listener) -> Listener:
    """A listener that folds the lines of each step, in the notation of Airflow's log view, where nobody types."""
    if console.is_terminal:
        return listener
    begun: set[str] = set()

    def hear(event: StepEvent) -> None:
        if event.step not in begun:
            begun.add(event.step)
            console.print(f"::group::{event.step}", markup=False, highlight=False)
        listener(event)
        if event.status != "running":
            console.print("::endgroup::", markup=False, highlight=False)

    return hear


@dataclass
class _Row:
    status: str = "waiting"
    progress: Progress | None = None
    began: float = 0.0
    seconds: float | None = None
    reason: str = ""
    pace: Pace = field(default_factory=Pace)

    def eta(self) -> float | None:
        """Seconds to go, at the pace of the last parts; None while unknown."""
        return None if self.progress is None else self.pace.to_go(self.progress.expected)


class _Board:
    """The table of steps as it stands."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._name = pipeline.name
        self._rows = {step.name: _Row() for step in pipeline.steps}

    def hear(self, event: StepEvent) -> None:
        """Take in one change."""
        row = self._rows[event.step]
        if row.status != "running":
            row.began = time.monotonic()
        row.status = event.status
        row.progress = event.progress or row.progress
        if event.progress is not None:
            row.pace.news(event.progress.so_far, time.monotonic() - row.began)
        row.seconds = event.seconds if event.status != "running" else None
        row.reason = event.reason.partition("\n")[0]

    def __rich__(self) -> Group:
        table = Table(box=None, pad_edge=False, show_header=False)
        for width in (1, None, None, None):
            table.add_column(min_width=width, no_wrap=width is not None)
        for name, row in self._rows.items():
            style = STYLE[row.status]
            table.add_row(Text(MARK[row.status], style), Text(name, style), Text(row.status, style), _detail(row))
        return Group(Text(f"pipeline {self._name}", "bold"), table)


def _detail(row: _Row) -> Table | Text:
    if row.status == "running":
        elapsed = time.monotonic() - row.began
        if row.progress is None or not row.progress.total:
            return Text(f"{elapsed:.0f} s  {row.progress.note if row.progress else ''}", "cyan")
        grid = Table.grid(padding=(0, 1))
        eta = row.eta()
        note = row.progress.note or f"{row.progress.done:g}/{row.progress.total:g}"
        left = _to_go(row.progress, eta) if eta is not None else ""
        grid.add_row(ProgressBar(row.progress.total, row.progress.done, width=24), note, Text(left, "dim"))
        return grid
    seconds = "" if row.seconds is None or row.status in ("cached", "skipped") else f"{row.seconds:.1f} s"
    return Text(f"{seconds} {row.reason}".strip(), STYLE[row.status] if row.status == "failed" else "")


class _Lines:
    """One line a change; progress at most once a part (an epoch) and about ``MOST_LINES`` times in all.

    A part that takes longer than ``QUIET_SECONDS`` is heard of meanwhile.
    """

    def __init__(self, console: rich.console.Console) -> None:
        self._console = console
        self._last = 0.0
        self._parts: dict[str, int] = {}
        self._paces: dict[str, Pace] = {}

    def __call__(self, event: StepEvent) -> None:
        """Print the change."""
        if event.status == "running" and event.progress is not None:
            pace = self._paces.setdefault(event.step, Pace())
            pace.news(event.progress.so_far, event.seconds or 0.0)
            if self._worth_a_line(event.step, event.progress):
                self._say(f"{event.step}: {_progress_words(event.progress, pace)}")
            return
        self._last = time.monotonic()
        seconds = f" in {event.seconds:.1f} s" if event.seconds is not None and event.status == "done" else ""
        reason = f": {event.reason.splitlines()[0]}" if event.reason else ""
        self._say(f"{event.step}: {event.status}{seconds}{reason}")

    def _worth_a_line(self, step: str, progress: Progress) -> bool:
        stride = max(1, -(-int(progress.total) // MOST_LINES)) if progress.total else 0
        before, now = self._parts.get(step, 0), int(progress.done)
        whole = bool(stride) and now > before and (now // stride > before // stride or now >= (progress.total or 0))
        if not whole and time.monotonic() - self._last < QUIET_SECONDS:
            return False
        self._parts[step] = int(progress.done)
        self._last = time.monotonic()
        return True

    def _say(self, line: str) -> None:
        say(self._console, line)


def _progress_words(progress: Progress, pace: Pace) -> str:
    """``3/20 loss 0.41, 12 s to go``; within a part ``17% loss 0.41``."""
    if not progress.total:
        return f"{round(progress.done, 2):g} {progress.note}".rstrip()
    seconds = pace.to_go(progress.expected)
    left = "" if seconds is None else f", {_to_go(progress, seconds)}"
    whole = float(progress.done).is_integer()
    done = f"{progress.done:g}/{progress.total:g}" if whole else f"{progress.done / progress.total:.0%}"
    return f"{done} {progress.note}".rstrip() + left


def _to_go(progress: Progress, seconds: float) -> str:
    return f"{'' if progress.left is None else 'about '}{_duration(seconds)} to go"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
