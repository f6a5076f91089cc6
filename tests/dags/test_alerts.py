"""What people are told, in one line."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace

import pytest

from pipelines.core.store import Store
from schemas.decision import Comparand, DecisionRecord
from schemas.errors import DataInvalid
from schemas.files import read_json

pytestmark = pytest.mark.slow


@pytest.fixture
def run(project):
    return Store(project).run("toy", "r1")


def context(task_id="evaluation", steps=("evaluation",), **extra):
    ti = SimpleNamespace(dag_id="toy", task_id=task_id)
    return {"ti": ti, "task": SimpleNamespace(steps=steps), "run_id": "r1", **extra}


def alerts(store):
    return [read_json(path) for path in sorted((store / "alerts").glob("*.json"))]


def test_a_failed_task_is_told_by_the_first_line_of_its_error(run, project):
    from dags.alerts import task_failed

    error = DataInvalid("column age holds 150\nin 3 rows")
    run.record("model", "failed", reason=error.got, error=error.record())
    task_failed(context("learn", ("checked", "model")))
    found = alerts(project)
    assert [(a["kind"], a["task"], a["text"]) for a in found] == [("failed", "learn", "column age holds 150")]


def test_a_task_that_died_without_a_word_is_told_by_the_exception(run, project):
    from dags.alerts import task_failed

    task_failed(context(exception=RuntimeError("the command ended with signal SIGKILL")))
    assert alerts(project)[0]["text"] == "the command ended with signal SIGKILL"


def test_a_closed_gate_is_told_by_its_record_and_those_behind_it_are_not(run, project):
    from dags.alerts import gate_closed

    check = Comparand(name="auc", measured=0.71, comparison=">=", wanted=0.8, passed=False)
    scratch = run.path / "evaluation.skipped"
    scratch.mkdir(parents=True)
    record = DecisionRecord(gate="evaluation", passed=False, rule="auc at least 0.8", checks=(check,))
    record.write(scratch)
    gate_closed(context())
    gate_closed(context("servable", ("servable",)))
    assert [(a["kind"], a["text"]) for a in alerts(project)] == [("gate closed", record.headline)]


def test_a_late_run_is_told(project):
    from dags.alerts import deadline_missed

    asyncio.run(deadline_missed("toy", 3600, context={"dag_run": {"dag_run_id": "r9"}}))
    assert [(a["kind"], a["run_id"]) for a in alerts(project)] == [("late", "r9")]


@pytest.fixture
def receiver(monkeypatch):
    """A web server that keeps what is posted to it."""
    got = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("KILNWORKS_ALERT_URL", f"http://127.0.0.1:{server.server_port}/hook")
    yield got
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_alert_is_posted_where_a_receiver_is_set(project, receiver):
    from dags.alerts import tell

    tell("failed", "toy", "r1", "model", "text")
    assert [(a["kind"], a["pipeline"], a["text"]) for a in receiver] == [("failed", "toy", "text")]


def test_a_receiver_that_is_down_stops_nothing(project, monkeypatch):
    from dags.alerts import tell

    monkeypatch.setenv("KILNWORKS_ALERT_URL", "http://127.0.0.1:9/hook")
    tell("failed", "toy", "r1", "model", "text")
    assert len(alerts(project)) == 1
