"""One pass over the definitions at each parse: a real DAG processor reads each of them once, a broken one too.

Airflow parses its two files side by side. Until the first has noted what did not load, the second finds it by itself:
what is counted here are the parses after the first one.
"""

import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from kilnworks.pipelines.cli.app import main
from scripts.airflow.processes import ROOT, Airflow

pytestmark = pytest.mark.e2e
PARSES = 2
TALLY = """
import inspect, os
from pathlib import Path

outermost = [Path(f.filename) for f in inspect.stack() if f.function == "<module>"][::-1]
asked_by = next((path.name for path in outermost if path.parent.name == "dags"), "nobody")
with open(os.environ["DEFINITIONS_READ"], "a") as file:
    file.write(f"{__name__.rpartition('.')[2]} {asked_by} {os.getpid()}\\n")
"""
"""What a definition says whenever it is read: its name, which of Airflow's files wants it, and in which process."""


@pytest.fixture
def shop(tmp_path) -> Path:
    """A project with two definitions that say when they are read; the second does not load."""
    shop = tmp_path / "shop"
    assert main(["init", str(shop)]) == 0
    whole = shop / "pipelines/customers.py"
    whole.write_text(whole.read_text() + TALLY)
    (shop / "pipelines/broken.py").write_text(f"{TALLY}import nothing_of_that_name\n")
    return shop


@pytest.mark.parametrize(
    ("where", "reader"),
    [("project", "kilnworks_dags.py"), pytest.param("clone", "training.py", marks=pytest.mark.nightly)],
)
def test_a_parse_reads_each_definition_once(shop, tmp_path, where, reader):
    folder = shop / "dags" if where == "project" else ROOT / "dags"
    tally, database = tmp_path / "read.txt", tmp_path / "airflow/airflow.db"
    airflow = Airflow(
        tmp_path / "airflow",
        tmp_path / "store",
        project=shop,
        settings={
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "0",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "1",
            "DEFINITIONS_READ": str(tally),
        },
    )
    airflow.prepare()
    run(airflow, "-c", "import kilnworks.dags.training")
    tally.unlink()
    run(airflow, "-m", "airflow", "dag-processor", "--num-runs", str(PARSES))
    read = Counter(tuple(line.split()) for line in tally.read_text().splitlines())
    assert set(read.values()) == {1}, f"no process reads a definition twice: {read}"
    assert {file for _, file, _ in read} == {reader}
    parses = Counter(name for name, _, _ in read)
    assert parses["customers"] == parses["broken"] >= PARSES
    with sqlite3.connect(database) as tables:
        dags = {dag for (dag,) in tables.execute("SELECT dag_id FROM serialized_dag")}
        errors = [error for (error,) in tables.execute("SELECT stacktrace FROM import_error")]
    assert dags >= {"customers", "customers_champion", "maintenance"} and "broken" not in dags
    assert len(errors) == 1 and "broken" in errors[0] and "nothing_of_that_name" in errors[0]


def run(airflow: Airflow, *words: str) -> None:
    """Python in the environment of this Airflow."""
    done = subprocess.run(
        [sys.executable, *words],
        env=airflow.environment(),
        cwd=airflow.home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
