"""What is killed in the middle is made good, and nothing half-written is ever taken for an artifact."""

import os
import signal
import threading

import psutil
import pytest

from kilnworks.pipelines.core.manifest import damage
from kilnworks.schemas.files import read_json
from tests.e2e.airflow.conftest import ENDED, parent, step_process

pytestmark = pytest.mark.e2e
CONF = {"model.epochs": 6, "model.seconds": 1.0, "live": "promote"}
EPOCHS = 6
WORKERS = 4
"""Tasks at once, ``Airflow.parallelism``: a process of the scheduler for each."""


def in_the_middle(world, run_id, done):
    """Wait until the training has done so many epochs."""
    run = world.store.run("sturdy", run_id)

    def far():
        outcome = run.outcome("model") or {}
        return outcome.get("outcome") == "running" and (outcome.get("progress") or {}).get("done", 0) >= done

    world.wait("the training to be in the middle", far)
    return run


def whole(run):
    for step in ("checked", "model", "evaluation", "servable", "deployment"):
        manifest = run.manifest(step)
        assert manifest is not None, step
        assert damage(run.step_path(step), manifest) is None
    assert not list(run.path.glob(".*.partial"))


def test_a_killed_training_goes_on_at_its_epoch(world):
    run_id = world.start("sturdy", {**CONF, "model.rate": 0.1})
    run = in_the_middle(world, run_id, 3)
    os.kill(step_process("sturdy"), signal.SIGKILL)
    assert world.finished("sturdy", run_id)["run"] == "success"
    assert world.tasks("sturdy", run_id)["all"]["try_number"] == 2
    assert 3 <= read_json(run.path / "model" / "training.json")["resumed"] < EPOCHS
    whole(run)


@pytest.mark.nightly
def test_a_killed_worker_loses_nothing(world):
    run_id = world.start("sturdy", {**CONF, "model.rate": 0.2})
    run = in_the_middle(world, run_id, 2)
    task_process = parent(step_process("sturdy"))
    os.kill(parent(task_process), signal.SIGKILL)
    os.kill(task_process, signal.SIGKILL)
    assert world.finished("sturdy", run_id)["run"] == "success"
    whole(run)


def own_ends(process: psutil.Process) -> set:
    """Its connections; one that two processes share has the same address in both."""
    return {connection.laddr for connection in process.net_connections()}


def all_workers(world, scheduler: psutil.Process) -> list[psutil.Process]:
    """As many as there may be. A killed one is replaced only while a task waits for a worker, so work is started."""
    going: list[tuple[str, str]] = []

    def workers():
        found = [child for child in scheduler.children() if "LocalExecutor" in " ".join(child.cmdline())]
        if len(found) < WORKERS and all(world.state(*one) in ENDED for one in going):
            going[:] = [(dag, world.start(dag)) for dag in ("sturdy", "grouped", "arriving")]
        return len(found) >= WORKERS and found

    found = world.wait(f"{WORKERS} workers", workers, 300)
    for dag, run_id in going:
        world.finished(dag, run_id)
    return found


@pytest.mark.nightly
def test_no_worker_holds_a_connection_of_the_scheduler_to_the_database(world):
    """It would keep what a killed scheduler had locked. Workers that took the place of killed ones are meant too."""
    scheduler = psutil.Process(world.airflow.processes["scheduler"].pid)
    workers = all_workers(world, scheduler)
    assert len(workers) >= 4
    connections = world.wait("a connection to the database", lambda: own_ends(scheduler))
    assert not connections & set().union(*map(own_ends, workers))


def test_a_killed_scheduler_is_started_again_and_goes_on(world):
    run_id = world.start("sturdy", {**CONF, "model.rate": 0.3})
    run = in_the_middle(world, run_id, 2)
    scheduler = world.airflow.processes["scheduler"]
    os.kill(scheduler.pid, signal.SIGKILL)
    scheduler.wait()
    world.airflow.start_one("scheduler")
    assert world.finished("sturdy", run_id)["run"] == "success"
    whole(run)


@pytest.mark.nightly
def test_a_restart_of_everything_fails_no_task_that_can_resume(world):
    """Neither the one that trains, nor the one that was about to start."""
    run_id = world.start("sturdy", {**CONF, "model.rate": 0.4})
    run = in_the_middle(world, run_id, 2)
    assert "Could not read served logs" not in (log := world.log("sturdy", run_id, "all"))
    assert "epoch 1" in log
    waits = world.start("grouped", {"model.epochs": 3, "model.seconds": 1.0})
    for process in world.airflow.processes.values():
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    world.airflow.start()
    assert world.finished("sturdy", run_id)["run"] == "success"
    assert set(world.finished("grouped", waits).values()) == {"success", "skipped"}
    whole(run)


@pytest.mark.nightly
def test_two_schedulers_start_nothing_twice(world):
    """A second scheduler beside the first, while runs are started by several callers at once."""
    import subprocess
    import sys

    with (world.airflow.home / "second.log").open("wb") as log:
        second = subprocess.Popen(
            [sys.executable, "-m", "airflow", "scheduler", "--skip-serve-logs"],
            env=world.airflow.environment(),
            cwd=world.airflow.home,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        answers = []
        calls = [
            threading.Thread(target=lambda: answers.append(world.trigger("sturdy", run_id="once")[0])) for _ in range(4)
        ]
        for call in calls:
            call.start()
        for call in calls:
            call.join()
        assert sorted(answers) == [200, 409, 409, 409]
        assert world.finished("sturdy", "once")["run"] == "success"
        assert world.tasks("sturdy", "once")["all"]["try_number"] == 1
    finally:
        os.killpg(second.pid, signal.SIGKILL)
        second.wait()
