"""A run in MLflow's terms, and what happens where no server is named, or none answers. MLflow itself is not needed."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kilnworks.components.reporting.reading import read_run
from kilnworks.components.tracking.collect import collect, flatten, key, metric_key, milliseconds, state
from kilnworks.components.tracking.tracker import track_run
from tests.components.reporting.invented_run import InventedRun, dump, fingerprint
from tests.ports import held_port


def test_a_run_becomes_settings_metrics_tags_figures_data_and_a_version(tmp_path: Path) -> None:
    run = InventedRun(tmp_path).done()
    found = collect(run.path)
    assert (found.experiment, found.name, found.status, found.started) == (
        "churn", run.run_id, "FINISHED", 1767323045678,
    )  # fmt: skip
    assert found.ended == 1767323056000
    curve = [m for m in found.metrics if m.key == "val_loss"]
    assert [m.step for m in curve] == list(range(12))
    assert curve[0].value == pytest.approx(0.43 + 0.25 + 0.012)
    evaluation = json.loads((run.path / "evaluation" / "evaluation.json").read_text())["metrics"]
    values = {m.key: m.value for m in found.metrics if m.step == 0}
    for suffix, part in (("", "value"), ("_low", "low"), ("_high", "high")):
        assert values[f"test_auc{suffix}"] == evaluation["auc"][part]
    assert values["seconds_model"] == 38.2
    assert {k for m in found.metrics for k in m.key} <= set("abcdefghijklmnopqrstuvwxyz_0123456789")
    assert found.tags["kilnworks.fingerprint.model"] == fingerprint("model")
    assert found.tags["mlflow.source.name"] == "kilnworks run churn"
    assert found.tags["kilnworks.command"].endswith("--set model.epochs=12")
    assert b"<svg" in found.artifacts["figures/roc.svg"]
    assert found.version is not None and found.version.source == found.champion == str(tmp_path / "serving/churn/3")


def test_the_data_set_has_a_source_columns_rows_and_a_digest_of_the_rows(tmp_path: Path) -> None:
    data = collect(InventedRun(tmp_path).done().path).data
    assert data is not None
    assert (data.name, data.digest, data.kind) == ("churn", fingerprint("examples")[:12], "local")
    assert json.loads(data.source) == {"uri": "data/churn.csv"}
    assert json.loads(data.profile) == {"train_rows": 4930, "val_rows": 1050, "test_rows": 1063}
    columns = {c["name"]: (c["type"], c["required"]) for c in json.loads(data.schema)["mlflow_colspec"]}
    assert columns["tenure"] == ("long", True) and columns["charges"] == ("double", False)
    assert columns["plan"] == ("string", True)
    assert collect(InventedRun(tmp_path, "empty").path).data is None


def test_settings_are_those_that_differ_and_all_where_nobody_said_which(tmp_path: Path) -> None:
    run = InventedRun(tmp_path).done()
    assert collect(run.path).params["model.optimizer.kind"] == "adamw", "of an earlier release"
    manifest = json.loads((run.path / "model/manifest.json").read_text())
    chosen = {"optimizer.learning_rate": 0.002, "model.units": [64, 32], "contract.features.x.dtype": "int"}
    dump(run.path / "model/manifest.json", {**manifest, "not_default": chosen})
    params = {k: v for k, v in collect(run.path).params.items() if k.startswith("model.")}
    assert params == {"model.optimizer.learning_rate": "0.002", "model.model.units": "[64, 32]"}


@pytest.mark.parametrize("kind", ["failed", "skipped", "running", "empty"])
def test_runs_in_any_state_are_read(tmp_path: Path, kind: str) -> None:
    run = InventedRun(tmp_path)
    if kind != "empty":
        run.examples()
    if kind == "failed":
        run.checked_failed()
    if kind == "skipped":
        run.model()
        run.evaluation(limit=0.99)
    if kind == "running":
        run.outcome("model", "running", seconds=1.0)
    found = collect(run.path)
    assert found.status == {"failed": "FAILED", "running": "RUNNING"}.get(kind, "FINISHED")
    assert found.version is None
    assert (found.ended is None) == (kind == "running")


def test_the_state_changes_when_a_run_goes_on_and_only_then(tmp_path: Path) -> None:
    run = InventedRun(tmp_path)
    run.examples()
    first = state(read_run(run.path))
    assert state(read_run(run.path)) == first
    run.model()
    assert state(read_run(run.path)) != first
    assert collect(run.path) == collect(run.path)


@pytest.mark.slow
def test_without_a_server_nothing_is_sent_and_mlflow_is_not_imported(tmp_path: Path) -> None:
    run = InventedRun(tmp_path).done()
    code = (
        "import sys; from pathlib import Path; from kilnworks.pipelines.core.after_run import finish_run;"
        "from kilnworks.pipelines.core.store import Store;"
        f"finish_run(Store(Path({str(tmp_path)!r})).run('churn', {run.run_id!r}));"
        "print([m for m in ('mlflow','sqlalchemy','alembic','numpy','pandas','polars') if m in sys.modules])"
    )
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    environment["PYTHONPATH"] = str(Path(__file__).parents[3])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "[]"
    assert (run.path / "report.html").is_file()
    assert not (tmp_path / "mlflow").exists() and not (run.path / "mlflow.json").exists()


def test_a_server_that_is_down_only_warns_at_once_and_hides_the_password(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held_port() as port:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://someone:secret@127.0.0.1:{port}")
        assert track_run(InventedRun(tmp_path).path) is None
    assert [r.levelno for r in caplog.records] == [logging.WARNING]
    assert "was not told of this run" in caplog.text and "refused" in caplog.text
    assert "secret" not in caplog.text


def test_small_parts() -> None:
    assert milliseconds("2026-01-02T03:04:05.678Z") == 1767323045678
    assert milliseconds("2026-01-02T03:04:05Z") == 1767323045000
    assert milliseconds("yesterday") == 0
    assert key("top 3 {a}=<b>") == "top 3 _a___b_"
    assert metric_key("test_recall@3 of a-b") == "test_recall_3_of_a_b"
    assert dict(flatten({"a": {"b": 1, "c": [1, "x"]}, "d": None, "e": "text"}, "s")) == {
        "s.a.b": "1", "s.a.c": '[1, "x"]', "s.d": "null", "s.e": "text",
    }  # fmt: skip
