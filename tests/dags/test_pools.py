"""A run whose tasks name pools that do not exist is told of, in its note too."""

import threading
from types import SimpleNamespace

import pytest

from kilnworks.schemas.files import read_json
from tests.waiting import LONG_SECONDS

pytestmark = pytest.mark.slow


@pytest.fixture
def begun(airflow_database, project):
    """Begin a run of tasks in pools; returns its note and the alerts."""

    def begin(pools, note=None, tags=("kilnworks",)):
        from kilnworks.dags.pools import on_dag_run_running

        tasks = [SimpleNamespace(task_id=task, pool=pool) for task, pool in pools.items()]
        dag_run = SimpleNamespace(dag_id="toy", run_id="r1", note=note, dag=SimpleNamespace(tags=tags, tasks=tasks))
        on_dag_run_running(dag_run, "")
        for thread in [thread for thread in threading.enumerate() if thread.name == "alert"]:
            thread.join(LONG_SECONDS)
        return dag_run.note, sorted(read_json(path)["text"] for path in (project / "alerts").glob("*.json"))

    return begin


def test_every_missing_pool_is_told_and_stands_in_the_note(begun):
    note, told = begun({"checked": "default_pool", "learn": "gpu", "test": "gpu", "report": "paper"})
    assert told == [
        "learn, test will wait: there is no pool 'gpu'. To do: airflow pools set gpu 1 'gpu'",
        "report will wait: there is no pool 'paper'. To do: airflow pools set paper 1 'paper'",
    ]
    assert note == f"waits: {told[0]}; {told[1]}"


def test_a_note_of_many_pools_has_room_in_the_database(begun):
    note, told = begun({f"task{i}": f"pool{i}" for i in range(30)})
    assert len(told) == 30
    assert len(note) == 1000 and note.startswith("waits: task0 will wait") and note.endswith("...")


def test_a_run_that_has_its_pools_or_is_another_teams_is_left_alone(begun):
    assert begun({"checked": "default_pool"}) == (None, [])
    assert begun({"learn": "gpu"}, tags=("theirs",)) == (None, [])
    assert begun({"learn": "gpu"}, note="mine")[0] == "mine"
