"""MLflow itself reads what was written, makes the same tables, and is used where the short way does not lead.

Importing MLflow costs seconds: one process does everything, and the tests look at what it says.
"""

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from kilnworks.components.tracking.schema import FILE, read_schema
from kilnworks.components.tracking.tracker import track_run
from tests.components.reporting.invented_run import InventedRun

pytestmark = pytest.mark.slow

SCRIPT = textwrap.dedent("""
    import json, os, sqlite3, sys, warnings
    from pathlib import Path
    warnings.simplefilter("ignore")
    run, store, folder = map(Path, sys.argv[1:])
    from kilnworks.components.tracking.tracker import track_run

    def read(uri):
        from mlflow import MlflowClient
        client = MlflowClient(uri, uri)
        experiment = client.get_experiment_by_name("churn")
        where = "metrics.`test/auc` > 0.5 and params.`model.epochs` = '12'"
        runs = client.search_runs([experiment.experiment_id], where)
        run = runs[0]
        version = client.get_model_version_by_alias("churn", "champion")
        curve = client.get_metric_history(run.info.run_id, "training/loss")
        return {
            "runs": [r.info.run_id for r in runs], "name": run.info.run_name, "status": run.info.status,
            "params": run.data.params, "metrics": run.data.metrics, "tags": run.data.tags,
            "curve": [(m.step, m.value) for m in curve],
            "figures": sorted(a.path for a in client.list_artifacts(run.info.run_id, "figures")),
            "source": version.source, "path": version.tags["kilnworks.path"],
            "version": int(version.version), "aliases": list(version.aliases),
            "run_of": version.run_id, "default": client.get_experiment("0").name,
            "versions": len(client.search_model_versions("name = 'churn'")),
        }

    short = f"sqlite:///{store}/mlflow/mlflow.db"
    answer = {"short": read(short)}
    other = f"sqlite:///{folder}/other.db?timeout=5"
    os.environ["MLFLOW_TRACKING_URI"] = other
    answer["ids"] = [track_run(run, store), track_run(run, store)]
    answer["client"] = read(other)
    with sqlite3.connect(folder / "other.db") as database:
        answer["revision"] = database.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        database.execute("UPDATE alembic_version SET version_num = 'another'")
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/other.db"
    answer["outdated"] = track_run(run, store)
    from kilnworks.components.tracking.schema import write_schema
    write_schema(folder / "schema.sql")
    print(json.dumps(answer))
""")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tracked")


@pytest.fixture(scope="module")
def answer(place: Path) -> dict[str, Any]:
    """What one process with MLflow found."""
    run = InventedRun(place).done()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        run_id = track_run(run.path, place)
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", SCRIPT, str(run.path), str(place), str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert done.returncode == 0, done.stderr
    return {"id": run_id, "said": done.stderr, **json.loads(done.stdout.splitlines()[-1])}


def check(found: dict[str, Any], run_id: str, place: Path) -> None:
    assert found["runs"] == [run_id]
    assert (found["name"], found["status"]) == ("20260102-030405", "FINISHED")
    assert [step for step, _ in found["curve"]] == list(range(12))
    assert found["metrics"]["test/auc"] > 0.8
    assert found["params"]["model.optimizer.kind"] == "adamw"
    assert found["tags"]["kilnworks.outcome"] == "done"
    assert "figures/roc.svg" in found["figures"]
    assert found["path"] == str(place / "serving" / "churn" / "3")
    assert (found["aliases"], found["versions"]) == (["champion"], 1)
    assert found["run_of"] == run_id
    assert found["default"] == "Default"


def test_mlflow_reads_what_was_written_without_it(answer: dict[str, Any], place: Path) -> None:
    check(answer["short"], answer["id"], place)
    assert answer["short"]["version"] == 3
    assert answer["short"]["source"] == answer["short"]["path"]


def test_the_kept_tables_are_those_of_the_installed_mlflow(answer: dict[str, Any], place: Path) -> None:
    def lines(path: Path) -> list[str]:
        """Lines in any order: that of the constraints of a table changes from process to process."""
        return sorted(line.strip().rstrip(",") for line in path.read_text().splitlines())

    assert lines(place / "schema.sql") == lines(FILE), "MLflow has changed its tables: call schema.write_schema()"
    assert answer["revision"] == read_schema().revision


def test_mlflows_client_writes_the_same_and_twice_is_once(answer: dict[str, Any], place: Path) -> None:
    first, second = answer["ids"]
    assert first == second
    check(answer["client"], first, place)
    same = ("params", "metrics", "tags", "curve", "figures")
    assert {k: answer["client"][k] for k in same} == {k: answer["short"][k] for k in same}


def test_a_database_that_mlflow_itself_refuses_only_warns(answer: dict[str, Any]) -> None:
    assert answer["outdated"] is None
    assert "was not told of this run" in answer["said"]
