"""The task that decides on a retraining: what is spoiled is set aside and told; where it cannot decide it fails."""

import json
from types import SimpleNamespace

import pytest

from kilnworks.schemas.errors import DataInvalid
from kilnworks.schemas.files import read_json

pytestmark = pytest.mark.slow
RULES = {"settle_seconds": 0, "coalesce_seconds": 0, "cool_down_seconds": 0, "max_per_day": 100}


@pytest.fixture
def decide(project, tmp_path, monkeypatch):
    """The first task of a pipeline that retrains, with no pauses."""
    from kilnworks.dags.retrain import build_retrain_dag
    from kilnworks.pipelines.core.registry import load

    landing = tmp_path / "landing"
    landing.mkdir()
    monkeypatch.setenv("TOY_LANDING", str(landing))
    pipeline = load("arriving")
    policy = pipeline.operations.retrain.model_copy(update=RULES)
    return build_retrain_dag(pipeline, policy).get_task("decide")


def put(decide, name, text="value\n1\n"):
    from pathlib import Path

    (Path(decide.policy.landing) / name).write_text(text)


def context(decide):
    ti = SimpleNamespace(dag_id="arriving_retrain", task_id="decide")
    return {"run_id": "asset__1", "ti": ti, "task": decide}


def alerts(store):
    return [read_json(path) for path in sorted((store / "alerts").glob("*.json"))]


def test_what_cannot_be_decided_fails_and_is_told(decide, project):
    from airflow.sdk.exceptions import AirflowException

    decide.policy = decide.policy.model_copy(update={"base": "/nonexistent/base.csv"})
    put(decide, "a.csv")
    with pytest.raises(AirflowException, match=r"no base data at /nonexistent/base.csv") as raised:
        decide.execute(context(decide))
    for told in decide.on_failure_callback:
        told({**context(decide), "exception": raised.value})
    assert [(a["kind"], a["pipeline"], a["text"]) for a in alerts(project)] == [
        ("failed", "arriving_retrain", "no base data at /nonexistent/base.csv")
    ]


def test_every_task_of_the_dag_tells_that_it_failed(decide):
    assert {bool(task.on_failure_callback) for task in decide.dag.tasks} == {True}


def test_what_a_run_failed_by_is_set_aside_and_told_with_the_way_back(decide, project):
    from kilnworks.components.retraining.watch import confirm
    from kilnworks.pipelines.core.store import Store

    put(decide, "bad.csv", "value\nx\n")
    order = decide.execute(context(decide))
    confirm(project, "arriving", order["run_id"])
    error = DataInvalid("column value: no number: 'x'")
    Store(project).run("arriving", order["run_id"]).record("checked", "failed", reason=error.got, error=error.record())
    put(decide, "good.csv", "value\n2\n")
    later = decide.execute(context(decide))
    (alert,) = alerts(project)
    assert (alert["kind"], alert["pipeline"], alert["task"]) == ("set aside", "arriving_retrain", "decide")
    assert alert["link"].endswith("/dags/arriving_retrain/runs/asset__1"), "the run is one of that DAG"
    for words in ("bad.csv is set aside: run retrain__", error.got, "kilnworks landed arriving --bring-back bad.csv"):
        assert words in alert["text"]
    assert "good.csv" in json.dumps(read_json(project / "retraining" / "arriving" / "ledger.json")["batches"][-1])
    assert later["run_id"] != order["run_id"]


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ("age: between 0 and 120, broken in 3 rows", "; in bad.csv: age: between 0 and 120, broken in 3 rows"),
        ("", "; new files: good.csv, bad.csv"),
    ],
)
def test_the_alert_of_a_failed_retraining_names_the_files(project, wrong, text):
    """Those that are bad by themselves; all new ones where none is."""
    from kilnworks.dags.alerts import task_failed
    from kilnworks.pipelines.core.store import Store

    run = Store(project).run("arriving", "r1")
    files = [
        {"name": "good.csv", "kind": "new", "bad": ""},
        {"name": "bad.csv", "kind": "new", "bad": wrong},
        {"name": "old.csv", "kind": "earlier"},
    ]
    run.begin("", {}, landed={"folder": "", "files": files})
    error = DataInvalid("1 critical rule broken")
    run.record("checked", "failed", reason=error.got, error=error.record())
    ti = SimpleNamespace(dag_id="arriving", task_id="all")
    task_failed({"ti": ti, "task": SimpleNamespace(steps=("checked",)), "run_id": "r1"})
    assert [a["text"] for a in alerts(project)] == [f"1 critical rule broken{text}"]
