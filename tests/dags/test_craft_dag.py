"""The DAG that cross-validates, diagnoses and finds a learning rate: its form as a command, a run, its note."""

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from types import SimpleNamespace

import jsonschema
import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from kilnworks.dags.craft import OPTIONS, CraftOperator, build_craft_dag, crafts, words
from kilnworks.dags.notes import on_dag_run_success
from kilnworks.pipelines.cli.app import main
from kilnworks.pipelines.core.operations import Docker, Operations, Task
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import Store
from kilnworks.pipelines.craft.crossval import Crossval
from kilnworks.pipelines.craft.diagnosis import Diagnosis
from kilnworks.pipelines.craft.headline import headline
from kilnworks.pipelines.craft.rates import Rates
from kilnworks.pipelines.craft.work import FOLDERS
from kilnworks.schemas.errors import ConfigError, StoreError, TrainingDiverged
from kilnworks.schemas.files import read_json, write_json
from tests.dags import airflow_home

ROOT = Path(__file__).parents[2]
RUN = """
    import json, kilnworks.dags.training as training
    run = training.customers_craft.test(run_conf=json.loads({conf!r}))
    print(); print(json.dumps([run.state, run.run_id, [ti.state for ti in run.get_task_instances()]]))
"""


@pytest.mark.parametrize(
    ("filled", "options"),
    [
        ({"what": "crossval", "folds": 5, "by": None, "seed": 0}, ()),
        ({"what": "crossval", "folds": 3, "by": "grouped", "column": "--store=x"},
         ("--folds=3", "--by=grouped", "--column=--store=x")),
        ({"what": "diagnose", "shares": "0.1,1", "seed": 2}, ("--shares=0.1,1", "--seed=2")),
        ({"what": "lr-find", "from": 1e-5, "batch-sizes": "32,64", "settings": "model.batch=2\n\n --resume "},
         ("--from=1e-05", "--batch-sizes=32,64", "--set=model.batch=2", "--set=--resume")),
    ],
)  # fmt: skip
def test_a_filled_form_is_the_options_of_the_command(filled, options):
    assert words(filled) == options


def test_the_form_refuses_what_the_commands_would_refuse():
    dag = build_craft_dag(load("churn"))
    params = {name: dag.params.get_param(name) for name in dag.params}
    assert params.keys() == {"what", "settings", *OPTIONS} and params["what"].value == "crossval"
    for name, value in (("what", "sing"), ("folds", 1), ("by", "luck"), ("steps", 3), ("from", 0), ("seed", -1)):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(value, params[name].schema)


def test_a_field_of_another_command_is_refused_before_anything_runs(project):
    filled = {"what": "lr-find", "folds": 3}
    with pytest.raises(ConfigError, match="folds = 3 with lr-find") as refused:
        words(filled)
    assert refused.value.fix == "leave it at 5, or choose crossval", "a field that must not be empty"
    with pytest.raises(ConfigError, match="empty it, or choose crossval"):
        words({"what": "diagnose", "column": "town"})
    task = CraftOperator(task_id="craft", pipeline="churn", arguments=())
    with pytest.raises(AirflowFailException, match="choose crossval"):
        task.execute({"run_id": "r1", "params": filled})


def test_a_task_names_the_work_as_its_run_so_that_a_retry_goes_on_with_it(project):
    class Unstarted(CraftOperator):
        def run_command(self):
            return 0

    task = Unstarted(task_id="craft", pipeline="churn", arguments=())
    task.execute({"run_id": "manual__2026", "params": {"what": "diagnose", "settings": "model.epochs=2"}})
    assert task.arguments == ("diagnose", "churn", "--set=model.epochs=2", "--work=manual__2026")


@pytest.mark.parametrize(
    ("error", "expected"),
    [(TrainingDiverged("loss nan"), AirflowFailException), (StoreError("full"), AirflowException)],
)
def test_a_training_that_fails_is_tried_again_only_where_that_can_mend_it(project, error, expected):
    class Failing(CraftOperator):
        def run_command(self):
            for run_id, outcome in (("f1", "done"), ("f2", "failed")):
                told = {"reason": error.got, "error": error.record()} if outcome == "failed" else {}
                Store(project).run("churn", f"crossval-manual__2026-{run_id}").record("model", outcome, **told)
            return 1

    task = Failing(task_id="craft", pipeline="churn", arguments=(), steps=["examples", "model"])
    with pytest.raises(AirflowException) as failed:
        task.execute({"run_id": "manual__2026", "params": {"what": "crossval"}})
    assert type(failed.value) is expected and str(failed.value).startswith(f"model: {error.got}")


def test_there_is_none_where_the_commands_would_refuse():
    churn = load("churn")
    assert crafts(churn) and crafts(load("demand")) and not crafts(load("cartpole"))
    assert not crafts(replace(churn, operations=Operations(tasks={"model": Task(where=Docker(image="kilnworks"))})))


def test_the_folders_of_the_store_are_those_of_the_works():
    assert {one.COMMAND: one.FOLDER for one in (Crossval, Diagnosis, Rates)} == FOLDERS


@pytest.mark.slow
def test_a_run_of_the_dag_does_what_the_command_does(airflow_database, tmp_path, monkeypatch):
    monkeypatch.setenv("KILNWORKS_STORE", str(tmp_path / "store"))
    assert main(["init", str(tmp_path / "shop")]) == 0
    conf = {"what": "lr-find", "steps": 60, "from": 1e-5, "settings": "model.batch=64"}
    (tmp_path / "dags").mkdir()
    alone = airflow_home.only(tmp_path / "dags", "customers_craft")
    environment = {**os.environ, **alone, "KILNWORKS_ROOT": str(tmp_path / "shop"), "PYTHONPATH": str(ROOT)}
    code = airflow_home.forked_steps() + dedent(RUN.format(conf=json.dumps(conf)))
    command = [*airflow_home.python(), "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    state, run_id, tasks = json.loads(done.stdout.strip().splitlines()[-1])
    assert (state, tasks) == ("success", ["success"]), done.stdout[-4000:]
    work = Rates.newest(Store(tmp_path / "store"), "customers")
    assert (work.record["steps"], work.record["from"], work.record["settings"]) == (60, 1e-5, {"model.batch": 64})
    told = read_json(work.folder / "results.json")
    assert [test["batch"] for test in told["tests"]] == [64] and (work.folder / "report.html").is_file()
    ended = SimpleNamespace(dag_id="customers_craft", run_id=run_id, note=None, dag=SimpleNamespace(tags={"kilnworks"}))
    on_dag_run_success(ended, "")
    assert ended.note == headline(told) and ended.note.startswith("kilnworks run customers --set model.batch=64")


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ({"summary": {"val_auc": {"mean": 0.81234567, "sd": 0.0123}, "val_loss": {"mean": "?"}}},
         "val_auc 0.81235, standard deviation over folds 0.012\nval_loss not known"),
        ({"folds": [{"monitor": "val_loss"}],
          "summary": {"accuracy": {"mean": 0.99}, "val_auc": {"mean": 0.8}, "val_loss": {"mean": 0.4}}},
         "val_loss 0.4\nval_auc 0.8"),
        ({"verdicts": [{"title": "high bias", "sure": False, "said": "it learns 2 %"}]},
         "high bias, perhaps: it learns 2 %"),
        ({"verdicts": []}, "nothing found"),
        ({"commands": ["kilnworks run churn", ""]}, "kilnworks run churn"),
        ({"commands": [""]}, "the loss hardly falls at these rates: try others"),
    ],
)  # fmt: skip
def test_the_note_of_a_run_says_what_it_came_to(project, results, said):
    assert headline(results) == said
    write_json(Store(project).root / "diagnoses" / "toy" / "r1" / "results.json", results)
    ended = SimpleNamespace(dag_id="toy_craft", run_id="r1", note=None, dag=SimpleNamespace(tags={"kilnworks"}))
    on_dag_run_success(ended, "")
    assert ended.note.replace("\\", "") == said
