"""What the DAG of a pipeline looks like, and what it costs to read it."""

import datetime as dt
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from kilnworks.pipelines.churn import CHURN
from kilnworks.pipelines.core.form import changed
from kilnworks.pipelines.core.operations import Operations, Task, ThisProcess
from kilnworks.pipelines.core.registry import load
from tests.dags.airflow_home import PROJECT
from tests.effort import some

pytestmark = pytest.mark.slow


@pytest.fixture
def build(project):
    from kilnworks.dags.factory import build_dag

    return build_dag


@pytest.fixture
def toy(project):
    return load("toy")


def test_one_task_a_step_and_one_arrow_an_input(build, toy):
    dag = build(toy, "Text of the file.")
    arrows = {name: task.upstream_task_ids for name, task in dag.task_dict.items()}
    assert arrows.pop("finish") == set(arrows)
    assert arrows == {
        "checked": set(),
        "model": {"checked"},
        "evaluation": {"model"},
        "servable": {"model", "evaluation"},
        "deployment": {"servable"},
    }


def test_what_the_definition_says_is_on_the_dag(build, toy):
    dag = build(toy, "Text of the file.")
    assert dag.description == "The mean of some values."
    assert dag.doc_md.startswith("Text of the file.")
    assert "| `servable` | Servable | model, evaluation |" in dag.doc_md
    assert dag.tags == {"kilnworks", "test"}
    assert (dag.schedule.expression, dag.catchup, dag.max_active_runs) == ("0 0 * * 0", False, 1)
    assert {task.owner for task in dag.tasks} == {"analysts"}


def test_whose_workers_take_a_task_and_how_often(build, toy):
    """The DAGs that move the champion belong where the deployment does."""
    from kilnworks.dags.champion import build_champion_dag

    told = Task(queue="serving", priority=7, executor_config={"pod_override": "big"}, retries=0)
    routed = replace(toy, operations=replace(toy.operations, tasks={**toy.operations.tasks, "deployment": told}))
    for task in (build(routed).get_task("deployment"), build_champion_dag(routed).get_task("move")):
        assert (task.queue, task.priority_weight) == ("serving", 7)
        assert task.executor_config == {"pod_override": "big"}
    assert build(routed).get_task("deployment").retries == 0
    other = build(routed).get_task("model")
    assert (other.queue, other.priority_weight, other.executor, other.retries) == ("default", 1, None, 2)


def test_a_deployment_that_asks_both_models_starts_in_a_fresh_process(build):
    """TensorFlow must not start in a process that was forked from another."""
    here = Operations(tasks={"deployment": Task(where=ThisProcess()), "checked": Task(where=ThisProcess())})
    dag = build(replace(CHURN, operations=here))
    kinds = {name: type(dag.get_task(name)).__name__ for name in ("checked", "deployment")}
    assert kinds == {"checked": "InProcessOperator", "deployment": "PipelineOperator"}
    off = CHURN.configured({"deployment.challenge": None})
    assert type(build(replace(off, operations=here)).get_task("deployment")).__name__ == "InProcessOperator"


def test_steps_are_drawn_in_the_box_of_their_stage(build, toy):
    groups = build(toy).task_group.children
    assert {name: sorted(group.children) for name, group in groups.items() if name != "finish"} == {
        "data": ["checked"],
        "learning": ["evaluation", "model"],
        "release": ["deployment", "servable"],
    }


def test_a_group_is_one_task_with_its_settings(build):
    dag = build(load("grouped"))
    learn = dag.get_task("learn")
    assert learn.arguments == ("step", "grouped", "model", "evaluation", "servable")
    assert (learn.pool, learn.retries, learn.execution_timeout) == ("training", 2, dt.timedelta(minutes=10))
    assert learn.retry_exponential_backoff == 2.0
    assert dag.get_task("deployment").upstream_task_ids == {"learn"}
    assert type(dag.get_task("checked")).__name__ == "InProcessOperator"


def test_data_reaches_the_command_by_the_environment_alone(build, toy):
    for task in build(toy).tasks:
        assert "{{" not in " ".join(task.arguments)
        assert task.env["KILNWORKS_RUN_ID"] == "{{ run_id }}"
        assert task.template_fields == ("env",)


def test_finish_runs_after_all_and_does_not_decide_the_run(build, toy):
    finish = build(toy).get_task("finish")
    assert finish.is_teardown
    assert finish.on_failure_fail_dagrun is False


def test_the_form_has_every_setting_with_its_rules(build, toy):
    params = build(toy).params
    epochs = params.get_param("model.epochs")
    assert epochs.value == 2
    assert epochs.schema == {
        "type": "integer",
        "allOf": [{"minimum": 1, "maximum": 50}],
        "title": "epochs",
        "section": "model",
        "setting": "model.epochs",
    }
    assert epochs.description == "Passes over the rows. Whole number from 1 to 50."


def test_the_form_asks_for_the_minutes_of_a_training(build):
    """``new --budget`` writes the same setting into a definition."""
    from airflow.sdk.exceptions import ParamValidationError

    minutes = build(CHURN).params.get_param("model.budget_minutes")
    assert minutes.value is None
    assert minutes.resolve(2.5) == 2.5
    with pytest.raises(ParamValidationError, match="minimum"):
        minutes.resolve(0)
    (learn,) = (s for s in CHURN.configured(changed(CHURN, {"model.budget_minutes": 2.5})).steps if s.name == "model")
    assert learn.config.budget_minutes == 2.5


def test_the_form_is_held_once_and_not_again_by_every_task(build, toy):
    """Serialized with each task of it, the DAGs of a project were several times as large, and slow to read."""
    dag = build(toy)
    assert len(dag.params) > 5
    assert {task.task_id: len(task.params) for task in dag.tasks} == dict.fromkeys(dag.task_ids, 0)


def test_a_text_that_is_empty_by_default_may_be_left_empty(build, toy):
    fail = build(toy).params.get_param("model.fail")
    assert fail.value == ""
    kinds = ["", "data", "server", "once", "crash", None]
    assert (fail.schema["type"], fail.schema["enum"]) == (["string", "null"], kinds)


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("model.epochs", 0, 50),
        ("model.epochs", "many", 1),
        ("model.rate", 0, None),
        ("checked.split", "random", "time"),
        ("evaluation.minimum", 0.5, {"mean": 2}),
    ],
)
def test_a_bad_value_is_refused_by_the_form(build, toy, name, bad, good):
    from airflow.sdk.exceptions import ParamValidationError

    param = build(toy).params.get_param(name)
    assert param.resolve(good) == good
    with pytest.raises(ParamValidationError):
        param.resolve(bad)


def test_assets_say_what_a_step_makes_and_reads(build, toy):
    dag = build(toy)
    made = {task.task_id: [getattr(o, "name", "") for o in task.outlets] for task in dag.tasks}
    assert made == {
        "checked": ["toy.checked"],
        "model": ["toy.model"],
        "evaluation": [],
        "servable": ["toy.servable"],
        "deployment": ["toy.deployment.changed"],
        "finish": [],
    }
    assert [a.name for a in dag.get_task("servable").inlets] == ["toy.model"]
    assert dag.get_task("model").outlets[0].uri == "kilnworks://toy/model"


def test_a_pool_is_asked_for(build, toy):
    dag = build(replace(toy, operations=Operations(tasks={"model": Task(pool="gpu")})))
    assert {task.task_id: task.pool for task in dag.tasks}["model"] == "gpu"


ROOT = Path(__file__).parents[2]
FILES = ["training", "import_errors"]
HEAVY = ["tensorflow", "keras", "great_expectations", "mlflow", "pyspark", "pandas", "sklearn"]


def test_reading_every_dag_file_loads_nothing_heavy(interpreter):
    code = f"""
import json, sys
import kilnworks.dags.training, kilnworks.dags.import_errors
print(json.dumps(sorted(set({HEAVY}) & set(sys.modules))))
"""
    assert interpreter(code) == []


def test_serialization_is_the_same_in_every_process(interpreter):
    code = """
import json
from airflow.serialization.serialized_objects import DagSerialization
from airflow.models.serialized_dag import SerializedDagModel
import kilnworks.dags.training
found = {}
for name in ("toy", "grouped"):
    dag = getattr(kilnworks.dags.training, name)
    dag.fileloc = "training.py"
    found[name] = SerializedDagModel.hash(DagSerialization.to_dict(dag))
print(json.dumps(found))
"""
    assert interpreter(code, PYTHONHASHSEED="1") == interpreter(code, PYTHONHASHSEED="2")


def test_the_process_of_a_task_builds_its_own_dag_alone(python):
    code = """
import json
import kilnworks.dags.training
found = [n for n, v in vars(kilnworks.dags.training).items() if type(v).__name__ == "DAG"]
print(json.dumps(found))
"""
    asked = {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": "arriving_retrain", "_AIRFLOW_PARSING_CONTEXT_TASK_ID": "decide"}
    assert python(code, **asked) == ["arriving_retrain"]
    assert python(code, **{**asked, "_AIRFLOW_PARSING_CONTEXT_DAG_ID": "maintenance"}) == ["maintenance"]


def test_each_dag_comes_from_one_file(python):
    """A DAG that two files define changes its version whenever either is read."""
    code = f"""
import json
from airflow.dag_processing.dagbag import DagBag
bags = {{{{name: sorted(DagBag("{ROOT}/dags/" + name + ".py").dags) for name in {FILES}}}}}
print()
print(json.dumps(bags))
"""
    found = python(code.format())
    assert found["import_errors"] == []
    assert {"toy", "grouped", "arriving", "arriving_retrain", "toy_champion", "maintenance"} <= set(found["training"])


def test_one_pass_reads_all_definitions(python, tmp_path):
    """Each definition is imported once, although two files are read; and again once it has changed."""
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "counted.py").write_text(
        "from pathlib import Path\n"
        "with (Path(__file__).parents[1] / 'imports').open('a') as log: log.write('x')\n"
        "raise ValueError('not yet')\n"
    )
    code = """
import json, os, sys
from pathlib import Path
root = Path(os.environ["KILNWORKS_ROOT"])
said = []
def refused():
    sys.modules.pop("kilnworks.dags.import_errors", None)
    try:
        import kilnworks.dags.import_errors
        said.append("")
    except Exception as error:
        said.append(str(error))
import kilnworks.dags.training
refused()
count = len((root / "imports").read_text())
(root / "pipelines" / "counted.py").write_text("raise ValueError('changed')")
refused()
print(json.dumps([count, *said]))
"""
    count, before, after = python(code, KILNWORKS_ROOT=str(tmp_path))
    assert count == 1
    assert ("not yet" in before, "changed" in after) == (True, True)


REFUSED = """
import json
import kilnworks.dags.training
try:
    import kilnworks.dags.import_errors
    said = ""
except Exception as error:
    said = str(error)
print(json.dumps([sorted(n for n, v in vars(kilnworks.dags.training).items() if type(v).__name__ == "DAG"), said]))
"""


@pytest.mark.parametrize("in_the_way", some(["a folder", "no JSON"], ["no JSON"]))
def test_a_note_that_cannot_be_kept_or_read_hides_no_dag_and_no_reason(python, project, tmp_path, in_the_way):
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "broken.py").write_text("raise ValueError('not yet')")
    note = project / "definitions.json"
    if in_the_way == "a folder":
        note.mkdir(parents=True)
    else:
        project.mkdir()
        note.write_text('{"files"')
    found, said = python(REFUSED, KILNWORKS_ROOT=str(tmp_path))
    assert "maintenance" in found
    assert "broken" not in found
    assert "broken: " in said and "not yet" in said


@pytest.mark.parametrize("name", some(["toy_champion", "maintenance"], ["toy_champion"]))
def test_a_definition_whose_dag_would_be_called_like_another_is_refused_with_that_reason(python, tmp_path, name):
    shutil.copytree(PROJECT, tmp_path, dirs_exist_ok=True)
    text = (PROJECT / "pipelines" / "toy.py").read_text()
    (tmp_path / "pipelines" / f"{name}.py").write_text(text.replace('"toy"', f'"{name}"'))
    found, said = python(REFUSED, KILNWORKS_ROOT=str(tmp_path))
    assert {"toy", "toy_champion", "maintenance"} <= set(found)
    assert f"{name}: there is another DAG {name}" in said
    code = f"import kilnworks.dags.training, json; print(json.dumps(sorted(kilnworks.dags.training.{name}.task_dict)))"
    tasks = python(code, KILNWORKS_ROOT=str(tmp_path), _AIRFLOW_PARSING_CONTEXT_DAG_ID=name)
    assert tasks == (["move"] if name == "toy_champion" else ["prune"])


def test_airflow_reads_the_files_that_define_dags_and_no_others():
    ignored = (ROOT / "dags" / ".airflowignore").read_text().split("\n")
    assert sorted({path.name for path in (ROOT / "dags").glob("*.py")} - set(ignored)) == sorted(
        f"{f}.py" for f in FILES
    )


def test_a_definition_that_does_not_load_takes_no_other_with_it(python, tmp_path):
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines" / "broken.py").write_text("import nothing_of_that_name\n")
    code = """
import json
import kilnworks.dags.training
try:
    import kilnworks.dags.import_errors
except Exception as error:
    print(json.dumps([hasattr(kilnworks.dags.training, "broken"), str(error)]))
"""
    found, message = python(code, KILNWORKS_ROOT=str(tmp_path))
    assert not found
    assert "broken.py line 1: ModuleNotFoundError: No module named 'nothing_of_that_name'" in message


def test_a_gate_that_closes_within_a_group_is_told(build):
    """Such a task has not been skipped: its other steps are made."""
    from kilnworks.dags import alerts

    task = build(CHURN).get_task("learn")
    assert [*task.on_success_callback] == [*task.on_skipped_callback] == [alerts.gate_closed]
