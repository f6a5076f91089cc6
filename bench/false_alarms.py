"""How often clean rows are accused: ``python bench/false_alarms.py [TABLES] [FIRST]`` (default 100 tables from seed 0).

Each table has its own random columns (tails of every weight, codes, texts, dates, gaps), number of rows (60 to 3,000)
and label. Its contract is inferred; then six fresh draws of other sizes, two of them with replacement, are checked.
Printed: every alarm, and the counts.

``python bench/false_alarms.py next [SEEDS] [FIRST]`` (default 2 seeds from 0) checks files of a next period instead:
later dates, counters that go on, a week against a year, a few rows, of each kind in ``tests/quality/next_period.py``.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "quality")]

Rng = np.random.Generator
WORDS = np.array([f"word{i}" for i in range(300)])
KINDS: dict[str, Callable[[Rng, int, np.ndarray, float], object]] = {
    # rows, the hidden cause that ties columns together, and a size of the column's own in [0, 1]
    "normal": lambda r, n, z, a: np.round(40 * a + (1 + 20 * a) * (r.normal(size=n) + z * a), int(4 * a)),
    "lognormal": lambda r, n, z, a: np.round(np.exp(5 * a + (0.1 + a) * r.normal(size=n) + z * a), int(4 * a)),
    "pareto": lambda r, n, z, a: np.round(r.pareto(1.2 + 1.5 * a, n) * 10, int(4 * a)),
    "student": lambda r, n, z, a: np.round(r.standard_t(3, n) * (1 + 30 * a), int(4 * a)),
    "often_0": lambda r, n, z, a: np.where(r.random(n) < 0.7, 0, np.round(r.gamma(1, 50, n), int(4 * a))),
    "share": lambda r, n, z, a: np.round(r.beta(0.5, 0.5 + 3 * a, n), 3),
    "count": lambda r, n, z, a: r.poisson(np.exp(np.clip(3 * a + 0.3 * z, -3, 5))),
    "waiting": lambda r, n, z, a: r.geometric(0.05, n),
    "stars": lambda r, n, z, a: r.integers(1, 6, n),
    "flag": lambda r, n, z, a: r.random(n) < 0.3,
    "rare": lambda r, n, z, a: (r.random(n) < 0.02 + 0.3 * a).astype(int),
    "group": lambda r, n, z, a: [f"group {i}" for i in np.minimum(r.geometric(0.3, n), 2 + int(28 * a))],
    "many": lambda r, n, z, a: [f"u{i}" for i in r.zipf(1.3, n) % 5000],
    "day": lambda r, n, z, a: (pd.Timestamp("2023-01-01") + pd.to_timedelta(r.integers(0, 500, n), unit="D")).date,
    "moment": lambda r, n, z, a: (
        pd.Timestamp("2023-01-01") + pd.to_timedelta((r.beta(2, 1, n) * 5e7).round(), unit="s")
    ),
    "year": lambda r, n, z, a: r.integers(1950, 2024, n),
    "text": lambda r, n, z, a: [" ".join(r.choice(WORDS, m)) for m in 1 + r.poisson(4, n)],
    "whole": lambda r, n, z, a: r.integers(0, 10 ** (1 + int(6 * a)), n),
    "place": lambda r, n, z, a: np.round(48 + r.normal(0, 0.05, n) + (r.random(n) < 0.3) * 0.5, 5),
    "clock": lambda r, n, z, a: [f"{m // 60:02d}:{m % 60:02d}" for m in r.integers(0, 1440, n)],
    "code": lambda r, n, z, a: [f"{chr(65 + c % 5)}{i:03d}" for c, i in enumerate(r.integers(0, 300, n))],
    "dose": lambda r, n, z, a: r.choice([0.5, 1, 1.5, 2, 2.5, 10], n),
}


class Table:
    """Random columns, from which any number of rows can be drawn."""

    def __init__(self, seed: int) -> None:
        r = np.random.default_rng(seed)
        names = r.choice(list(KINDS), r.integers(3, 18))
        self.columns = [(str(k), r.random(), r.choice([0, 0, 0, 0.05, 0.4])) for k in names]
        self.seed, self.key, self.classes, self.cut = seed, r.random() < 0.5, r.random() < 0.7, r.choice([0, 1])
        self.rows = int(r.choice([60, 150, 400, 1000, 3000]))

    def draw(self, rows: int, draw: int) -> pd.DataFrame:
        """Rows that no other draw has."""
        r = np.random.default_rng([self.seed, draw])
        z = r.normal(size=rows)
        frame = pd.DataFrame({"id": r.permutation(rows) + draw * 10**6} if self.key else {})
        for i, (kind, size, gaps) in enumerate(self.columns):
            values = pd.Series(KINDS[kind](r, rows, z, size)).astype(object)
            frame[f"{kind} {i}"] = values.where(r.random(rows) >= gaps)
        score = z + r.normal(size=rows) * 1.5
        frame["target"] = np.where(score > self.cut, "yes", "no") if self.classes else np.round(np.exp(score), 2)
        return frame


def verdicts(table: Table, folder: Path) -> list[str]:
    """What six clean draws are judged as; prints the alarms."""
    from kilnworks.components.quality.contracts.infer import infer_contract
    from kilnworks.components.quality.screening.check import check_file

    path, found = folder / "rows.csv", []
    table.draw(table.rows, 0).to_csv(path, index=False)
    contract = infer_contract(path, label="target")
    for number in range(1, 7):
        r = np.random.default_rng([table.seed, number, 1])
        frame = table.draw(int(r.choice([30, 80, 200, table.rows, min(3 * table.rows, 4000)])), number)
        if number % 3 == 0:
            again = frame.sample(frac=1, replace=True, random_state=number).reset_index(drop=True)
            frame = again.assign(id=frame["id"]) if table.key else again
        frame.to_csv(path, index=False)
        outcome = check_file(contract, path)
        found.append("critical" if not outcome.success else "warning" if outcome.failures else "none")
        for f in outcome.failures[:2]:
            print(f"table {table.seed} ({table.rows} rows), draw of {len(frame)}: {f}")
    return found


def main(tables: int = 100, first: int = 0) -> None:
    """Print alarms and counts."""
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + tables):
            counts.update(verdicts(Table(seed), Path(folder)))
    total = sum(counts.values())
    print(f"{total} clean draws: {counts['critical'] / total:.1%} critical, {1 - counts['none'] / total:.1%} any alarm")


def next_periods(seeds: int = 2, first: int = 0) -> None:
    """Print the files of a next period that are stopped, and the counts."""
    from next_period import KINDS
    from scoring import score_next

    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            for seed in range(first, first + seeds):
                for file in score_next(kind, seed, Path(folder)):
                    counts[file.verdict or "none"] += 1
                    if file.verdict == "critical":
                        print(f"{kind}, seed {seed}, {file.cut}: {'; '.join(file.alarms)}")
    total = sum(counts.values())
    print(
        f"{total} clean files of a next period, {len(KINDS)} kinds: {counts['critical'] / total:.1%} critical, "
        f"{1 - counts['none'] / total:.1%} any alarm"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["next"]:
        next_periods(*[int(a) for a in sys.argv[2:]])
    else:
        main(*[int(a) for a in sys.argv[1:]])
