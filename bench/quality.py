"""How fast data is described and checked: ``python bench/quality.py [rows ...]`` (default 1,000,000 and 10,000,000).

For each number of rows a Parquet file of 13 columns (7 numbers, 5 categories, a label; 4 with missing values) is
made in parts. Then, in one process and after imports, three times: the contract is loaded, every row is summarised
(histogram or counts of each column), and the file is checked against the contract inferred from 20,000 other rows.
Printed: rows per second of the best and the median round, CPU seconds, and by how much memory grew at most.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

PART = 1_000_000
ROUNDS = 3


def make(rows: int, seed: int):
    """Rows of customers, as a Polars frame."""
    import numpy as np
    import polars as pl

    r = np.random.default_rng(seed)
    merchants = 1 / np.arange(1, 2001) ** 0.9
    income = np.exp(r.normal(10.4, 0.6, rows)).round(2)
    util = r.beta(1.6, 3.2, rows).round(4)
    tenure = r.gamma(2.0, 18.0, rows).round().astype("int64")
    label = (r.random(rows) < 1 / (1 + np.exp(1.2 - 3 * util + 0.02 * tenure))).astype("int64")

    def words(prefix, kinds, p=None):
        names = pl.Series([f"{prefix}{i:04d}" for i in range(kinds)])
        return names.gather(r.choice(kinds, rows, p=p))

    frame = pl.DataFrame(
        {
            "age": np.clip(r.normal(43, 14, rows), 18, 95).round().astype("int64"),
            "income": np.where(r.random(rows) < 0.06, np.nan, income),
            "tenure_months": tenure,
            "balance": np.where(r.random(rows) < 0.02, np.nan, (r.standard_t(4, rows) * 1800).round(2)),
            "utilization": np.where(r.random(rows) < 0.03, np.nan, util),
            "num_tx": r.poisson(14, rows),
            "hour": r.integers(0, 24, rows),
            "region": words("R", 12),
            "occupation": words("occ_", 40),
            "product": words("p", 6, [0.35, 0.25, 0.15, 0.12, 0.08, 0.05]),
            "channel": words("c", 4, [0.5, 0.25, 0.2, 0.05]),
            "merchant": words("m", 2000, merchants / merchants.sum()),
            "label": label,
        }
    )
    gaps = pl.Series(r.random(rows) < 0.04)
    return frame.with_columns(occupation=pl.when(gaps).then(None).otherwise("occupation")).fill_nan(None)


def write(folder: Path, rows: int) -> Path:
    """The file, made part by part."""
    import pyarrow.parquet as pq

    path, writer = folder / f"rows_{rows}.parquet", None
    for start in range(0, rows, PART):
        table = make(min(PART, rows - start), 100 + start // PART).to_arrow()
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=250_000)
    writer.close()
    return path


def peak_mb() -> float:
    """Largest resident memory of this process so far, in MB (Linux; unlike ``ru_maxrss`` without its parent's)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def measure(contract: str, file: str) -> None:
    """One file in this process; prints a JSON object."""
    import polars as pl

    from kilnworks.components.quality.screening.check import check_file
    from kilnworks.components.quality.screening.files.large import scan, slices
    from kilnworks.components.quality.stats.summary import merge_into, summarise
    from kilnworks.schemas.contract import load_contract

    rows = int(pl.scan_parquet(file, glob=False).select(pl.len()).collect().item())
    before = peak_mb()
    walls, cpu = [], time.process_time()
    for _ in range(ROUNDS):
        start = time.perf_counter()
        loaded = load_contract(contract)
        lazy, _ = scan(Path(file), None)
        summary: dict = {}
        for _, part in slices(lazy, rows, Path(file)):
            summary = merge_into(summary, summarise(part, loaded, like=summary))
        outcome = check_file(loaded, Path(file))
        walls.append(time.perf_counter() - start)
        if not outcome.success or any(d.rows + d.missing != rows for d in summary.values()):
            raise SystemExit(f"clean rows were refused or lost: {outcome.failures[:3]}")
    grown = peak_mb() - before
    print(
        json.dumps(
            {
                "rows": rows,
                "rows_per_second_best": round(rows / min(walls)),
                "rows_per_second_median": round(rows / statistics.median(walls)),
                "cpu_seconds": round((time.process_time() - cpu) / ROUNDS, 2),
                "memory_mb": round(grown),
            }
        )
    )


def main(sizes: list[int]) -> None:
    """Make the files and measure each in a process of its own."""
    from kilnworks.components.quality.contracts.infer import infer_contract
    from kilnworks.schemas.contract import dump_contract

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(20_000, 1).write_parquet(folder / "clean.parquet")
        contract = folder / "contract.yaml"
        contract.write_text(dump_contract(infer_contract(folder / "clean.parquet", label="label")))
        for rows in sizes:
            path = write(folder, rows)
            subprocess.run([sys.executable, __file__, "--measure", str(contract), str(path)], check=True)


if __name__ == "__main__":
    if "--measure" in sys.argv:
        measure(*sys.argv[2:])
    else:
        main([int(a) for a in sys.argv[1:]] or [1_000_000, 10_000_000])
