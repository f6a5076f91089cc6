"""Tracking without MLflow: what is in the tables, again and again, and trackers that cannot be written."""

import json
import logging
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from kilnworks.components.tracking import sqlite as tracking_sqlite
from kilnworks.components.tracking.collect import collect, flatten, key, milliseconds
from kilnworks.components.tracking.tracker import track_run
from tests.components.reporting.invented_run import InventedRun, dump, fingerprint


@pytest.fixture(autouse=True)
def _no_tracker_of_the_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def query(store: Path, sql: str) -> list[tuple]:
    with closing(sqlite3.connect(store / "mlflow" / "mlflow.db")) as database:
        return database.execute(sql).fetchall()


def test_a_run_becomes_params_metrics_tags_figures_and_a_version(tmp_path: Path) -> None:
    run = InventedRun(tmp_path).done()
    run_id = track_run(run.path, tmp_path)
    assert query(tmp_path, "SELECT run_uuid, name, status, start_time FROM runs") == [
        (run_id, run.run_id, "FINISHED", 1767323045678)
    ]
    params = dict(query(tmp_path, "SELECT key, value FROM params"))
    assert params["model.epochs"] == "12"
    assert params["model.optimizer.learning_rate"] == "0.002"
    curve = query(tmp_path, "SELECT step, value FROM metrics WHERE key = 'training/val_loss' ORDER BY step")
    assert [s for s, _ in curve] == list(range(12))
    assert curve[0][1] == pytest.approx(0.43 + 0.25 + 0.012)
    evaluation = json.loads((run.path / "evaluation" / "evaluation.json").read_text())["metrics"]
    latest = dict(query(tmp_path, "SELECT key, value FROM latest_metrics"))
    assert latest["test/auc"] == evaluation["auc"]["value"]
    assert latest["test/auc_low"] == evaluation["auc"]["low"]
    assert latest["training/val_loss"] == pytest.approx(curve[-1][1])
    tags = dict(query(tmp_path, "SELECT key, value FROM tags"))
    assert tags["kilnworks.fingerprint.model"] == fingerprint("model")
    assert tags["kilnworks.run_id"] == run.run_id
    (artifacts,) = query(tmp_path, "SELECT artifact_uri FROM runs")[0]
    assert Path(artifacts).is_relative_to(tmp_path / "mlflow" / "artifacts" / "churn")
    assert "<svg" in (Path(artifacts) / "figures" / "roc.svg").read_text()
    assert query(tmp_path, "SELECT name, version, source, run_id FROM model_versions") == [
        ("churn", 3, str(tmp_path / "serving" / "churn" / "3"), run_id)
    ]
    assert query(tmp_path, "SELECT alias, name, version FROM registered_model_aliases") == [("champion", "churn", 3)]


def test_tracking_again_updates_and_adds_nothing_twice(tmp_path: Path) -> None:
    run = InventedRun(tmp_path).done()
    first = track_run(run.path, tmp_path)
    tables = (
        "runs",
        "params",
        "tags",
        "metrics",
        "latest_metrics",
        "model_versions",
        "registered_models",
        "experiments",
    )
    before = {t: query(tmp_path, f"SELECT * FROM {t}") for t in tables}
    assert track_run(run.path, tmp_path) == first
    assert {t: query(tmp_path, f"SELECT * FROM {t}") for t in tables} == before
    run.outcome("deployment", "failed", seconds=1.0, reason="no answer", error={"got": "no answer"})
    assert track_run(run.path, tmp_path) == first
    assert query(tmp_path, "SELECT status FROM runs") == [("FAILED",)]
    assert dict(query(tmp_path, "SELECT key, value FROM tags"))["mlflow.note.content"] == "no answer"


def test_the_alias_follows_the_champion_pointer(tmp_path: Path) -> None:
    first = InventedRun(tmp_path, "first").done()
    track_run(first.path, tmp_path)
    published = tmp_path / "serving" / "churn" / "4"
    published.mkdir()
    second = InventedRun(tmp_path, "second")
    second.examples()
    dump(second.path / "deployment" / "deployment.json", {"model": "churn", "version": 4, "path": str(published)})
    second.finish("deployment")
    pointer = tmp_path / "champions" / "churn.json"
    old = json.loads(pointer.read_text())
    dump(pointer, {**old, "version": 4, "run_id": "second", "path": str(published)})
    track_run(second.path, tmp_path)
    assert query(tmp_path, "SELECT version FROM registered_model_aliases") == [(4,)]
    assert query(tmp_path, "SELECT version FROM model_versions ORDER BY version") == [(3,), (4,)]
    dump(pointer, old)
    track_run(second.path, tmp_path)
    assert query(tmp_path, "SELECT version FROM registered_model_aliases") == [(3,)]


def test_a_deployment_taken_from_the_cache_makes_no_second_version(tmp_path: Path) -> None:
    track_run(InventedRun(tmp_path, "first").done().path, tmp_path)
    again = InventedRun(tmp_path, "again")
    again.examples()
    deployment = {"model": "churn", "version": 3, "path": str(tmp_path / "serving" / "churn" / "3")}
    dump(again.path / "deployment" / "deployment.json", deployment)
    again.finish("deployment", "cached")
    track_run(again.path, tmp_path)
    assert query(tmp_path, "SELECT version FROM model_versions") == [(3,)]
    assert len(query(tmp_path, "SELECT 1 FROM runs")) == 2


@pytest.mark.parametrize("state", ["failed", "skipped", "running", "empty"])
def test_runs_in_any_state_are_tracked(tmp_path: Path, state: str) -> None:
    run = InventedRun(tmp_path)
    if state != "empty":
        run.examples()
    if state == "failed":
        run.checked_failed()
    if state == "skipped":
        run.model()
        run.evaluation(limit=0.99)
    if state == "running":
        run.outcome("model", "running", seconds=1.0)
    assert track_run(run.path, tmp_path)
    expected = {"failed": "FAILED", "running": "RUNNING"}.get(state, "FINISHED")
    assert query(tmp_path, "SELECT status FROM runs") == [(expected,)]
    assert query(tmp_path, "SELECT * FROM model_versions") == []


def assert_warned(caplog: pytest.LogCaptureFixture, words: str) -> None:
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert "was not told of this run" in caplog.text
    assert words in caplog.text


def test_a_locked_database_only_warns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = InventedRun(tmp_path).done()
    track_run(run.path, tmp_path)
    monkeypatch.setattr(tracking_sqlite, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(tmp_path / "mlflow" / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert track_run(run.path, tmp_path) is None
    assert_warned(caplog, "database is locked")


def test_a_damaged_database_and_a_place_that_cannot_be_written_only_warn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = InventedRun(tmp_path).done()
    (tmp_path / "mlflow").mkdir()
    (tmp_path / "mlflow" / "mlflow.db").write_bytes(b"this is no database" * 100)
    assert track_run(run.path, tmp_path) is None
    assert_warned(caplog, "not a database")
    caplog.clear()
    (tmp_path / "file").write_text("")
    assert track_run(run.path, tmp_path / "file") is None
    assert_warned(caplog, "Not a directory")


def test_a_server_that_is_down_only_warns_at_once_and_hides_the_password(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://someone:secret@127.0.0.1:{port}")
    assert track_run(InventedRun(tmp_path).path, tmp_path) is None
    assert_warned(caplog, "refused")
    assert "secret" not in caplog.text
    assert "mlflow.tracking" not in sys.modules or "mlflow" in sys.modules


def test_writers_at_the_same_time_all_arrive(tmp_path: Path) -> None:
    runs = [InventedRun(tmp_path, f"run-{i}") for i in range(6)]
    found: list[str | None] = []
    threads = [threading.Thread(target=lambda r=r: found.append(track_run(r.path, tmp_path))) for r in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert None not in found
    assert len(set(found)) == 6
    assert len(query(tmp_path, "SELECT 1 FROM runs")) == 6


def test_nothing_is_half_there_when_writing_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run = InventedRun(tmp_path).done()
    track_run(run.path, tmp_path)
    with closing(sqlite3.connect(tmp_path / "mlflow" / "mlflow.db")) as database:
        database.execute("DROP TABLE latest_metrics")
        database.commit()
    before = query(tmp_path, "SELECT * FROM metrics")
    run.outcome("deployment", "failed", seconds=1.0)
    assert track_run(run.path, tmp_path) is None
    assert query(tmp_path, "SELECT * FROM metrics") == before
    assert query(tmp_path, "SELECT status FROM runs") == [("FINISHED",)]
    assert "latest_metrics" in caplog.text


def test_tracking_imports_neither_mlflow_nor_what_it_brings(tmp_path: Path) -> None:
    run = InventedRun(tmp_path).done()
    code = (
        "import sys; from pathlib import Path; from kilnworks.components.tracking.tracker import track_run;"
        f"assert track_run(Path({str(run.path)!r}), Path({str(tmp_path)!r}));"
        "print([m for m in ('mlflow','sqlalchemy','alembic','numpy','pandas','polars') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"


def test_small_parts() -> None:
    assert milliseconds("2026-01-02T03:04:05.678Z") == 1767323045678
    assert milliseconds("2026-01-02T03:04:05Z") == 1767323045000
    assert milliseconds("yesterday") == 0
    assert key("top 3 {a}=<b>") == "top 3 _a___b_"
    assert dict(flatten({"a": {"b": 1, "c": [1, "x"]}, "d": None, "e": "text"}, "s")) == {
        "s.a.b": "1", "s.a.c": '[1, "x"]', "s.d": "null", "s.e": "text",
    }  # fmt: skip


def test_what_is_collected_does_not_depend_on_the_clock(tmp_path: Path) -> None:
    run = InventedRun(tmp_path).done()
    assert collect(run.path) == collect(run.path)
