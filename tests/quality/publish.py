"""Write the table of ``docs/data-quality.md``: ``python tests/quality/publish.py [docs/data-quality.md]``."""

import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from made_sources import all_sources  # noqa: E402
from scoring import Score, contract_of, score_clean, score_faults  # noqa: E402

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
    text = page.read_text(encoding="utf-8")
    head, tail = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    page.write_text(f"{head}\n{table(total)}\n{tail}", encoding="utf-8")
    print("\n".join(total.alarms))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "data-quality.md")
