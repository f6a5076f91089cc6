"""``make demo``: the churn pipeline on the bundled data, a model server on free ports, one prediction over gRPC."""

import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
STORE = Path(os.environ.get("KILNWORKS_STORE", ROOT / "store")).resolve()
COMMAND = [sys.executable, "-m", "kilnworks"]
SAY = Console(highlight=False)
CHANCE = "probability_"
"""How the columns of an answer begin that say how probable a class is."""


def main() -> int:
    """Run, serve, ask; returns the exit code of what went wrong first."""
    SAY.rule("1  raw data to a published model", align="left")
    done = subprocess.run([*COMMAND, "run", "churn", "--store", str(STORE)], cwd=ROOT, check=False)
    if done.returncode:
        return done.returncode
    SAY.rule("2  a model server, and a prediction over gRPC", align="left")
    champion = json.loads((STORE / "champions" / "churn.json").read_text())
    server = subprocess.Popen(
        [*COMMAND, "serve", "--store", str(STORE), "--port=0", "--rest_api_port=0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = server.stdout.readline() if server.stdout else ""
        if not line:
            return server.wait() or 1
        ports = json.loads(line)
        address = f"127.0.0.1:{ports['grpc_port']}"
        SAY.print(
            f"serving churn version {champion['version']} at {address} (gRPC) and {ports['rest_api_port']} (REST)"
        )
        prediction = ask(address)
    finally:
        server.terminate()
        server.wait(timeout=30)
        if server.stdout:
            server.stdout.close()
    conclude(champion, prediction)
    return 0


def ask(address: str) -> str:
    """Predict for the first customer of the bundled data through the server; returns the answer's one line."""
    raw = (ROOT / "data" / "churn.csv").read_text().splitlines()
    with tempfile.TemporaryDirectory() as folder:
        row, answer = Path(folder) / "customer.csv", Path(folder) / "answer.csv"
        row.write_text("\n".join(raw[:2]) + "\n")
        command = [*COMMAND, "predict", "churn", str(row), "--server", address, "--output", str(answer)]
        subprocess.run([*command, "--store", str(STORE)], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        with answer.open(newline="") as file:
            told = next(csv.DictReader(file))
    chances = {name.removeprefix(CHANCE): float(value) for name, value in told.items() if name.startswith(CHANCE)}
    return f"{told['class']}  ({', '.join(f'{name} {chance:.3f}' for name, chance in chances.items())})"


def conclude(champion: dict[str, str], prediction: str) -> None:
    """The short table at the end."""
    run = STORE / "runs" / "churn" / champion["run_id"]
    metrics = json.loads((run / "evaluation" / "evaluation.json").read_text())["metrics"]
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="ignore", no_wrap=True)
    for name in ("auc", "accuracy", "log_loss"):
        m = metrics[name]
        table.add_row(name, f"{m['value']:.4f}  (95 % interval {m['low']:.4f} to {m['high']:.4f})")
    table.add_row("report", str(run / "report.html"))
    table.add_row("prediction", prediction)
    table.add_row("next", "kilnworks run churn --set model.epochs=50")
    table.add_row("", "kilnworks serve --port=8500 --rest_api_port=8501")
    table.add_row("", "kilnworks run digits")
    SAY.rule("3  done", align="left")
    SAY.print(table, markup=False)
    SAY.print("(kilnworks is .venv/bin/kilnworks)", style="dim")


if __name__ == "__main__":
    sys.exit(main())
