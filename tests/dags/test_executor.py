"""The end of a task is told once, by the last process of its try."""

import pytest
from airflow.executors.base_executor import BaseExecutor
from airflow.models.taskinstancekey import TaskInstanceKey
from airflow.utils.state import TaskInstanceState

from kilnworks.dags.executor import LastEnd


class Workload:
    """What an executor is asked to run."""

    def __init__(self, key):
        self.key = key


class Listed(BaseExecutor):
    """Starts nothing: the test says when a process ends."""

    def _process_workloads(self, workload_items):
        self.started = [workload.key for workload in workload_items]


class Told(LastEnd, Listed):
    """The same, telling the last end."""


ASKED = TaskInstanceKey("asked", "approve_deployment", "run", 1, -1)


@pytest.fixture
def executor():
    return Told(parallelism=2)


def test_an_answer_before_the_asking_process_has_ended(executor):
    executor._process_workloads([Workload(ASKED)])
    executor._process_workloads([Workload(ASKED)])
    executor.success(ASKED)
    assert executor.get_event_buffer() == {}
    executor.success(ASKED)
    assert executor.get_event_buffer() == {ASKED: (TaskInstanceState.SUCCESS, None)}


def test_an_answer_after_it(executor):
    for _ in range(2):
        executor._process_workloads([Workload(ASKED)])
        executor.success(ASKED)
        assert executor.get_event_buffer() == {ASKED: (TaskInstanceState.SUCCESS, None)}


def test_another_try_is_another_task(executor):
    again = ASKED.with_try_number(2)
    executor._process_workloads([Workload(ASKED), Workload(again)])
    executor.fail(ASKED)
    assert executor.get_event_buffer() == {ASKED: (TaskInstanceState.FAILED, None)}


def test_what_is_no_end_is_passed_on(executor):
    executor._process_workloads([Workload(ASKED)])
    executor.running_state(ASKED)
    executor.success(ASKED)
    assert executor.get_event_buffer() == {ASKED: (TaskInstanceState.SUCCESS, None)}
