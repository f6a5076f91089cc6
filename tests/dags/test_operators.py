"""How the end of a command is told to Airflow, and that a stopped task leaves nothing running."""

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kilnworks.pipelines.core.store import Store, now
from kilnworks.schemas.errors import ConfigError, DataInvalid, DeployFailed, StepFailed, StoreError, TrainingDiverged
from tests.dags import airflow_home
from tests.waiting import LONG_SECONDS, until

pytestmark = pytest.mark.slow


@pytest.fixture
def run(project):
    return Store(project).run("toy", "r1")


def verdict(code, began, run_id="r1"):
    from kilnworks.dags.operators import verdict as judged

    return judged("toy", run_id, ["checked", "model"], code, began)


def kind(error):
    return type(error).__name__


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (DataInvalid("bad", fix="mend it"), "AirflowFailException"),
        (ConfigError("wrong"), "AirflowFailException"),
        (TrainingDiverged("nan"), "AirflowFailException"),
        (StoreError("full"), "AirflowException"),
        (DeployFailed("not yet"), "AirflowException"),
        (StepFailed("a bug"), "AirflowException"),
    ],
)
def test_only_what_a_retry_can_mend_is_left_to_the_retries(run, error, expected):
    began = now()
    run.record("model", "failed", reason=error.got, error=error.record())
    found = verdict(1, began)
    assert kind(found) == expected
    assert str(found).startswith(f"model: {error.got}")


def test_the_failure_of_an_earlier_try_does_not_speak_for_this_one(run):
    run.record("model", "failed", reason="bad", error=DataInvalid("bad").record())
    recorded = now()
    assert until(lambda: now() > recorded)
    assert kind(verdict(1, now())) == "AirflowException"


def test_a_wrong_setting_before_any_step_is_final(project):
    assert kind(verdict(2, now())) == "AirflowFailException"


def test_a_killed_command_names_the_signal_and_may_be_tried_again(run):
    began = now()
    run.record("model", "running", seconds=0.0)
    found = verdict(-9, began)
    assert kind(found) == "AirflowException"
    assert "SIGKILL" in str(found)


def test_a_closed_gate_is_a_skip_with_its_reason(run):
    began = now()
    run.record("model", "skipped", reason="evaluation gate closed: auc 0.71 is not >= 0.8")
    found = verdict(99, began)
    assert kind(found) == "AirflowSkipException"
    assert "auc 0.71" in str(found)


SLEEPER = """
import subprocess, sys, time, pathlib
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(600)
"""


def test_a_stopped_task_stops_all_that_it_started(project, tmp_path, monkeypatch):
    from kilnworks.dags import operators

    pid_file = tmp_path / "pid"
    monkeypatch.setattr(operators, "command", lambda *_: [sys.executable, "-c", SLEEPER, str(pid_file)])
    task = operators.PipelineOperator(task_id="t", pipeline="toy", arguments=())
    ended = []
    thread = threading.Thread(target=lambda: ended.append(task.run_command()))
    thread.start()
    assert until(lambda: pid_file.exists() and pid_file.read_text())
    task.on_kill()
    thread.join(LONG_SECONDS)
    assert ended == [-15]
    assert until(lambda: not alive(int(pid_file.read_text())))


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return not state.rpartition(")")[2].strip().startswith("Z")


def test_the_command_gets_the_environment_and_every_line_is_logged(project, monkeypatch, caplog):
    from kilnworks.dags import operators

    code = "import os; print(os.environ['KILNWORKS_RUN_ID']); print(os.environ['KILNWORKS_STORE'])"
    monkeypatch.setattr(operators, "command", lambda *_: [sys.executable, "-c", code])
    task = operators.PipelineOperator(
        task_id="t", pipeline="toy", arguments=(), env={"KILNWORKS_RUN_ID": "a'; rm -rf /; '+00:00"}
    )
    lines = []
    monkeypatch.setattr(type(task), "log", property(lambda _: Recorder(lines)))
    assert task.run_command() == 0
    assert lines[1:] == ["a'; rm -rf /; '+00:00", str(project)]
    assert os.environ.get("KILNWORKS_RUN_ID") is None


def test_the_last_lines_of_a_command_are_told_without_empty_ones(project, monkeypatch):
    from airflow.sdk.exceptions import AirflowFailException

    from kilnworks.dags import operators

    code = "print('first\\n\\ngot\\n\\n' + 'x' * 5000 + '\\ntoken=s3cretvalue\\n\\n'); raise SystemExit(2)"
    monkeypatch.setattr(operators, "command", lambda *_: [sys.executable, "-c", code])
    task = operators.PipelineOperator(task_id="t", pipeline="toy", arguments=())
    with pytest.raises(AirflowFailException) as raised:
        task.execute({"run_id": "r1"})
    assert str(raised.value) == f"got; {'x' * 600}... (5,000 characters in all); token=***"


def test_a_step_that_crashes_is_told_by_its_signal_and_the_log_shows_where(project, monkeypatch):
    from airflow.sdk.exceptions import AirflowException

    from kilnworks.dags import operators

    words = ("run", "toy", "--run-id", "r1", "--to", "model", "--set", "model.fail=crash")
    task = operators.PipelineOperator(task_id="t", pipeline="toy", arguments=words, steps=("checked", "model"))
    lines = []
    monkeypatch.setattr(type(task), "log", property(lambda _: Recorder(lines)))
    with pytest.raises(AirflowException) as raised:
        task.execute({"run_id": "r1"})
    assert str(raised.value).startswith("the command ended with signal SIGSEGV; ")
    assert str(raised.value).endswith("; Fatal Python error: Segmentation fault")
    assert any(re.search(r'toysteps\.py", line \d+ in trouble$', line) for line in lines)


HERE = """
from kilnworks.dags.operators import InProcessOperator
settings = {"KILNWORKS_RUN_ID": "r1", "KILNWORKS_OVERRIDES": '{"model.fail": "crash"}'}
task = InProcessOperator(task_id="t", pipeline="toy", arguments=(), steps=("checked", "model"), env=settings)
task.execute({"run_id": "r1"})
"""


def test_a_step_that_crashes_in_the_process_of_airflow_shows_where(project):
    env = {**os.environ, "PYTHONPATH": str(airflow_home.ROOT)}
    done = subprocess.run([*airflow_home.python(), "-c", HERE], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGSEGV
    assert "Fatal Python error: Segmentation fault" in done.stderr
    assert re.search(r'toysteps\.py", line \d+ in trouble$', done.stderr, re.MULTILINE)


class Recorder:
    def __init__(self, lines):
        self._lines = lines

    def info(self, text, *values):
        self._lines.append(text % values)

    warning = info
