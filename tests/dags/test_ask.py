"""How a person is asked: the question is written, and a trigger waits that finds the answer whenever it was given."""

from importlib import import_module

import pytest
from airflow.sdk.exceptions import TaskDeferred
from airflow.sdk.execution_time import task_runner

from dags.approval import APPROVE, REJECT, ApprovalOperator
from pipelines.core.registry import load


class Comms:
    """Airflow's side of a task: keeps what is sent."""

    def __init__(self):
        self.sent = []

    def send(self, msg):
        self.sent.append(msg)


class Instance:
    id = "01a1f829-b620-73f5-8cad-26d02e10f95d"


@pytest.mark.slow
def test_the_answer_is_looked_for_by_a_trigger(project, monkeypatch):
    comms = Comms()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)
    asked = load("asked")
    task = asked.operations.task("deployment")
    operator = ApprovalOperator(task_id="ask", pipeline=asked, step="deployment", approval=task.approval)
    with pytest.raises(TaskDeferred) as waiting:
        operator.execute({"run_id": "r1", "task_instance": Instance})
    assert comms.sent[0].options == [APPROVE, REJECT]
    assert "There is no champion yet." in comms.sent[0].body
    assert waiting.value.method_name == "execute_complete"
    path, arguments = waiting.value.trigger.serialize()
    module, _, name = path.rpartition(".")
    again = getattr(import_module(module), name)(**arguments)
    assert (again.ti_id, again.defaults) == (Instance.id, [REJECT])
    assert again.params.dump() == {"deployment.keep": 3, "comment": ""}
