"""The DAG that searches: its form as a command, and a search whose trials are tasks."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import jsonschema
import pytest

from kilnworks.dags.tune import SearchOperator, build_tune_dag, tunes, words
from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.core.graph import Pipeline, Step
from kilnworks.pipelines.core.operations import Docker, Operations, Task
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import Store
from kilnworks.pipelines.tuning.study import Study
from kilnworks.schemas.files import write_json
from kilnworks.schemas.search import Search
from tests.dags import airflow_home

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
RUN = """
    import json, kilnworks.dags.training as training
    run = training.customers_tune.test(run_conf=json.loads({conf!r}))
    states = {{}}
    for ti in run.get_task_instances():
        states.setdefault(ti.task_id, []).append(ti.state)
    print(); print(json.dumps([run.state, run.run_id, states]))
"""


@pytest.mark.parametrize(
    ("filled", "options"),
    [
        ({"trials": 3, "sampler": "tpe", "pruner": "none", "objective": None, "seed": 0},
         ("--trials=3", "--sampler=tpe", "--pruner=none", "--seed=0")),
        ({"trials": 1, "objective": "--store=x"}, ("--trials=1", "--objective=--store=x")),
        ({"settings": "model.epochs=2\n\n  model.batch=512 \n"}, ("--set=model.epochs=2", "--set=model.batch=512")),
        ({"settings": "--resume"}, ("--set=--resume",)),
    ],
)  # fmt: skip
def test_a_filled_form_is_the_options_of_the_command(filled, options):
    assert words(filled) == options


def test_the_form_has_what_the_definition_says_and_refuses_what_no_search_can_be():
    dag = build_tune_dag(replace(load("churn"), search=Search(trials=7, workers=3, sampler="random")))
    params = {name: dag.params.get_param(name) for name in dag.params}
    assert {name: param.value for name, param in params.items()} == {
        "trials": 7, "sampler": "random", "pruner": "hyperband", "objective": None, "seed": 0, "settings": None,
    }  # fmt: skip
    for name, value in (("trials", 0), ("trials", 1001), ("sampler", "best"), ("seed", -1)):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(value, params[name].schema)
    assert dag.get_task("trial").partial_kwargs["max_active_tis_per_dagrun"] == 3


class Unstarted(SearchOperator):
    """Says what its process would be handed, and starts none."""

    def run_command(self):
        self.given = self.handed()
        return 0


def test_settings_of_every_trial_may_refer_to_a_variable_of_airflow(project, monkeypatch):
    monkeypatch.setenv("AIRFLOW_VAR_SHOP_PASSWORD", "s3cretword")
    task = Unstarted(task_id="trial", pipeline="churn", arguments=("tune", "churn"), steps=["examples"])
    typed = "examples.source.path=/mnt/${variable:shop_password}/rows.csv"
    task.execute({"run_id": "r1", "params": {"settings": typed}})
    assert task.given == {"AIRFLOW_VAR_SHOP_PASSWORD": "s3cretword"} and task.arguments[-1] == "--study=r1"


def test_where_nothing_trains_on_the_worker_there_is_no_search():
    churn = load("churn")
    assert tunes(churn)
    image = Operations(tasks={"model": Task(where=Docker(image="kilnworks"))})
    assert not tunes(replace(churn, operations=image))
    before = tuple(step for step in churn.steps if step.name in churn.between(None, "transform"))
    assert all(isinstance(step, Step) for step in before)
    assert not tunes(Pipeline("prepared", before))


def test_a_run_of_the_dag_is_a_search_whose_trials_are_tasks(airflow_database, tmp_path, monkeypatch):
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    assert main(["init", str(tmp_path / "shop")]) == 0
    conf = {"trials": 2, "settings": "model.epochs=2\nmodel.batch=256"}
    (tmp_path / "dags").mkdir()
    alone = airflow_home.only(tmp_path / "dags", "customers_tune")
    environment = {**os.environ, **alone, "KILNWORKS_ROOT": str(tmp_path / "shop"), "PYTHONPATH": str(ROOT)}
    code = airflow_home.forked_steps() + dedent(RUN.format(conf=json.dumps(conf)))
    command = [*airflow_home.python(), "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    state, run_id, tasks = json.loads(done.stdout.strip().splitlines()[-1])
    assert state == "success", done.stdout[-4000:]
    assert tasks["begin"] == tasks["conclude"] == ["success"] and len(tasks["trial"]) == 2
    assert set(tasks["trial"]) <= {"success", "skipped"}
    study = Study.newest(Store(tmp_path / "store"), "customers")
    assert study.counted() == 2 and study.record["settings"] == {"model.epochs": 2, "model.batch": 256}
    assert study.best()["run_id"] in {study.run_id(0), study.run_id(1)}
    assert "customers" in (study.folder / "report.html").read_text()

    from kilnworks.dags.notes import on_dag_run_success

    dag = SimpleNamespace(tags={"kilnworks"})
    ended = SimpleNamespace(dag_id="customers_tune", run_id=run_id, note=None, dag=dag)
    on_dag_run_success(ended, "")
    assert ended.note.startswith("best val_") and f"(trial {study.best()['trial']}" in ended.note


def test_a_search_without_a_best_trial_or_with_a_damaged_record_has_no_note(project):
    from kilnworks.dags.notes import on_dag_run_success

    study = Study(Store(project), "toy", "r1")
    for content, wanted in (
        (None, None),
        ([1], None),
        ({"value": "high", "overrides": 3}, "best None 0 (trial None): the settings of the definition"),
    ):
        if content is not None:
            write_json(study.folder / "best.json", content)
        ended = SimpleNamespace(dag_id="toy_tune", run_id="r1", note=None, dag=SimpleNamespace(tags={"kilnworks"}))
        on_dag_run_success(ended, "")
        assert ended.note == wanted
