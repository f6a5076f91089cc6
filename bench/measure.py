"""Whole-process figures of commands, run in turn so that a drift of the machine meets both alike."""

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figures:
    """What one run of a command used: CPU and wall seconds of its process tree, peak memory of the largest process."""

    cpu: float
    wall: float
    peak_mb: float
    output: str


def run(command: Sequence[str], log: Path, env: Mapping[str, str] | None = None) -> Figures:
    """Run a command to its end; raises where it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    with log.open("w") as out:
        child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})})
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - began
    output = log.read_text()
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}:\n{output[-2000:]}")
    return Figures(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, output)


def median(figures: Sequence[Figures], name: str) -> float:
    """Median of one figure."""
    return statistics.median(getattr(f, name) for f in figures)


def row(what: str, ours: Sequence[Figures], theirs: Sequence[Figures] | None = None) -> str:
    """One line of a Markdown table: medians, and the median of the pairwise CPU ratios."""
    cells = [what, *(f"{median(ours, n):.1f}" for n in ("cpu", "wall")), f"{median(ours, 'peak_mb'):.0f}"]
    if theirs is not None:
        ratios = [a.cpu / b.cpu for a, b in zip(ours, theirs, strict=True)]
        cells.append(f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    else:
        cells.append("1")
    return f"| {' | '.join(cells)} |"
