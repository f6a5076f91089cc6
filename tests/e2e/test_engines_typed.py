"""The engines of Great Expectations as a user asks for them: by the command that is typed, in a project folder."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from kilnworks.schemas.files import read_json
from tests import needed, preloaded

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).parents[2]
SMALL = """\
spark.sql.codegen.wholeStage false
spark.sql.codegen.factoryMode NO_CODEGEN
spark.sql.shuffle.partitions 2
spark.sql.adaptive.enabled false
spark.driver.extraJavaOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
"""
"""For tables of a few rows: compiling each query, or Java's code a second time, costs more than running it."""
SHOP = '''
from kilnworks.components.evaluate import EvaluateConfig
from kilnworks.components.ingest import IngestConfig
from kilnworks.components.sources import SqlSource
from kilnworks.components.train import TrainConfig
from kilnworks.pipelines.core.chains import supervised
from kilnworks.schemas.contract import parse_contract

SHOP = supervised(
    "shop",
    IngestConfig(
        contract=parse_contract("""
            name: shop
            key: id
            features:
              age: {dtype: int, min: 18, max: 80}
              plan: {dtype: string, allowed: [basic, plus]}
              score: {dtype: float, nullable: true, max_missing: 0.5}
            label: {name: bought, dtype: string, classes: ["no", "yes"]}
        """),
        source=SqlSource(url="sqlite:///shop.db", query="SELECT * FROM customers ORDER BY id"),
        check_in_database=True,
    ),
    TrainConfig(),
    evaluation=EvaluateConfig(),
    description="Who buys.",
)
'''


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a definition and a database of 300 customers; one of them is 99 years old only in ``old``."""
    folder = tmp_path_factory.mktemp("project") / "Büro [1], {a,b}*"
    folder.mkdir()
    (folder / "pipelines").mkdir()
    (folder / "pipelines/shop.py").write_text(SHOP)
    (folder / "conf").mkdir()
    (folder / "conf/spark-defaults.conf").write_text(SMALL)
    rows = [(f"c{i:03}", 18 + i % 60, ("basic", "plus")[i % 2], i / 7 if i % 3 else None) for i in range(300)]
    with sqlite3.connect(folder / "shop.db") as database:
        for table, oldest in (("customers", 70), ("old", 99)):
            database.execute(f"CREATE TABLE {table} (id TEXT, age INTEGER, plan TEXT, score REAL, bought TEXT)")
            changed = [(*row, ("no", "yes")[i % 5 == 0]) for i, row in enumerate(rows)]
            changed[7] = (changed[7][0], oldest, *changed[7][2:])
            database.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)", changed)
    database.close()
    return folder


def typed(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """``kilnworks ...`` in the project folder."""
    return started(preloaded.python(), project, "-m", "kilnworks", *words)


def python(project: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``python ...`` in the project folder."""
    return started([sys.executable], project, *words, **environment)


def started(begin: list[str], project: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process in the project folder, with a Java for Spark."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), "KILNWORKS_ROOT": str(project), "JAVA_HOME": needed.java()}
    env |= {"SPARK_CONF_DIR": str(project / "conf"), "SPARK_LOCAL_IP": "127.0.0.1", **environment}
    return subprocess.run([*begin, *words], cwd=project, env=env, capture_output=True, text=True, check=False)


def outcomes(project: Path, run: str) -> dict[tuple[str, str], tuple[bool, int | None]]:
    found = read_json(project / "store/runs/shop" / run / "checked/validation.json")
    return {(o["rule"], o["split"]): (o["success"], o["unexpected"]) for o in found["outcomes"]}


def test_spark_after_the_database_in_one_process(project):
    """The rules run in the database first, so that the library is loaded without Spark when its turn comes."""
    here = typed(project, "run", "shop", "--to", "checked", "--run-id", "here")
    assert here.returncode == 0, here.stdout + here.stderr
    spark = ("--set", "checked.engine=spark", "--run-id", "spark")
    there = typed(project, "run", "shop", "--to", "checked", *spark)
    assert there.returncode == 0, there.stdout + there.stderr
    assert "WARN" not in there.stderr and "Traceback" not in there.stderr, there.stderr
    report = read_json(project / "store/runs/shop/spark/checked/validation.json")
    assert report["engine"].endswith("spark") and sum(report["rows"].values()) == 300
    assert outcomes(project, "spark") == outcomes(project, "here")


def judged_on_spark(project: Path, run: str) -> None:
    """The checks of a run were made by Spark, on all rows."""
    report = read_json(project / "store/runs/shop" / run / "checked/validation.json")
    assert report["engine"].endswith("spark") and sum(report["rows"].values()) == 300


@pytest.mark.nightly
def test_spark_by_steps_of_one_process(project):
    """Both steps in one process, as a task of several steps runs them: the database's checks come first."""
    done = typed(project, "step", "shop", "examples", "checked", "--run-id", "step", "--set", "checked.engine=spark")
    assert done.returncode == 0, done.stdout + done.stderr
    judged_on_spark(project, "step")


TASK = """
import sys
from kilnworks.dags.factory import build_dag
from kilnworks.dags.operators import InProcessOperator, PipelineOperator
from kilnworks.pipelines.core.registry import load

dag = build_dag(load("shop"))
for name in ("examples", "checked"):
    task = dag.get_task(name)
    kind = {"process": PipelineOperator, "here": InProcessOperator}[sys.argv[1]]
    chosen = kind(task_id=f"{name}_tried", pipeline="shop", arguments=task.arguments, steps=task.steps, env=ENV)
    chosen.execute({"run_id": sys.argv[1]})
"""


@pytest.mark.nightly
@pytest.mark.parametrize("where", ["process", "here"])
def test_spark_by_the_tasks_of_airflow(project, tmp_path, where):
    """The tasks of the DAG, in a process each and all in one, with the setting as the form hands it over."""
    env = {"KILNWORKS_RUN_ID": where, "KILNWORKS_OVERRIDES": json.dumps({"checked.engine": "spark"})}
    code = f"ENV = {env!r}\n{TASK}"
    done = python(project, "-c", code, where, AIRFLOW_HOME=str(tmp_path), KILNWORKS_STORE=str(project / "store"))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    judged_on_spark(project, where)


@pytest.mark.nightly
def test_a_rule_that_breaks_on_spark_is_named(project):
    table = ("--set", "examples.source.query=old", "--set", "examples.check_in_database=false")
    found = typed(project, "run", "shop", "--to", "checked", *table, "--set", "checked.engine=spark", "--run-id", "old")
    assert found.returncode == 1 and "1 critical rule(s)" in found.stderr and "found 99" in found.stderr, found.stderr


def test_a_rule_that_breaks_in_the_database_is_named(project):
    found = typed(project, "run", "shop", "--to", "examples", "--set", "examples.source.query=old", "--run-id", "sql")
    assert found.returncode == 1 and "age [train]" in found.stderr and "found 99" in found.stderr, found.stderr


def test_a_master_that_is_none_is_refused_in_words(project):
    nowhere = ("--set", "checked.engine=spark", "--set", "checked.spark_master=spark:/nowhere", "--run-id", "nowhere")
    found = typed(project, "run", "shop", "--to", "checked", *nowhere)
    assert found.returncode == 2 and "no Spark session on spark:/nowhere" in found.stderr, found.stderr
    assert "Traceback" not in found.stderr
