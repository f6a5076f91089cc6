"""What Airflow adds to the local run of a pipeline: per task, and for the churn pipeline as a whole.

A real Airflow (all processes, LocalExecutor, PostgreSQL where one is installed, else SQLite) is started; each pipeline
is run locally and by Airflow in turn, always from nothing. Prints a Markdown table.

usage: python -m bench.airflow [--rounds 3]
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from bench import measure
from kilnworks.pipelines.core.store import Store
from scripts.airflow import postgres
from scripts.airflow.processes import ROOT, Airflow

PROJECT = ROOT / "bench" / "airflow_project"
PIPELINES = {"nothing": 6, "churn_steps": 7, "churn_grouped": 4, "churn_one": 1}
"""And how many tasks each has, apart from ``finish``."""


class Client:
    """The REST interface of an Airflow, as its admin."""

    def __init__(self, airflow: Airflow) -> None:
        self._url = airflow.url
        self._token = ""
        login = {"username": "admin", "password": airflow.passwords["admin"]}
        self._token = self.call("POST", "/auth/token", login)["access_token"]

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The decoded answer."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def run(self, dag: str) -> dict[str, Any]:
        """Start a run and wait for its end; it must succeed."""
        body = {"logical_date": None, "conf": {}}
        run_id = self.call("POST", f"/api/v2/dags/{dag}/dagRuns", body)["dag_run_id"]
        while True:
            found = self.call("GET", f"/api/v2/dags/{dag}/dagRuns/{urllib.request.quote(run_id)}")
            if found["state"] == "success":
                return found
            if found["state"] == "failed":
                raise RuntimeError(f"{dag} {run_id} failed")
            time.sleep(0.5)

    def ready(self, dags: tuple[str, ...]) -> None:
        """Wait until the DAGs are known, and let them run."""
        while True:
            known = {dag["dag_id"] for dag in self.call("GET", "/api/v2/dags?limit=100")["dags"]}
            if known.issuperset(dags):
                break
            time.sleep(0.5)
        for dag in dags:
            self.call("PATCH", f"/api/v2/dags/{dag}", {"is_paused": False})


def locally(name: str, folder: Path) -> float:
    """Wall seconds of a run on the command line, from nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "kilnworks", "run", name, "--store", str(folder)]
    env = {"KILNWORKS_ROOT": str(PROJECT), "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return measure.run(command, folder.with_suffix(".log"), env).wall


def scheduled(client: Client, airflow: Airflow, name: str) -> tuple[float, float]:
    """Wall seconds of a run by Airflow, from its start to the end of its last step, and seconds inside the steps."""
    for part in ("runs", "index", "work", "serving", "champions"):
        shutil.rmtree(airflow.store / part, ignore_errors=True)
    found = client.run(name)
    tasks = client.call("GET", f"/api/v2/dags/{name}/dagRuns/{urllib.request.quote(found['dag_run_id'])}/taskInstances")
    ends = [task["end_date"] for task in tasks["task_instances"] if task["task_id"] != "finish"]
    run = Store(airflow.store).run(name, found["dag_run_id"])
    inside = sum(json.loads(path.read_text())["seconds"] for path in (run.path / "outcomes").glob("*.json"))
    return _seconds(found["start_date"], max(ends)), inside


def _seconds(start: str, end: str) -> float:
    from datetime import datetime

    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


@contextlib.contextmanager
def running(folder: Path):
    """An Airflow that runs for the length of the block."""
    database = postgres.Postgres(folder / "postgres", durable=False) if postgres.usable() else None
    if database:
        database.start()
    airflow = Airflow(folder / "airflow", folder / "store", database.url if database else None, project=PROJECT)
    try:
        airflow.start()
        yield airflow
    finally:
        airflow.stop()
        if database:
            database.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    folder = Path(tempfile.mkdtemp(prefix="kilnworks-bench-"))
    folder.chmod(0o755)
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in PIPELINES}
    try:
        with running(folder) as airflow:
            client = Client(airflow)
            client.ready(tuple(PIPELINES))
            for _ in range(rounds):
                for name in PIPELINES:
                    found[name].append((locally(name, folder / "local"), *scheduled(client, airflow, name)))
            print(f"database: {'PostgreSQL' if airflow.database else 'SQLite'}, load {os.getloadavg()[0]:.1f}\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("| pipeline | tasks | local s | Airflow s | ratio | extra s a task |\n|---|---|---|---|---|---|")
    for name, tasks in PIPELINES.items():
        local, wall, _ = (statistics.median(column) for column in zip(*found[name], strict=True))
        ratio = statistics.median(w / lo for lo, w, _ in found[name])
        extra = statistics.median((w - i) / tasks for _, w, i in found[name])
        print(f"| {name} | {tasks} | {local:.1f} | {wall:.1f} | {ratio:.2f} | {extra:.2f} |")
    print(
        "\nextra: wall seconds of the run by Airflow outside of the steps, by number of tasks; imports of a step that"
    )
    print("loads TensorFlow or Great Expectations are inside of it.")


if __name__ == "__main__":
    main()
