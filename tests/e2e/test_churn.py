"""The main job as a user runs it: churn in a process of its own, spoiled data, kills, served predictions."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from kilnworks.pipelines.cli.app import main
from tests import preloaded
from tests.effort import some
from tests.forked import command
from tests.served import COMMAND as SERVE
from tests.served import served
from tests.waiting import until

pytestmark = pytest.mark.e2e

COMMAND = [sys.executable, "-m", "kilnworks"]


def kilnworks(root: Path, store: Path, *argv: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run one command to its end and check its exit code."""
    env = {**os.environ, "KILNWORKS_STORE": str(store)}
    done = subprocess.run(
        [*preloaded.python(), *COMMAND[1:], *argv],
        cwd=root,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def root() -> Path:
    return Path(__file__).parents[2]


@pytest.fixture(scope="module")
def store(tmp_path_factory, root) -> Path:
    """A store in which churn ran once."""
    folder = tmp_path_factory.mktemp("churn") / "store"
    kilnworks(root, folder, "run", "churn", "--run-id", "first")
    return folder


def test_the_model_is_good_and_everything_is_there(store):
    run = store / "runs" / "churn" / "first"
    metrics = json.loads((run / "evaluation" / "evaluation.json").read_text())["metrics"]
    assert metrics["auc"]["value"] > 0.8
    assert metrics["auc"]["low"] < metrics["auc"]["value"] < metrics["auc"]["high"]
    servable = json.loads((run / "servable" / "servable.json").read_text())
    assert servable["skew"]["rows"] >= 600 and servable["skew"]["max_difference"] <= 1e-5
    assert (store / "serving" / "churn" / "1" / "assets.extra" / "tf_serving_warmup_requests").is_file()
    assert json.loads((store / "champions" / "churn.json").read_text())["version"] == 1
    assert "<html" in (run / "report.html").read_text()


def test_where_nothing_changed_nothing_is_made(store, root):
    out = kilnworks(root, store, "run", "churn").stdout
    assert "7 cached" in out
    assert not (store / "serving" / "churn" / "2").exists()


def test_a_deleted_version_is_published_again_under_a_new_number(store, root, tmp_path):
    import shutil

    copy = tmp_path / "store"
    shutil.copytree(store, copy)
    champion = copy / "champions" / "churn.json"
    moved = champion.read_text().replace(str(store), str(copy))
    champion.write_text(moved)
    deployment = copy / "runs/churn/first/deployment/deployment.json"
    deployment.unlink()
    out = kilnworks(root, copy, "run", "churn", "--run-id", "again").stdout
    assert "deployment: done" in out and "servable: cached" in out
    assert json.loads(champion.read_text())["version"] == 2


SPOILED = {
    "150 in a range of 0 to 120": (lambda f: f.with_columns(tenure=pl.lit(150)), "tenure"),
    "an unseen category": (lambda f: f.with_columns(Contract=pl.lit("Ten years")), "Contract"),
    "a column all null": (lambda f: f.with_columns(MonthlyCharges=pl.lit(None, pl.Float64)), "MonthlyCharges"),
    "a column missing": (lambda f: f.drop("tenure"), "tenure"),
    "a column renamed": (lambda f: f.rename({"tenure": "Tenure"}), "tenure"),
    "a column too many": (lambda f: f.with_columns(extra=pl.lit(1)), "extra"),
    "a wrong type": (lambda f: f.with_columns(tenure=pl.lit("long")), "tenure"),
    "infinity": (lambda f: f.with_columns(MonthlyCharges=pl.lit("inf")), "MonthlyCharges"),
    "a label that never varies": (lambda f: f.with_columns(Churn=pl.lit("No")), "Churn"),
    "no rows": (lambda f: f.head(0), "rows"),
}
SHORT = ("150 in a range of 0 to 120", "a column missing", "a label that never varies")
"""Rules of a value, of a column and of all rows."""


@pytest.mark.parametrize("name", some(SPOILED, SHORT))
def test_spoiled_data_stop_before_anything_is_trained(store, root, tmp_path, monkeypatch, capsys, name):
    """In this process, which has loaded its libraries once."""
    spoil, column = SPOILED[name]
    file = tmp_path / "spoiled.csv"
    spoil(pl.read_csv(root / "data" / "churn.csv")).write_csv(file)
    monkeypatch.setenv("KILNWORKS_STORE", str(store))
    assert main(["run", "churn", "--run-id", tmp_path.name, "--set", f"examples.source.path={file}"]) == 1
    said = capsys.readouterr().err
    assert column in said and "Traceback" not in said
    run = store / "runs" / "churn" / tmp_path.name
    assert not (run / "model").exists() and not (run / "transform").exists()
    assert (run / "report.html").is_file()
    assert json.loads((store / "champions" / "churn.json").read_text())["version"] == 1


def killed_in_training(root: Path, store: Path, *argv: str) -> bool:
    """Whether a run was killed after it had kept a state to resume from, and before its model was whole."""
    env = {**os.environ, "KILNWORKS_STORE": str(store)}
    child = command(*COMMAND[2:], *argv, cwd=root, env=env)
    outcome = store / "runs" / "churn" / "r" / "outcomes" / "model.json"
    until(lambda: child.poll() is not None or (outcome.is_file() and list(store.glob("work/*/*"))), every=0.005)
    child.kill()
    child.wait()
    child.stdout.close()
    return not (store / "runs" / "churn" / "r" / "model" / "manifest.json").exists()


@pytest.mark.nightly
def test_killed_in_training_it_resumes_and_ends_the_same(root, tmp_path):
    settings = ["--set", "model.epochs=12", "--set", "model.early_stopping=null", "--set", "checked.data_docs=false"]
    run = ["run", "churn", "--run-id", "r", "--to", "model", *settings]
    whole, attempts = tmp_path / "whole", [tmp_path / f"broken{i}" for i in range(5)]
    kilnworks(root, whole, *run)
    broken = next(store for store in attempts if killed_in_training(root, store, *run))
    kilnworks(root, broken, "run", "churn", "--run-id", "r", "--to", "model")
    histories = [(s / "runs/churn/r/model/history.csv").read_text() for s in (whole, broken)]
    assert len(histories[0].splitlines()) == 13
    losses = [[line.split(",")[1] for line in h.splitlines()] for h in histories]
    assert losses[0] == losses[1]


@pytest.fixture(scope="module")
def server(store, root):
    """The embedded server over the store; its ports."""
    with served("--store", str(store), words=SERVE) as announced:
        yield announced


def test_served_and_local_predictions_agree(store, root, server, tmp_path):
    rows = pl.read_csv(root / "data" / "churn.csv", infer_schema=False).head(500)
    rows.drop("Churn").write_csv(tmp_path / "rows.csv")
    (tmp_path / "rows.jsonl").write_text(rows.drop("Churn", "customerID").write_ndjson())
    address = f"127.0.0.1:{server['grpc_port']}"
    kilnworks(root, store, "predict", "churn", str(tmp_path / "rows.csv"), "--output", str(tmp_path / "local.csv"))
    for kind in ("csv", "jsonl"):
        out = tmp_path / f"served-{kind}.csv"
        kilnworks(
            root, store, "predict", "churn", str(tmp_path / f"rows.{kind}"), "--server", address, "--output", str(out)
        )
        served, local = pl.read_csv(out), pl.read_csv(tmp_path / "local.csv")
        key = "customerID" if kind == "csv" else "row"
        assert served.columns == [key, "class", "probability_No", "probability_Yes"] and served.height == 500
        assert served["class"].to_list() == local["class"].to_list()
        assert (served["probability_Yes"] - local["probability_Yes"]).abs().max() < 1e-5


def test_a_request_that_breaks_the_contract_is_refused_by_name(store, root, tmp_path):
    rows = pl.read_csv(root / "data" / "churn.csv", infer_schema=False).head(5)
    rows.with_columns(tenure=pl.lit("999")).write_csv(tmp_path / "rows.csv")
    done = kilnworks(root, store, "predict", "churn", str(tmp_path / "rows.csv"), code=1)
    assert "column 'tenure'" in done.stderr and "at most 120" in done.stderr and done.stdout == ""
