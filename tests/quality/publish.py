"""Write the table of ``docs/data-quality.md``: ``python -m tests.quality.publish [docs/data-quality.md]``."""

import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tests.quality.made_sources import all_sources
from tests.quality.next_period import KINDS
from tests.quality.scoring import NextFile, Score, contract_of, score_clean, score_faults, score_next

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
DRAWS = 30
"""Clean draws of each source."""


def table(score: Score) -> str:
    """The table in Markdown, the results in words above it."""
    batches = sum(len(v) for v in score.faults.values())
    lines = [
        f"{len(score.faults)} kinds of faults on {batches} spoiled batches of {len(all_sources())} sources: "
        f"**{score.share('critical', 'warning'):.1%} found, {score.share('critical'):.1%} as critical**. "
        f"{len(score.clean)} clean draws: "
        f"**{score.clean_share('critical'):.1%} critical false alarms, "
        f"{score.clean_share('critical', 'warning'):.1%} any**.",
        "",
        "| fault | stopped on | only warned on | missed on |",
        "|---|---|---|---|",
    ]
    for fault, found in score.faults.items():
        stopped = sum(verdict == "critical" for verdict in found.values())
        warned, missed = (", ".join(n for n, v in found.items() if v == kind) for kind in ("warning", "missed"))
        lines.append(f"| {fault.replace('_', ' ')} | {stopped} of {len(found)} | {warned} | {missed} |")
    return "\n".join(lines)


def next_periods(kind: str) -> list[NextFile]:
    """The next-period files of a kind: of a clean file in order and of one in random order."""
    with tempfile.TemporaryDirectory() as folder:
        return [file for seed in (0, 1) for file in score_next(kind, seed, Path(folder))]


def next_line(files: list[NextFile]) -> str:
    """How many files of a next period were stopped, in words."""
    stopped = sum(f.verdict == "critical" for f in files) / len(files)
    accused = sum(f.verdict != "" for f in files) / len(files)
    return (
        f"{len(files)} clean files of a next period of {len({f.kind for f in files})} kinds of sources: "
        f"**{stopped:.1%} stopped, {accused:.1%} with any alarm**."
    )


def score_of(number: int) -> Score:
    """Every fault and the clean draws of one source."""
    source, score = all_sources()[number], Score()
    with tempfile.TemporaryDirectory() as folder:
        contract, clean = contract_of(source, Path(folder))
        score_faults(source, contract, clean, Path(folder), score)
        score_clean(source, contract, Path(folder), DRAWS, score)
    return score


def main(page: Path) -> None:
    """Run everything and replace what stands between the marks."""
    total = Score()
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        for score in pool.map(score_of, range(len(all_sources()))):
            total.add(score)
        files = [file for found in pool.map(next_periods, KINDS) for file in found]
    text = page.read_text(encoding="utf-8")
    head, tail = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    page.write_text(f"{head}\n{next_line(files)}\n\n{table(total)}\n{tail}", encoding="utf-8")
    print("\n".join([*total.alarms, *(f"{f}" for f in files if f.verdict == "critical")]))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs") / "data-quality.md")
