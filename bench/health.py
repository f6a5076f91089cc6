"""What looking at the layers costs a training: whole processes that train, without looks, with some, with all.

Each round runs ``kilnworks run NAME --to model`` with ``model.health`` ``none``, ``auto`` and ``every`` in turn, on a
store that has the steps before the training, so that the ratio is of processes that do nothing else.

usage: python -m bench.health [--rounds N] [--pipelines NAME ...]
"""

import argparse
import sys
import tempfile
from pathlib import Path

from bench.measure import Figures, row, run
from kilnworks.schemas.files import read_json

MODES = ("none", "auto", "every")


def trained(store: Path, pipeline: str, mode: str, number: int) -> tuple[Figures, float]:
    """The figures of one training, and the wall seconds of its looks."""
    name = f"{mode}-{number}"
    command = [sys.executable, "-m", "kilnworks", "run", pipeline, "--run-id", name, "--to", "model"]
    command += ["--set", f"model.health={mode}", "--set", f"model.seed={number + 1}"]
    used = run(command, store / "logs" / f"{pipeline}-{name}.log", {"KILNWORKS_STORE": str(store)})
    told = store / "runs" / pipeline / name / "model" / "health.json"
    return used, float(read_json(told)["seconds"]) if told.is_file() else 0.0


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pipelines", nargs="+", default=["churn", "digits"])
    args = parser.parse_args()
    print("| training, looks | CPU s | wall s | peak MB | CPU, x without looks (lowest to highest) | looks, wall s |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        for pipeline in args.pipelines:
            trained(store, pipeline, "none", args.rounds)
            rounds = [[trained(store, pipeline, mode, number) for mode in MODES] for number in range(args.rounds)]
            for place, mode in enumerate(MODES):
                ours, without = ([one[place][0] for one in rounds], [one[0][0] for one in rounds])
                looks = max(one[place][1] for one in rounds)
                print(f"{row(f'`{pipeline}`, {mode}', ours, without if place else None)} {looks:.2f} |", flush=True)


if __name__ == "__main__":
    main()
