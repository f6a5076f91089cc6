"""The whole job against the bare script that does it by hand: ``make bench``.

Prints a Markdown table for ``docs/performance.md``. Figures are of whole processes; ratios are pairwise, from
runs in turn on this machine. ``python -m bench.pipeline --rounds 3`` repeats each size three times.
"""

import argparse
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from bench.measure import Figures, row, run

HERE = Path(__file__).parent
OUT = HERE / "out"
SIZES = {"small": "10,000 rows", "big": "1,000,000 + 100,000 rows"}


def data() -> Path:
    """The CSV files, made once."""
    folder = OUT / "data"
    if not (folder / "big_eval.csv").is_file():
        run([sys.executable, str(HERE / "generate.py"), str(folder)], OUT / "generate.log")
    return folder


def bare(size: str, seed: int = 0) -> Figures:
    """The hand-written script."""
    folder = OUT / "bare"
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, str(HERE / "bare.py"), str(data()), size, str(folder)]
    return run(command, OUT / "bare.log", {"TF_CPP_MIN_LOG_LEVEL": "2", "SEED": str(seed)})


def ours(size: str, store: Path, seed: int = 0) -> Figures:
    """The same job with every guarantee."""
    command = [sys.executable, "-m", "kilnworks", "run", "peers", "--store", str(store)]
    command += ["--set", f"examples.source.train.path={data()}/{size}_train.csv"]
    command += ["--set", f"examples.source.test.path={data()}/{size}_eval.csv"]
    command += ["--set", f"model.seed={seed}", "--promote"]
    return run(command, OUT / "ours.log", {"KILNWORKS_ROOT": str(HERE)})


def fresh_store() -> Path:
    """An empty store."""
    folder = OUT / "store"
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def noop_milliseconds() -> float:
    """Milliseconds a step of a six-step pipeline that does nothing, in process; median of 20 runs."""
    sys.path.insert(0, str(HERE))
    from bench.noop import PIPELINE
    from kilnworks.pipelines.core.execute import run_all
    from kilnworks.pipelines.core.store import Store

    times = []
    with tempfile.TemporaryDirectory() as folder:
        for i in range(20):
            began = time.perf_counter()
            run_all(PIPELINE, Store(Path(folder)).run("noop", f"r{i}"), fresh=True)
            times.append((time.perf_counter() - began) / len(PIPELINE.steps) * 1000)
    return sorted(times)[len(times) // 2]


def aucs(size: str, seeds: range) -> tuple[list[float], list[float]]:
    """Test AUC by seed, of the bare script and of ours."""
    from kilnworks.schemas.files import read_json

    theirs, own = [], []
    for seed in seeds:
        theirs.append(float(re.findall(r'"auc": ([0-9.]+)', bare(size, seed).output)[-1]))
        store = fresh_store()
        ours(size, store, seed)
        found = next(store.glob("runs/peers/*/evaluation/evaluation.json"))
        own.append(read_json(found)["metrics"]["auc"]["value"])
    return theirs, own


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    arguments = parser.parse_args()
    print("| job | CPU s | wall s | peak MB | CPU, x bare (lowest to highest) |\n|---|---|---|---|---|")
    for size in arguments.sizes:
        by_hand, guarded, again = [], [], []
        for _ in range(arguments.rounds):
            by_hand.append(bare(size))
            store = fresh_store()
            guarded.append(ours(size, store))
            again.append(ours(size, store))
        print(row(f"bare script, {SIZES[size]}", by_hand))
        print(row(f"Kilnworks, {SIZES[size]}", guarded, by_hand))
        print(row(f"Kilnworks, {SIZES[size]}, nothing changed", again, by_hand))
    print(f"\nno-op step in process: {noop_milliseconds():.1f} ms")
    if arguments.seeds:
        theirs, own = aucs("big" if "big" in arguments.sizes else "small", range(arguments.seeds))
        print(f"test AUC by seed: bare {theirs}, Kilnworks {own}")


if __name__ == "__main__":
    main()
