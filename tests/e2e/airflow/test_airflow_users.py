"""What people do with a running Airflow: log in, start runs, approve, read reports; and what they may not do."""

import base64
import json
import os
import re
import subprocess
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from kilnworks.pipelines.core.store import Store
from kilnworks.schemas.champion import moves
from kilnworks.schemas.files import read_json
from scripts.airflow.processes import ROOT
from tests.e2e.airflow.conftest import PROJECT
from tests.effort import NIGHTLY

pytestmark = pytest.mark.e2e
STEPS = ("checked", "model", "evaluation", "servable", "deployment")


def locally(tmp_path, name, *arguments):
    """The run of a person at the command line."""
    env = {
        **os.environ,
        "KILNWORKS_ROOT": str(PROJECT),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    command = [
        sys.executable,
        "-m",
        "pipelines",
        "run",
        name,
        "--run-id",
        "local",
        "--store",
        str(tmp_path),
        *arguments,
    ]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Store(tmp_path).run(name, "local")


def fingerprints(run):
    return {step: run.manifest(step)["fingerprint"] for step in STEPS}


def test_a_wrong_password_is_refused_and_a_viewer_starts_nothing(world):
    assert world.login("admin", "guessed")[0] == 401
    assert world.trigger("sturdy", user="viewer")[0] == 403
    assert world.call("GET", "/api/v2/dags", user="viewer")[0] == 200


def test_no_definition_is_refused(world):
    assert world.get("/api/v2/importErrors")["import_errors"] == []


@pytest.fixture(scope="module")
def live_run(world) -> str:
    """A run of three epochs that went live."""
    run_id = world.start("sturdy", {"model.epochs": 3, "model.seconds": 0.3, "live": "promote"})
    assert set(world.finished("sturdy", run_id).values()) == {"success"}
    return run_id


def test_a_run_by_rest_makes_what_a_local_run_makes(world, live_run, tmp_path):
    local = locally(tmp_path, "sturdy", "--set", "model.epochs=3", "--set", "model.seconds=0.3", "--promote")
    assert fingerprints(world.store.run("sturdy", live_run)) == fingerprints(local)


def test_a_bad_value_is_refused_by_rest_with_the_rule(world):
    status, answer = world.trigger("sturdy", {"model.epochs": 0})
    assert status == 400
    assert "less than the minimum of 1" in answer["detail"]


def test_a_wrong_name_is_refused_at_once_with_the_nearest(world):
    before = len(world.runs("sturdy"))
    status, answer = world.trigger("sturdy", {"model.epoch": 3})
    assert status == 400
    assert "sturdy has no setting 'model.epoch'" in answer["detail"]
    assert "did you mean 'model.epochs'?" in answer["detail"]
    assert len(world.runs("sturdy")) == before
    assert world.trigger("sturdy", {"model.epoch": 3}, user="viewer")[0] == 403


def test_the_log_shows_every_epoch_and_a_section_for_each_step(world, live_run):
    log = world.log("sturdy", live_run, "all")
    for epoch in (1, 2, 3):
        assert f"epoch {epoch} loss" in log
    for step in STEPS:
        assert f"::group::{step}" in log


def test_bad_data_is_not_tried_again_and_alerts(world):
    run_id = world.start("sturdy", {"model.fail": "data"})
    assert world.finished("sturdy", run_id) == {"run": "failed", "all": "failed", "finish": "success"}
    assert world.tasks("sturdy", run_id)["all"]["try_number"] == 1
    told = world.wait("the alert", lambda: [a for a in alerts(world, "sturdy") if a["run_id"] == run_id])
    assert [(a["kind"], a["text"]) for a in told] == [("failed", "column value holds 150")]


def test_what_a_retry_mends_is_tried_again(world):
    run_id = world.start("sturdy", {"model.fail": "once"})
    assert world.finished("sturdy", run_id)["run"] == "success"
    assert world.tasks("sturdy", run_id)["all"]["try_number"] == 2


def test_a_backfill_takes_the_rows_of_its_interval_and_switching_on_starts_nothing(world, tmp_path):
    world.unpause("weekly")
    status, answer = world.call(
        "POST",
        "/api/v2/backfills",
        {
            "dag_id": "weekly",
            "from_date": "2026-11-01T00:00:00Z",
            "to_date": "2026-11-01T00:00:00Z",
            "reprocess_behavior": "none",
        },
    )
    assert status == 200, answer
    backfill = world.wait("a backfill", lambda: [r for r in world.runs("weekly") if r["run_type"] == "backfill"])[0]
    assert set(world.finished("weekly", backfill["dag_run_id"]).values()) == {"success"}
    local = locally(tmp_path, "weekly", "--interval", "2026-11-01/2026-11-08")
    made = world.store.run("weekly", backfill["dag_run_id"])
    assert fingerprints(made) == fingerprints(local)
    assert read_json(made.path / "checked" / "values.json") == [1.0, 3.0]
    assert {run["run_type"] for run in world.runs("weekly")} == {"backfill"}


@pytest.mark.nightly
def test_a_pool_that_is_missing_is_told(world):
    """Once, though its connection is not there; also in the note of the run, which goes on once the pool is there."""
    assert world.call("DELETE", "/api/v2/pools/training")[0] == 204
    run_id = world.start("grouped", {"model.epochs": 4})
    path = f"/api/v2/dags/grouped/dagRuns/{urllib.parse.quote(run_id)}"
    try:
        world.wait("what comes before", lambda: world.tasks("grouped", run_id)["checked"]["state"] == "success")
        (alert,) = world.wait("the alert", lambda: [a for a in alerts(world, "grouped") if a["run_id"] == run_id])
        assert (alert["kind"], alert["task"]) == ("no pool", "learn")
        assert "airflow pools set training" in alert["text"]
        world.wait("the note", lambda: world.get(path)["note"] == f"waits: {alert['text']}")
    finally:
        made = world.call("POST", "/api/v2/pools", {"name": "training", "slots": 1})[0]
    assert made == 201
    assert set(world.finished("grouped", run_id).values()) == {"success", "skipped"}
    world.wait("the note of its end", lambda: world.get(path)["note"].endswith("mean 2.0000"))
    assert "waits" not in world.get(path)["note"]


def alerts(world, pipeline):
    return [read_json(path) for path in (world.store.root / "alerts").glob(f"*-{pipeline}-*.json")]


def question(run_id):
    return f"/api/v2/dags/asked/dagRuns/{urllib.parse.quote(run_id)}/taskInstances/approve_deployment/-1/hitlDetails"


def asked(world, run_id):
    """What a run asks, the moment that it can be answered."""

    def found():
        status, detail = world.call("GET", question(run_id))
        return detail if status == 200 else None

    return world.wait("the question", found, pause=0.02)


def answer(world, run_id, option, **params):
    """Answer the question of a run as the UI does."""
    body = {"chosen_options": [option], "params_input": {"deployment.keep": 3, "comment": "", **params}}
    return world.call("PATCH", question(run_id), body)


def test_a_person_approves_with_changes_then_rejects_the_next(world):
    known = (world.store.root / "champions" / "asked.json").is_file()
    first = world.start("asked")
    told = "The champion is version" if known else "There is no champion yet."
    assert told in asked(world, first)["body"]
    status, found = answer(world, first, "Approve", **{"deployment.keep": 7, "comment": "good enough"})
    assert status == 200, found
    assert set(world.finished("asked", first).values()) == {"success"}
    run = world.store.run("asked", first)
    assert run.manifest("deployment")["config"]["keep"] == 7
    headline = "approval gate passed: approved by admin: good enough"
    assert read_json(run.path / "approvals" / "deployment.json")["headline"] == headline
    assert world.log("asked", first, "approve_deployment").count(headline) == 1

    second = world.start("asked", {"model.epochs": 4})
    assert "| mean | 2.0000 (2.0000 to 2.0000) | 2.0000 (2.0000 to 2.0000) | +0.0000 |" in asked(world, second)["body"]
    assert answer(world, second, "Reject", comment="not now")[0] == 200
    states = world.finished("asked", second)
    assert (states["run"], states["approve_deployment"], states["deployment"]) == ("success", "skipped", "skipped")
    assert world.tasks("asked", second)["approve_deployment"]["try_number"] == 1
    assert "rejected by admin: not now" in world.store.run("asked", second).outcome("deployment")["reason"]
    assert "rejected by admin: not now" in note(world, "asked", second)
    assert read_json(world.store.root / "champions" / "asked.json")["run_id"] == first
    again = locally_again(world, "asked", second)
    assert again.returncode == 99 and "rejected by admin: not now" in again.stdout

    if NIGHTLY:
        promoted_and_rolled_back(world, first, second)


def promoted_and_rolled_back(world, first, second):
    """By the DAG that moves the champion; a run that is none is refused."""
    moved = world.start("asked_champion", {"action": "promote", "run": second, "reason": "needed after all"})
    assert set(world.finished("asked_champion", moved).values()) == {"success"}
    moved = world.start("asked_champion", {"action": "roll back", "reason": "it was not"})
    assert set(world.finished("asked_champion", moved).values()) == {"success"}
    told = note(world, "asked_champion", moved)
    assert re.fullmatch(rf"rolled back to run {re.escape(first)}, live as version \d+, by admin: it was not", told)
    refused = world.start("asked_champion", {"action": "promote", "run": "nobody", "reason": "to see"})
    assert world.finished("asked_champion", refused)["run"] == "failed"
    assert "no run of asked 'nobody'" in note(world, "asked_champion", refused)
    told = [(m["action"], m["run_id"], m["by"], m["reason"]) for m in moves(world.store.root, "asked")[-2:]]
    assert told == [("promote", second, "admin", "needed after all"), ("rollback", first, "admin", "it was not")]
    assert world.trigger("asked_champion", {"action": "promote"})[0] == 400, "a reason is asked for"


def note(world, dag, run_id):
    """The note of a run that has ended."""
    path = f"/api/v2/dags/{dag}/dagRuns/{urllib.parse.quote(run_id)}"
    return world.wait("the note", lambda: world.get(path)["note"])


def locally_again(world, name, run_id):
    """Make a run again by the command that its report offers."""
    env = {**os.environ, "KILNWORKS_ROOT": str(PROJECT), "KILNWORKS_STORE": str(world.store.root)}
    command = [sys.executable, "-m", "kilnworks", "run", name, "--run-id", run_id]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.mark.nightly
def test_when_nobody_answers_in_time_the_default_counts(world):
    run_id = world.start("unanswered")
    assert set(world.finished("unanswered", run_id).values()) == {"success"}
    record = read_json(world.store.run("unanswered", run_id).path / "approvals" / "deployment.json")
    assert record["headline"] == "approval gate passed: approved by nobody in time"


def test_a_run_that_is_late_alerts(world):
    def late():
        return [
            read_json(p) for p in (world.store.root / "alerts").glob("*-asked-*.json") if read_json(p)["kind"] == "late"
        ]

    found = world.wait("the alert", late)
    assert "has not ended 1 s after" in found[0]["text"]


class Hook(BaseHTTPRequestHandler):
    """A webhook that keeps what it was sent: login and alert."""

    taken: ClassVar[list[tuple[str, dict]]] = []

    def do_POST(self):
        content = self.rfile.read(int(self.headers["Content-Length"]))
        self.taken.append((self.headers["Authorization"], json.loads(content)))
        self.send_response(200)
        self.end_headers()


def test_an_alert_of_a_late_run_arrives_by_a_connection(world):
    """From the triggerer, which has no DAG and no database of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hook = {"connection_id": "team_hook", "conn_type": "http", "schema": "http", "host": "127.0.0.1"}
    hook |= {"port": server.server_port, "login": "bot", "password": "pw"}
    assert world.call("POST", "/api/v2/connections", hook)[0] == 201
    try:
        run_id = world.start("asked", {"live": "train only"})
        login, alert = world.wait("the alert", lambda: [t for t in Hook.taken if t[1]["run_id"] == run_id])[0]
        assert login == f"Basic {base64.b64encode(b'bot:pw').decode()}"
        assert (alert["kind"], alert["text"]) == ("late", "the run has not ended 1 s after it was queued")
        assert alert["link"].endswith(f"/dags/asked/runs/{urllib.parse.quote(run_id, safe='')}")
    finally:
        assert world.call("DELETE", "/api/v2/connections/team_hook")[0] == 204
        server.shutdown()
        server.server_close()
    asked(world, run_id)
    assert answer(world, run_id, "Reject")[0] == 200
    world.finished("asked", run_id)


def test_assets_say_what_was_made(world):
    events = world.get("/api/v2/assets/events?limit=100&order_by=-timestamp")["asset_events"]
    by_name = {event["name"]: event["extra"] for event in events}
    assert by_name["sturdy.checked"]["rows"] == {"train": 3}
    assert by_name["sturdy.model"]["epochs"] >= 2
    assert by_name["sturdy.servable"]["metrics"] == {"mean": 2.0}
    assert by_name["sturdy.deployment"]["version"] >= 1


def test_the_report_and_the_log_show_a_training_that_goes_on(world):
    run_id = world.start("sturdy", {"model.epochs": 12, "model.seconds": 1})

    def page():
        return world.call("GET", f"/kilnworks/run?dag_id=sturdy&run_id={urllib.parse.quote(run_id)}")[1]

    world.wait("the progress on the page", lambda: "loss 0." in page() and 'http-equiv="refresh"' in page(), pause=0.2)
    assert set(world.finished("sturdy", run_id).values()) == {"success"}
    assert 'http-equiv="refresh"' not in page()
    log = world.log("sturdy", run_id, "all")
    assert all(f"model: {epoch}/12 epoch {epoch}" in log for epoch in range(1, 12))


def test_no_file_without_a_login_and_none_outside_of_the_run(world, live_run):
    folder = world.store.run("sturdy", live_run).folder
    base = f"/kilnworks/files/sturdy/{folder}"
    for path in (
        "/kilnworks/",
        f"/kilnworks/run?dag_id=sturdy&run_id={folder}",
        f"{base}/report.html",
        f"{base}/model/model.json",
    ):
        assert world.call("GET", path, user=None)[0] == 401
        assert world.call("GET", path, user="viewer")[0] == 200
    secret = "..%2f..%2f..%2fairflow%2fpasswords.json"
    for path in (
        f"{base}/{secret}",
        f"{base}/model/..%2f..%2f..%2f..%2f..%2fairflow%2fpasswords.json",
        f"/kilnworks/files/sturdy/..%2f..%2f{secret}",
        f"{base}/%2fetc%2fpasswd",
        f"{base}/model/none",
    ):
        assert world.call("GET", path)[0] == 404, path
    (world.store.run("sturdy", live_run).path / "model" / "out").symlink_to("/etc/passwd")
    assert world.call("GET", f"{base}/model/out")[0] == 404


def test_tasks_link_to_the_report(world):
    run = world.runs("sturdy")[0]["dag_run_id"]
    links = world.get(f"/api/v2/dags/sturdy/dagRuns/{urllib.parse.quote(run)}/taskInstances/all/links")
    assert links["extra_links"]["Run report"].startswith("/kilnworks/run?dag_id=sturdy")


@pytest.mark.parametrize(
    ("settings", "begins"),
    [
        ({"model.fail": "data"}, "column value holds 150"),
        pytest.param(
            {"evaluation.minimum": {"mean": "high"}},
            "minimum.mean: Input should be a valid number",
            marks=pytest.mark.nightly,
        ),
        pytest.param(
            {"evaluation.minimum": {"mean": 5}},
            "evaluation gate closed: mean 2 is below 5\nstopped: evaluation, mean 2.0000",
            marks=pytest.mark.nightly,
        ),
    ],
)
def test_the_page_of_a_run_says_why_it_failed_or_stopped(world, settings, begins):
    run_id = world.start("grouped", settings)
    world.finished("grouped", run_id)
    found = note(world, "grouped", run_id)
    assert found.startswith(begins)

    def told():
        return [a["text"] for a in alerts(world, "grouped") if a["run_id"] == run_id and a["kind"] == "failed"]

    if world.state("grouped", run_id) == "failed":
        world.wait("the alert", told)
        assert told() == [found], "the alert says the same"
    else:
        assert told() == []
