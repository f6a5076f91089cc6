"""Write the table of ``docs/data-quality.md``: ``python tests/quality/publish.py [docs/data-quality.md]``."""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from clean_sources import sources  # noqa: E402
from scoring import Score, contract_of, score_clean, score_faults  # noqa: E402

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
SIGNS = {"critical": "stops", "warning": "warns", "missed": "**missed**"}


def table(score: Score, names: list[str]) -> str:
    """The table in Markdown, the results in words above it."""
    batches = sum(len(v) for v in score.faults.values())
    lines = [
        f"{len(score.faults)} kinds of faults on {batches} spoiled batches: "
        f"**{score.share('critical', 'warning'):.1%} found, {score.share('critical'):.1%} as critical**. "
        f"{len(score.clean)} clean draws: "
        f"**{score.clean_share('critical'):.1%} critical false alarms, "
        f"{score.clean_share('critical', 'warning'):.1%} any**.",
        "",
        "| fault | " + " | ".join(names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for fault, found in score.faults.items():
        cells = [SIGNS[found[n]] if n in found else "" for n in names]
        lines.append(f"| {fault.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(page: Path) -> None:
    """Run everything and replace what stands between the marks."""
    score, known = Score(), sources()
    with tempfile.TemporaryDirectory() as folder:
        for source in known:
            contract, clean = contract_of(source, Path(folder))
            score_faults(source, contract, clean, Path(folder), score)
            score_clean(source, contract, Path(folder), 210 // len(known), score)
    text = page.read_text(encoding="utf-8")
    head, tail = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    page.write_text(f"{head}\n{table(score, [s.name for s in known])}\n{tail}", encoding="utf-8")
    print("\n".join(score.alarms))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "data-quality.md")
