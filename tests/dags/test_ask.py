"""How a person is asked: the question is written, and a trigger waits that finds the answer whenever it was given."""

import shutil
from importlib import import_module

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred
from airflow.sdk.execution_time import task_runner

from kilnworks.dags.approval import APPROVE, REJECT, ApprovalOperator
from kilnworks.pipelines.core.execute import run_all
from kilnworks.pipelines.core.registry import load
from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.champion import ChampionRecord, write_champion


class Comms:
    """Airflow's side of a task: keeps what is sent."""

    def __init__(self):
        self.sent = []

    def send(self, msg):
        self.sent.append(msg)


class Instance:
    id = "01a1f829-b620-73f5-8cad-26d02e10f95d"


@pytest.fixture
def comms(monkeypatch):
    found = Comms()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", found, raising=False)
    return found


@pytest.fixture
def ran(project):
    """Make a run of the pipeline that asks, up to the question."""

    def make(run_id, **settings):
        run = Store(project).run("asked", run_id)
        run.begin("test", settings)
        run_all(load("asked").configured(settings), run, selected=("checked", "model", "evaluation", "servable"))
        return run

    return make


def ask(run_id):
    """Run the task that asks, up to where it waits."""
    asked = load("asked")
    approval = asked.operations.task("deployment").approval
    operator = ApprovalOperator(task_id="ask", pipeline=asked, step="deployment", approval=approval)
    operator.execute({"run_id": run_id, "task_instance": Instance})


@pytest.mark.slow
def test_the_champion_is_measured_on_the_rows_of_the_run_before_the_question(comms, ran):
    """In a process of its own; here the settings of the evaluation differ."""
    old = ran("old")
    write_champion(old.store.root, ChampionRecord("asked", "old", "asked", 3, "x", "now"))
    ran("new", **{"evaluation.minimum": {"mean": 1.0}})
    with pytest.raises(TaskDeferred):
        ask("new")
    body = comms.sent[0].body
    assert "| mean | 2.0000 (2.0000 to 2.0000) | 2.0000 (2.0000 to 2.0000) | +0.0000 |" in body
    assert "Both are measured on the same rows" in body
    assert "[report](/kilnworks/files/asked/old/report.html)" in body
    assert "[report](/kilnworks/files/asked/new/report.html)" in body


@pytest.mark.slow
def test_a_champion_that_cannot_be_measured_is_said_with_the_reason(comms, ran):
    old = ran("old")
    write_champion(old.store.root, ChampionRecord("asked", "old", "asked", 3, "x", "now"))
    ran("new", **{"evaluation.minimum": {"mean": 1.0}})
    shutil.rmtree(old.path / "model")
    with pytest.raises(TaskDeferred):
        ask("new")
    body = comms.sent[0].body
    assert "Each on rows of its own" in body
    assert "do not say which is better: " in body
    assert "model" in body.rpartition("do not say which is better: ")[2]


@pytest.mark.slow
def test_nobody_is_asked_about_what_was_not_measured(comms, project):
    with pytest.raises(AirflowFailException, match="run r1 of asked has no evaluation"):
        ask("r1")
    assert comms.sent == []


@pytest.mark.slow
def test_the_answer_is_looked_for_by_a_trigger(comms, ran):
    ran("r1")
    with pytest.raises(TaskDeferred) as waiting:
        ask("r1")
    assert comms.sent[0].options == [APPROVE, REJECT]
    assert "There is no champion yet." in comms.sent[0].body
    assert waiting.value.method_name == "execute_complete"
    path, arguments = waiting.value.trigger.serialize()
    module, _, name = path.rpartition(".")
    again = getattr(import_module(module), name)(**arguments)
    assert (again.ti_id, again.defaults) == (Instance.id, [REJECT])
    assert again.params.dump() == {"deployment.keep": 3, "comment": ""}
